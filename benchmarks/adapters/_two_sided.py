"""Two-layer ReLU in state-space form with one chain of slopes for each direction: linear cost, no maximum.

Variables: values f (n), slopes r of the ramps to the right and l of those to the left (n - 1 each), and their
coefficients p - q and c - d, all four >= 0 (n - 1 each):

    minimise |f - y|^2 / 2 + beta sum(p + q + c + d),
    f[i + 1] = f[i] + h[i] (r[i] + l[i]),   r[i] = r[i - 1] + p[i] - q[i],   l[i] = l[i + 1] + c[i] - d[i],

with r and l zero before the first and after the last point. Larger than the form with the running sum and slower for
small n, but far more accurate for large n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.adapters import Fit
from benchmarks.adapters._state_space import Programme, scaled, stacked

Array = NDArray[np.float64]


def build_two_sided(x: Array, y: Array, alpha: float) -> Programme:
    """Return the programme of a ReLU task with distinct x."""
    order, ys, gaps, scale, unit = scaled(x, y)
    n, s = x.size, x.size - 1
    widths = [n] + 6 * [s]
    eye, steps = sp.eye_array(s), sp.diags_array(gaps * unit)
    equations = [
        stacked(widths, s, (0, sp.eye_array(s, n, k=1) - sp.eye_array(s, n)), (1, -steps), (2, -steps)),
        stacked(widths, s, (1, eye - sp.eye_array(s, k=-1)), (3, -eye), (4, eye)),
        stacked(widths, s, (2, eye - sp.eye_array(s, k=1)), (5, -eye), (6, eye)),
    ]
    cost = np.zeros(sum(widths))
    cost[:n] = -ys
    cost[n + 2 * s :] = alpha * n / scale * unit
    squares = sp.diags_array(np.concatenate((np.ones(n), np.zeros(cost.size - n))))
    return Programme(
        sp.csc_matrix(squares),
        cost,
        sp.csc_matrix(sp.vstack(equations)),
        sp.csc_matrix((0, cost.size)),
        slice(n + 2 * s, cost.size),
        ys,
        gaps,
        scale,
        unit,
        order,
        "two_sided",
    )


def finish_two_sided(state: Programme, raw: Any) -> Fit:
    """Integrate the coefficients of the ramps, so that values and norm belong to one function; refit the constant."""
    n, long = state.y.size, np.longdouble
    right, minus, left, other = np.asarray(raw)[3 * n - 2 :].astype(long).reshape(4, n - 1)
    right, left = right - minus, left - other
    slopes = np.cumsum(right) + np.cumsum(left[::-1])[::-1]
    values = np.concatenate(([long(0)], np.cumsum(state.gaps * slopes * state.unit)))
    values += (state.y - values).mean()
    out = np.empty(n, long)
    out[state.order] = values
    return Fit(out, float((np.abs(right).sum() + np.abs(left).sum()) * state.unit / state.scale))
