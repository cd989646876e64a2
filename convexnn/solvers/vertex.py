"""Fewer units for the same function: a vertex of the pairs of functions that represent it.

An interior point method ends in the middle of all pairs h_0, h_1 with the same difference and the same cost, where nearly
every step of f is a step of both. The pairs differ by a common shift t, constant on stretches: a linear programme, whose
vertices leave about as many steps in both together as f has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.solvers.bounded_switches import Programme

Array = NDArray[np.float64]
# steps beyond which the simplex method would take longer than the fit
MOST = 20_000
ROUNDING = 1e-11


def thinned(programme: Programme, levels: Array) -> Array:
    """Return levels (M, 2) with the same difference and the same cost, and few steps."""
    from scipy import sparse
    from scipy.optimize import linprog

    steps = np.diff(levels, axis=0)
    kept = np.flatnonzero((steps != 0.0).any(axis=1))
    size = kept.size
    if not 0 < size <= MOST:
        return levels
    starts = np.concatenate(([0], kept + 1))
    h, steps, heights = levels[starts], steps[kept], programme.heights(levels)
    # diags, not diags_array, which is newer than the oldest scipy that is supported
    difference = sparse.csr_array(sparse.diags([-np.ones(size), np.ones(size)], offsets=[0, 1], shape=(size, size + 1)))
    # a rise stays a rise, a fall a fall: so that falls, and with them the cost, are linear in t
    above = np.where(steps <= 0.0, -steps, np.inf).min(axis=1)
    below = np.where(steps >= 0.0, steps, np.inf).min(axis=1)
    falls = -(difference.T @ (steps < 0.0)).T
    falls[:, -1] += programme.last
    rows = sparse.vstack([difference, -difference, sparse.csr_array(falls)]).tocsr()
    limits = np.concatenate([above, below, np.zeros(2)])
    kept_rows = np.isfinite(limits)
    ends = np.column_stack([-h.min(axis=1), (heights - h).min(axis=1)])
    tight = {"primal_feasibility_tolerance": 1e-10, "maxiter": 10 * size + 1000}
    found = linprog(
        np.ones(size + 1), rows[kept_rows], limits[kept_rows], bounds=ends, method="highs-ds", options=tight
    )
    if found.status != 0:
        return levels
    shift = found.x
    for i in range(size + 1):
        # what is zero, full or level is so up to rounding only; both functions move alike, so that f does not
        aims = np.concatenate([-h[i], heights - h[i], shift[i - 1] - steps[i - 1] if i else []])
        nearest = aims[np.argmin(np.abs(aims - shift[i]))]
        shift[i] = nearest if abs(nearest - shift[i]) <= ROUNDING * heights.max() else shift[i]
    moved = np.clip(h + shift[:, None], 0.0, None)
    return np.repeat(moved, np.diff(np.append(starts, len(levels))), axis=0)
