"""Hinge sums F(t) = sum_n lam_n (x_n - t)_+, from which every piecewise-linear feature is priced.

A feature with slope s on its far left and kinks k_b at its breakpoints b has lam @ g = s F(x_1) + sum_b k_b F(b) when
lam sums to zero. F is linear between data points, constant left of x_1 and zero right of x_N.
"""

import numpy as np

from convexnn.kernels import compiled


@compiled
def hinge_sums(points, lam):
    """Return F at the points and its slope to the right of each (zero after the last)."""
    count = points.size
    hinge = np.zeros(count)
    slope = np.zeros(count)
    mass = 0.0
    # Backwards, gap by gap: F is anchored at its exact zero on the right, and no product of a mass with a position
    # far from the origin is ever formed.
    for n in range(count - 2, -1, -1):
        mass += lam[n + 1]
        slope[n] = -mass
        hinge[n] = hinge[n + 1] + mass * (points[n + 1] - points[n])
    return hinge, slope


@compiled
def locate(t, place, points):
    """Return the last place with points[place] <= t (0 if there is none), starting from a guess near it.

    The loops over a dictionary move t steadily, so that a few steps from the last place find the next one; where few of
    many points carry biases, bisection does what is left.
    """
    last = points.size - 1
    for _ in range(8):
        if place < last and points[place + 1] <= t:
            place += 1
        elif place > 0 and points[place] > t:
            place -= 1
        else:
            return place
    return max(np.searchsorted(points, t, side="right") - 1, 0)


@compiled
def hinge_near(t, place, points, hinge, slope):
    """Return F(t) for any real t, and the place that found it, from a place near it."""
    t = min(max(t, points[0]), points[-1])
    place = locate(t, place, points)
    return hinge[place] + slope[place] * (t - points[place]), place
