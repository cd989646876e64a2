"""Weighted total-variation denoising, exactly and in one pass (dynamic programming of Johnson, 2013)."""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled


@compiled
def denoise(y, w, penalty):
    """Return the minimiser of sum w (y - f)^2 / 2 + penalty * sum |f[i + 1] - f[i]|.

    The derivative of the cost of the first i points as a function of f[i], clipped to [-penalty, penalty], is a rising
    polygon: its corners lie in a deque between the places ``low[i]`` and ``high[i]`` where the clipping begins. A point adds
    w (b - y), a line through zero at y, so that one end of the polygon moves to y and the other inwards over some
    corners, which are then gone: O(1) a point in the mean.
    """
    n = y.size
    low, high = np.empty(n), np.empty(n)
    # the ends of the deque are at a and b; corner k between them is at polygon[k, 0]; polygon[k, 1] is the slope between
    # corners k and k + 1, less the sum of weights so far
    polygon = np.empty((2 * n + 2, 2))
    left, right = n, n + 1
    a, b = y[0] - penalty / w[0], y[0] + penalty / w[0]
    polygon[left, 1] = 0.0
    low[0], high[0] = a, b
    weight = w[0]
    for i in range(1, n):
        here, added = y[i], w[i]
        if here > b:
            polygon[right, 0], polygon[right, 1] = b, -weight
            right += 1
            b = here
        elif here < a:
            polygon[left, 0] = a
            left -= 1
            polygon[left, 1] = -weight
            a = here
        weight += added
        missing = added * (here - a)
        if missing > 0.0:
            slope = max(polygon[left, 1] + weight, added)  # that much it is but for rounding
            while left + 1 < right:
                corner = polygon[left + 1, 0]
                step = slope * (corner - a)
                if step >= missing:
                    break
                missing -= step
                left += 1
                a = corner
                slope = max(polygon[left, 1] + weight, added)
            a += missing / slope
        missing = added * (b - here)
        if missing > 0.0:
            slope = max(polygon[right - 1, 1] + weight, added)
            while left + 1 < right:
                corner = polygon[right - 1, 0]
                step = slope * (b - corner)
                if step >= missing:
                    break
                missing -= step
                right -= 1
                b = corner
                slope = max(polygon[right - 1, 1] + weight, added)
            b -= missing / slope
        low[i], high[i] = a, b
    # the last value is where the derivative, -penalty at a, is zero
    missing = penalty
    slope = max(polygon[left, 1] + weight, w[n - 1])
    while left + 1 < right:
        step = slope * (polygon[left + 1, 0] - a)
        if step >= missing:
            break
        missing -= step
        left += 1
        a = polygon[left, 0]
        slope = max(polygon[left, 1] + weight, w[n - 1])
    high[n - 1] = a + missing / slope
    for i in range(n - 2, -1, -1):
        high[i] = min(max(high[i + 1], low[i]), high[i])
    return high
