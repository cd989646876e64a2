"""Column generation on stretches: one input, features that are constant between few places.

A sum of such features is constant on stretches of neighbouring points, so that the data enter through the weight and the
mean of each stretch only. The problem on the stretches found so far is small and is solved by coordinate descent;
a sweep over all points then certifies the fit and names features whose switches cut the stretches further.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import Axis
from convexnn.dictionaries.base import Rows, SwitchDictionary
from convexnn.duality import Gap, Problem, evaluate_gap, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers import coordinate_descent
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]
BATCH = 30


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` sweeps over all points."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SwitchDictionary)
    starts = np.zeros(1, np.int64) if start is None else dictionary.level_starts(start.features[0])
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    coarse, solution, inner = _coarsen(problem, dictionary, starts), None, 0.1
    best: tuple[Gap, Solution] | None = None
    for n_iter in range(1, max_iter + 1):
        width = min(starts.size - 1, dictionary.switches)
        warm = None if solution is None else replace(solution, features=(_to_cells(solution.features[0], starts, width),))
        solution = coordinate_descent.solve(coarse, tol=max(inner, 0.1 * tol), max_iter=max_iter, start=warm, extra=0)
        gap = _certify(problem, coarse, starts, solution)
        solution = replace(solution, features=(_to_points(solution.features[0], starts, dictionary.switches),))
        if best is None or gap.gap < best[0].gap:
            best = gap, solution
        reached = relative_gap(problem, best[0])
        stop = report(problem.data, best[0].primal, reached, len(best[1].coef[0]))
        if reached <= tol:
            status = ""
            break
        if stop:
            status = INTERRUPTED
            break
        cut = np.union1d(starts, dictionary.level_starts(gap.violations.features[0]))
        if cut.size == starts.size and inner <= 0.1 * tol:
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
        inner, starts = 0.1 * min(reached, inner), cut
        coarse = _coarsen(problem, dictionary, starts)
    assert best is not None
    gap, solution = best
    return replace(solution, gap=gap, n_iter=n_iter, status=status, lam=None)


def _coarsen(problem: Problem, dictionary: SwitchDictionary, starts: NDArray[np.int64]) -> Problem:
    """Return the problem on the stretches: rows merged like ties, and the same dictionary over their number."""
    data = problem.data
    w = np.add.reduceat(data.w, starts)
    y = np.add.reduceat(data.w * data.y, starts) / w
    inside = data.y - np.repeat(y, np.diff(np.append(starts, data.y.size)))
    constant = data.constant + 0.5 * float(np.dot(data.w * inside, inside))
    points = np.arange(float(starts.size))
    axis = Axis(points, points, None, 0.0, 1.0)
    merged = replace(data, axes=(axis,), y=y, w=w, constant=constant)
    return replace(problem, data=merged, dictionaries=(dictionary.over(points),))


def _certify(problem: Problem, coarse: Problem, starts: NDArray[np.int64], solution: Solution) -> Gap:
    """Certify the fit on all points; the dual point of the stretches is shared out over their points."""
    data, sizes = problem.data, np.diff(np.append(starts, problem.data.y.size))
    values = coarse.dictionaries[0].evaluate(solution.features[0], coarse.dictionaries[0].points) @ solution.coef[0]
    fit = values + solution.intercept
    penalty = float(problem.betas[0] * np.abs(solution.coef[0]).sum())
    assert solution.lam is not None
    correction = solution.lam / coarse.data.w - (coarse.data.y - fit)
    on_points = np.repeat(fit, sizes)
    lam = data.w * (data.y - on_points + np.repeat(correction, sizes))
    paired = float(np.dot(solution.lam, fit))
    limit = BATCH + len(solution.coef[0])
    return evaluate_gap(problem, on_points, penalty, lam=lam, paired=paired, limit=limit, slack=1e-13)


def _to_cells(features: Rows, starts: NDArray[np.int64], width: int) -> Rows:
    """Name switches by the stretch before them rather than by the point before them, ``width`` a row."""
    return _widen(np.where(features >= 0, np.searchsorted(starts, features + 1) - 1, -1), width)


def _to_points(features: Rows, starts: NDArray[np.int64], width: int) -> Rows:
    """Name switches by the point before them, ``width`` a row."""
    return _widen(np.where(features >= 0, starts[np.minimum(features + 1, starts.size - 1)] - 1, -1), width)


def _widen(features: Rows, width: int) -> Rows:
    wide = np.full((len(features), width), -1)
    common = min(width, features.shape[1])
    wide[:, :common] = features[:, :common]
    return wide
