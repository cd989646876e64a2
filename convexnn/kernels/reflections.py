"""Pricing of | |x - a| - c |: three kinks, at p = a - c, a and q = a + c, with correlation 2 W - F(x_1).

W = F(p) + F(q) - F(a) with the hinge sums F of ``kernels.hinges``. For each fixed outer point the other kinks move
monotonically, so that all pairs cost O(N^2) time and O(N) memory.
"""

import numpy as np

from convexnn.kernels import compiled
from convexnn.kernels.hinges import hinge_near


@compiled
def reflection_extremes(points, lam, hinge, slope):
    """Return, for each centre a = points[i], the largest and smallest W over c = |points[j] - a|."""
    count = points.size
    high = np.empty(count)
    low = np.empty(count)
    head_high, head_low = np.maximum(hinge, 0.0), np.minimum(hinge, 0.0)
    tail_high, tail_low = hinge.copy(), hinge.copy()
    head_high[0] = hinge[0]
    head_low[0] = hinge[0]
    for n in range(1, count):
        head_high[n] = max(head_high[n - 1], hinge[n])
        head_low[n] = min(head_low[n - 1], hinge[n])
        tail_high[count - 1 - n] = max(tail_high[count - n], hinge[count - 1 - n])
        tail_low[count - 1 - n] = min(tail_low[count - n], hinge[count - 1 - n])
    for i in range(count):
        centre = points[i]
        left = i - 1
        right = i + 1
        both = 2.0 * hinge[i]
        top = both
        bottom = both
        # d/dc [F(a - c) + F(a + c)] grows by lam at every point that the growing interval takes in.
        rate = slope[i] - (slope[i - 1] if i > 0 else 0.0)
        reach = 0.0
        while left >= 0 and right < count:
            to_left = centre - points[left]
            to_right = points[right] - centre
            go_left = to_left < to_right
            distance = to_left if go_left else to_right
            gain = lam[left] if go_left else lam[right]
            both += rate * (distance - reach)
            rate += gain
            reach = distance
            top = both if both > top else top
            bottom = both if both < bottom else bottom
            left -= go_left
            right += not go_left
        # Beyond one end of the data F is constant there: only the extremes of F on the other side are left.
        if left >= 0:
            top = max(top, head_high[left])
            bottom = min(bottom, head_low[left])
        elif right < count:
            top = max(top, hinge[0] + tail_high[right])
            bottom = min(bottom, hinge[0] + tail_low[right])
        high[i] = top - hinge[i]
        low[i] = bottom - hinge[i]
    return high, low


@compiled
def midpoint_extremes(points, hinge, slope):
    """Return, for each p = points[i], the largest and smallest W over q = points[j], j > i, a = (p + q) / 2."""
    count = points.size
    high = np.full(count, -np.inf)
    low = np.full(count, np.inf)
    for i in range(count - 1):
        k = i
        top = -np.inf
        bottom = np.inf
        for j in range(i + 1, count):
            middle = 0.5 * (points[i] + points[j])
            # Strictly: a folded line may end in equal points, and this must not walk past the last.
            while points[k + 1] < middle:
                k += 1
            value = hinge[j] - hinge[k] - slope[k] * (middle - points[k])
            top = value if value > top else top
            bottom = value if value < bottom else bottom
        high[i] = top + hinge[i]
        low[i] = bottom + hinge[i]
    return high, low


@compiled
def thinned_extremes(chosen, points, hinge, slope):
    """Return what both kernels above do, with biases from the points ``chosen`` only: M^2 short searches."""
    count = chosen.size
    out = np.empty((4, count))
    out[0::2] = -np.inf
    out[1::2] = np.inf
    places = np.searchsorted(points, chosen)
    for i in range(count):
        at_i = hinge[places[i]]
        there = points.size - 1
        between = places[i]
        for j in range(count):
            at_j = hinge[places[j]]
            mirror, there = hinge_near(2.0 * chosen[i] - chosen[j], there, points, hinge, slope)
            out[0, i] = max(out[0, i], at_j + mirror - at_i)
            out[1, i] = min(out[1, i], at_j + mirror - at_i)
            if j > i:
                middle, between = hinge_near(0.5 * (chosen[i] + chosen[j]), between, points, hinge, slope)
                out[2, i] = max(out[2, i], at_i + at_j - middle)
                out[3, i] = min(out[3, i], at_i + at_j - middle)
    return out
