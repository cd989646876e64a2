"""Weighted total-variation denoising, exactly and in one pass (dynamic programming of Johnson, 2013)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def denoise(y, w, penalty):
    """Return the minimiser of sum w (y - f)^2 / 2 + penalty * sum |f[i + 1] - f[i]|.

    The derivative of the cost of the first i points as a function of f[i], clipped to [-penalty, penalty], is a rising
    polygon: its corners lie in a deque between the places ``low[i]`` and ``high[i]`` where the clipping begins. A point adds
    w (b - y), a line through zero at y, so that one end of the polygon moves to y and the other inwards over some
    corners, which are then gone: O(1) a point in the mean.
    """
    n = y.size
    low, high = np.empty(n), np.empty(n)
    # corner[k] is a place, rise[k] the slope between corners k and k + 1, less the sum of weights so far
    corner, rise = np.empty(2 * n + 2), np.empty(2 * n + 2)
    left, right = n, n + 1
    corner[left], corner[right] = y[0] - penalty / w[0], y[0] + penalty / w[0]
    rise[left] = 0.0
    low[0], high[0] = corner[left], corner[right]
    weight = w[0]
    for i in range(1, n):
        here = y[i]
        if here > corner[right]:
            rise[right] = -weight
            right += 1
            corner[right] = here
        elif here < corner[left]:
            left -= 1
            corner[left], rise[left] = here, -weight
        weight += w[i]
        missing = w[i] * (here - corner[left])
        while missing > 0.0:
            slope = max(rise[left] + weight, w[i])  # that much it is but for rounding
            step = slope * (corner[left + 1] - corner[left])
            if step >= missing or left + 1 == right:
                corner[left] = corner[left] + missing / slope
                break
            missing -= step
            left += 1
        missing = w[i] * (corner[right] - here)
        while missing > 0.0:
            slope = max(rise[right - 1] + weight, w[i])
            step = slope * (corner[right] - corner[right - 1])
            if step >= missing or left + 1 == right:
                corner[right] = corner[right] - missing / slope
                break
            missing -= step
            right -= 1
        low[i], high[i] = corner[left], corner[right]
    missing = penalty
    while True:
        slope = max(rise[left] + weight, w[n - 1])
        step = slope * (corner[left + 1] - corner[left])
        if step >= missing or left + 1 == right:
            high[n - 1] = corner[left] + missing / slope
            break
        missing -= step
        left += 1
    for i in range(n - 2, -1, -1):
        high[i] = min(max(high[i + 1], low[i]), high[i])
    return high
