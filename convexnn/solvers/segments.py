"""Column generation on segments: one input, piecewise-linear features with few breakpoints among many points.

Between the breakpoints of the working set every feature is linear, so that the data of a segment enter through five sums
only. Two weighted points stand for them: its first point and one further on, with weights that integrate squares of
linear functions exactly (Radau quadrature), and with targets that have the same two moments. The Lasso over the working
set is solved on these points; a sweep over all points then certifies the fit and names features that cut the segments
further. Nothing but a few vectors is as long as the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import Axis
from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Problem, evaluate_gap, feasible, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.solution import Solution
from convexnn.solvers.working_set import WorkingSet, no_features, united, working_set

Array = NDArray[np.float64]
BATCH = 30
EXTRA = 5


@dataclass(frozen=True)
class Segments:
    """Runs of points on which the features of a working set are linear, and the problem on two points of each.

    Attributes
    ----------
    starts : ndarray of shape (n_segments,)
        The first point of each run.
    first, second : ndarray of shape (n_segments,)
        The places of the two points of each run among the rows of ``problem``; the same where the run is one point.
    problem : Problem
        The merged problem.
    """

    starts: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    problem: Problem

    @property
    def places(self) -> Array:
        """Where features are evaluated."""
        return self.problem.data.axes[0].points

    def spread(self, values: Array, points: Array) -> Array:
        """Continue values at the rows of the merged problem to all points, linearly on every segment."""
        run = values[self.second] - values[self.first]
        reach = self.places[self.second] - self.places[self.first]
        slope = np.divide(run, reach, out=np.zeros_like(run), where=reach > 0.0)
        sizes = np.diff(np.append(self.starts, points.size))
        out = points - np.repeat(points[self.starts], sizes)
        out *= np.repeat(slope, sizes)
        out += np.repeat(values[self.first], sizes)
        return out


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps, and a few more."""
    features, z = no_features(problem), np.empty(0)
    if start is not None:
        features, z = start.features, problem.betas[0] * start.coef[0]
    best: tuple[Gap, Array, WorkingSet, Segments] | None = None
    spent = 0
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for n_iter in range(1, max_iter + 1):
        segments = _segments(problem, features[0])
        work = working_set(segments.problem, features, z, places=(segments.places,)).solved()
        gap, lam = _certify(problem, segments, work)
        if best is None or gap.primal <= best[0].primal or gap.gap < best[0].gap:
            best = gap, lam, work, segments
        reached = relative_gap(problem, best[0])
        spent += reached <= tol
        if report(problem.data, best[0].primal, reached, int(np.count_nonzero(best[2].z))):
            status = INTERRUPTED
            break
        if reached <= tol * tol or spent > EXTRA:
            break
        features, z = united(work, gap.violations.features)
        if z.size == work.z.size:
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
    assert best is not None
    return _solution(*best, n_iter, "" if reached <= tol else status)


def _segments(problem: Problem, features: Rows) -> Segments:
    """Cut the points where a feature bends, and merge every segment into two points."""
    data, points = problem.data, problem.data.axes[0].points
    bends = problem.units[0].pieces(features).breakpoints if len(features) else np.empty(0)
    cuts = np.searchsorted(points, bends)
    starts = np.union1d(0, cuts[cuts < points.size])
    sizes = np.diff(np.append(starts, points.size))
    t = points - np.repeat(points[starts], sizes)

    def total(terms: Array) -> Array:
        return np.add.reduceat(terms, starts)

    wt, wy = data.w * t, data.w * data.y
    w, first_moment, moment = total(data.w), total(wt), total(wy)
    long = np.flatnonzero(sizes > 1)
    reach = total(wt * t)[long] / first_moment[long]
    weight = first_moment[long] / reach
    # the first point weighs more than nothing, so that its share is positive but for rounding
    rest = np.maximum(w[long] - weight, data.w[starts[long]])
    target = total(wt * data.y)[long] / first_moment[long]
    places = np.insert(points[starts], long + 1, points[starts[long]] + reach)
    w[long] = rest
    moment[long] -= weight * target
    y = np.insert(moment / w, long + 1, target)
    first = np.arange(starts.size) + np.cumsum(np.append(0, sizes[:-1] > 1))
    axis = Axis(places, places, None, 0.0, 1.0)
    merged = replace(data, axes=(axis,), y=y, w=np.insert(w, long + 1, weight), constant=0.0)
    return Segments(starts, first, first + (sizes > 1), replace(problem, data=merged))


def _certify(problem: Problem, segments: Segments, work: WorkingSet) -> tuple[Gap, Array]:
    """Certify the fit on all points; the dual point differs from the residuals by what it does on the merged rows."""
    data, points = problem.data, problem.data.axes[0].points
    residual, lam, paired = work.dual_point()
    root = work.frame.root
    fit = segments.spread(segments.problem.data.y - residual / root, points)
    full = data.w * (data.y - fit + segments.spread((lam - residual) / root, points))
    limit = BATCH + int(np.count_nonzero(work.z))
    penalty = float(np.abs(work.z).sum())
    full = feasible(problem, full)
    return evaluate_gap(problem, fit, penalty, lam=full, paired=paired, limit=limit, slack=1e-13), full


def _solution(gap: Gap, lam: Array, work: WorkingSet, segments: Segments, n_iter: int, status: str) -> Solution:
    work, merged = work.keep(work.z != 0.0), segments.problem
    dictionary = merged.units[0]
    coef, root, basis = work.z / merged.betas[0], work.frame.root, work.frame.basis
    rest = merged.data.y - dictionary.evaluate(work.features[0], segments.places) @ coef
    intercept, skip = merged.free_coefficients(basis @ (basis.T @ (root * rest)) / root)
    return Solution(work.features, (coef,), intercept, skip, gap, n_iter, status, lam=lam)
