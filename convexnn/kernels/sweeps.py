"""Sweeps over sorted points: the correlations of all ramps at once, and the excursions of a curve beyond a bound."""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled


@compiled
def ramp_sums(x, lam, out):
    """Write F with F[i] = sum_n lam[n] * max(x[n] - x[i], 0), for sorted x."""
    tail = here = out[x.size - 1] = 0.0
    for i in range(x.size - 2, -1, -1):
        tail += lam[i + 1]
        here += tail * (x[i + 1] - x[i])
        out[i] = here


@compiled
def excursions(curve, bound):
    """Return the places of the extremes of every run of ``curve`` above ``bound`` or below its negative."""
    found = np.empty(curve.size, np.int64)
    count = 0
    side = 0
    for i in range(curve.size):
        value = curve[i]
        now = 1 if value > bound else (-1 if value < -bound else 0)
        if now != 0:
            if now != side:
                found[count] = i
                count += 1
            elif abs(value) > abs(curve[found[count - 1]]):
                found[count - 1] = i
        side = now
    return found[:count]
