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
    # the ends of the deque are at a and b, with the slopes ``first`` and ``last`` inside; corner k between them is at
    # polygon[k, 0], where the slope jumps by polygon[k, 1]. Kept slopes would be less the sum of weights so far, whose
    # rounding, times steps between targets, is more than a small penalty
    polygon = np.empty((2 * n + 2, 2))
    left, right = n, n + 1
    a, b = y[0] - penalty / w[0], y[0] + penalty / w[0]
    first = last = w[0]
    low[0], high[0] = a, b
    for i in range(1, n):
        here, added = y[i], w[i]
        if here > b:
            polygon[right, 0], polygon[right, 1] = b, -last
            right += 1
            b, last = here, 0.0
        elif here < a:
            polygon[left, 0], polygon[left, 1] = a, first
            left -= 1
            a, first = here, 0.0
        first += added
        last += added
        missing = added * (here - a)
        if missing > 0.0:
            while left + 1 < right:
                corner = polygon[left + 1, 0]
                step = first * (corner - a)
                if step >= missing:
                    break
                missing -= step
                left += 1
                a = corner
                first = max(first + polygon[left, 1], added)  # that much it is but for rounding
            a += missing / first
        missing = added * (b - here)
        if missing > 0.0:
            while left + 1 < right:
                corner = polygon[right - 1, 0]
                step = last * (b - corner)
                if step >= missing:
                    break
                missing -= step
                right -= 1
                b = corner
                last = max(last - polygon[right, 1], added)
            b -= missing / last
        if left + 1 == right:  # one piece that rises by twice the penalty, whatever rounding has added up to
            if b == here:
                first, a = last, b - 2.0 * penalty / last
            elif a == here:
                last, b = first, a + 2.0 * penalty / first
        low[i], high[i] = a, b
    # the last value is where the derivative, -penalty at a, is zero
    missing = penalty
    while left + 1 < right:
        step = first * (polygon[left + 1, 0] - a)
        if step >= missing:
            break
        missing -= step
        left += 1
        a = polygon[left, 0]
        first = max(first + polygon[left, 1], w[n - 1])
    high[n - 1] = a + missing / first
    for i in range(n - 2, -1, -1):
        high[i] = min(max(high[i + 1], low[i]), high[i])
    return high
