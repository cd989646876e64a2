"""Descent over a growing working set, a feature at a time: for every dictionary, and the reference for faster solvers.

Pricing names the features that violate the dual constraint most; their columns join the working set, whose Lasso is
solved exactly by an active-set method, because neighbouring columns are almost collinear and cyclic sweeps over the
coordinates crawl (theory section 8). The duality gap over the whole dictionary decides when to stop; a few sweeps more
then find the exact optimum in most problems, so that fits do not depend on the way there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Problem, evaluate_gap, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.solution import Solution
from convexnn.solvers.working_set import WorkingSet, no_features, united, working_set

Array = NDArray[np.float64]
BATCH = 30
EXTRA = 5
ROUNDED = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
UNFOUND = "the search for features was cut short, by the gap a full one may be better; raise alpha or set max_breakpoints"


def solve(
    problem: Problem,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    extra: int = EXTRA,
    orthogonal: bool = False,
    precision: type = np.float64,
) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps, and ``extra`` more.

    ``orthogonal`` asks for an orthonormal basis of the support instead of a Gram matrix: slower, with twice the digits; of
    columns and dual points of this ``precision``.
    """
    work = _warm_start(problem, start, orthogonal, precision)
    best_gap, best_lam = _certify(problem, work)
    best = work
    spent, seen = 0, work.z.size
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for n_iter in range(1, max_iter + 1):
        gap, lam = (best_gap, best_lam) if n_iter == 1 else _certify(problem, work)
        if gap.primal <= best_gap.primal or gap.gap < best_gap.gap:
            best_gap, best_lam, best = gap, lam, work
        reached = relative_gap(problem, best_gap)
        spent += reached <= tol
        if report(problem.data, best_gap.primal, reached, int(np.count_nonzero(best.z))):
            status = INTERRUPTED
            break
        if reached <= tol * tol or spent > extra:
            break
        features, z = united(work, gap.violations.features)
        if z.size == seen and n_iter > 1:
            found = max(np.abs(ratios).max(initial=1.0) for ratios in gap.violations.ratios)
            status = UNFOUND if gap.violations.maximum > (1.0 + 1e-6) * found else ROUNDED
            break
        work = working_set(problem, features, z, old=work).solved()
        seen = work.z.size
    best = best.keep(best.z != 0.0)
    status, precision = "" if reached <= tol else status, best.frame.root.dtype.type
    return make_solution(problem, best.features, best.z, best_gap, n_iter, status, best_lam, precision)


def certify(problem: Problem, solution: Solution, precision: type) -> tuple[Gap, Array]:
    """Return gap and dual point of a solution's features and coefficients, from columns of this precision."""
    return _certify(problem, _warm_start(problem, solution, True, precision))


def _certify(problem: Problem, work: WorkingSet) -> tuple[Gap, Array]:
    """Certify the working set's fit."""
    residual, lam, paired = work.dual_point()
    penalty, lam, root = float(np.abs(work.z).sum()), work.frame.root * lam, work.frame.root
    limit = BATCH + int(np.count_nonzero(work.z))  # geometric growth: few sweeps over the whole dictionary
    gap = evaluate_gap(problem, problem.data.y - residual / root, penalty, lam=lam, paired=paired, limit=limit, slack=1e-13)
    return gap, lam


def _warm_start(problem: Problem, start: Solution | None, orthogonal: bool, precision: type) -> WorkingSet:
    if start is None:
        return working_set(problem, no_features(problem), np.empty(0), orthogonal=orthogonal, precision=precision)
    z = np.concatenate([beta * z for beta, z in zip(problem.betas, start.coef, strict=True)])
    return working_set(problem, start.features, z, orthogonal=orthogonal, precision=precision)


def make_solution(
    problem: Problem,
    features: tuple[Rows, ...],
    z: Array,
    gap: Gap,
    n_iter: int,
    status: str = "",
    lam: Array | None = None,
    precision: type = np.float64,
) -> Solution:
    """Return the solution with coefficients z / beta, and the free directions fitted to what these leave."""
    parts = np.split(z, np.cumsum([len(rows) for rows in features])[:-1])
    coef = tuple(part / beta for part, beta in zip(parts, problem.betas, strict=True))
    root, basis = np.sqrt(problem.data.w.astype(precision)), problem.free_basis(precision)
    rest: Array = problem.data.y.astype(precision)
    for axis, dictionary, rows, part in zip(problem.data.axes, problem.dictionaries, features, coef, strict=True):
        points: Array = dictionary.points.astype(precision, copy=False)
        rest -= axis.gather(dictionary.evaluate(rows, points, points) @ part)
    intercept, skip = problem.free_coefficients(basis @ (basis.T @ (root * rest)) / root)
    return Solution(features, coef, intercept, skip, gap, n_iter, status, lam=lam)
