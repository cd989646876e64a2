"""Descent over a growing working set, a feature at a time: for every dictionary, and the reference for faster solvers.

Pricing names the features that violate the dual constraint most; their columns join the working set, whose Lasso is
solved exactly by an active-set method, because neighbouring columns are almost collinear and cyclic sweeps over the
coordinates crawl (theory section 8). The duality gap over the whole dictionary decides when to stop; a few sweeps more
then find the exact optimum in most problems, so that fits do not depend on the way there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Problem, evaluate_gap, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.active_set import solve_lasso
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]
BATCH = 30
REFINEMENTS = 3
EXTRA = 5


@dataclass(frozen=True)
class Frame:
    """What columns are measured in: the roots of the weights, the free directions and the targets orthogonal to them."""

    root: Array
    basis: Array
    target: Array


def make_frame(problem: Problem) -> Frame:
    """Return the frame of a problem."""
    root, basis = np.sqrt(problem.data.w), problem.free_basis()
    target = root * problem.data.y
    return Frame(root, basis, target - basis @ (basis.T @ target))


@dataclass(frozen=True)
class WorkingSet:
    """Columns of the dictionary: weighted, free directions projected out, divided by beta; and their Gram matrix."""

    frame: Frame
    features: tuple[Rows, ...]
    columns: Array
    gram: Array
    z: Array

    def keep(self, kept: NDArray[np.bool_]) -> WorkingSet:
        """Return the working set without some columns."""
        places = np.flatnonzero(kept)
        parts = np.split(kept, np.cumsum([len(rows) for rows in self.features])[:-1])
        features = tuple(rows[part] for rows, part in zip(self.features, parts, strict=True))
        return WorkingSet(
            self.frame, features, self.columns[:, places], self.gram[np.ix_(places, places)], self.z[places]
        )


def solve(
    problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None, extra: int = EXTRA
) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps, and ``extra`` more."""
    work = _warm_start(problem, start)
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
        grown = _grow(problem, work, gap.violations.features)
        if grown.z.size == seen and n_iter > 1:
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
        z = solve_lasso(grown.columns, grown.gram, grown.frame.target, grown.z)
        work = replace(grown, z=z)
        if np.count_nonzero(z) * 4 + 200 < z.size:
            work = work.keep(z != 0.0)
        seen = work.z.size
    best = best.keep(best.z != 0.0)
    return make_solution(
        problem, best.features, best.z, best_gap, n_iter, "" if reached <= tol else status, best_lam
    )


def _certify(problem: Problem, work: WorkingSet) -> tuple[Gap, Array]:
    """Certify the working set's fit, with a dual point that meets the active constraints to the last digits."""
    root, basis = work.frame.root, work.frame.basis
    residual = work.frame.target - work.columns @ work.z
    active = np.flatnonzero(work.z)
    columns, z = work.columns[:, active], work.z[active]
    lam = residual
    try:
        factor = cho_factor(work.gram[np.ix_(active, active)])
        for _ in range(REFINEMENTS):
            lam = lam - basis @ (basis.T @ lam)
            lam = lam + columns @ cho_solve(factor, np.sign(z) - columns.T @ lam)
    except LinAlgError:  # dependent to working precision: the residuals then have to do
        lam = residual
    paired, penalty, lam = float(np.dot(columns.T @ lam, z)), float(np.abs(z).sum()), root * lam
    limit = BATCH + int(np.count_nonzero(z))  # geometric growth: few sweeps over the whole dictionary
    gap = evaluate_gap(problem, problem.data.y - residual / root, penalty, lam=lam, paired=paired, limit=limit, slack=1e-13)
    return gap, lam


def _warm_start(problem: Problem, start: Solution | None) -> WorkingSet:
    if start is None:
        none = tuple(priced.price(np.zeros(priced.points.size), 1.0, 0).features for priced in problem.dictionaries)
        return _columns(problem, none, np.empty(0), None)
    z = np.concatenate([beta * z for beta, z in zip(problem.betas, start.coef, strict=True)])
    return _columns(problem, start.features, z, None)


def _grow(problem: Problem, work: WorkingSet, violated: tuple[Rows, ...]) -> WorkingSet:
    """Add the violated features that are not there yet."""
    features, z, place = [], [], 0
    for rows, more in zip(work.features, violated, strict=True):
        known = {row.tobytes() for row in rows}
        fresh = more[[row.tobytes() not in known for row in more]] if len(more) else more
        features.append(np.concatenate([rows, fresh]) if len(fresh) else rows)
        z += [work.z[place : place + len(rows)], np.zeros(len(fresh))]
        place += len(rows)
    return _columns(problem, tuple(features), np.concatenate(z), work)


def evaluate_columns(problem: Problem, frame: Frame, features: tuple[Rows, ...]) -> Array:
    """Return the columns of features: weighted, free directions projected out, divided by beta."""
    blocks = [
        axis.gather(dictionary.evaluate(rows, dictionary.points)) / beta
        for axis, dictionary, beta, rows in zip(
            problem.data.axes, problem.dictionaries, problem.betas, features, strict=True
        )
    ]
    columns = np.concatenate(blocks, axis=1) * frame.root[:, None]
    # twice: once leaves the rounding of large components along the free directions
    for _ in range(2):
        columns -= frame.basis @ (frame.basis.T @ columns)
    return columns


def _columns(problem: Problem, features: tuple[Rows, ...], z: Array, old: WorkingSet | None) -> WorkingSet:
    """Evaluate the columns and their Gram matrix; those of ``old``, a prefix for each input, are taken over."""
    frame = make_frame(problem) if old is None else old.frame
    sizes = [0] * len(features) if old is None else [len(rows) for rows in old.features]
    kept = np.concatenate([np.arange(len(rows)) < size for rows, size in zip(features, sizes, strict=True)])
    added = evaluate_columns(problem, frame, tuple(rows[size:] for rows, size in zip(features, sizes, strict=True)))
    here, there = np.flatnonzero(kept), np.flatnonzero(~kept)
    columns = np.empty((frame.root.size, kept.size), order="F")
    gram = np.empty((kept.size, kept.size))
    columns[:, there] = added
    if here.size and old is not None:
        columns[:, here] = old.columns
        gram[np.ix_(here, here)] = old.gram
        cross = old.columns.T @ added
        gram[np.ix_(here, there)], gram[np.ix_(there, here)] = cross, cross.T
    gram[np.ix_(there, there)] = added.T @ added
    return WorkingSet(frame, features, columns, gram, z)


def make_solution(
    problem: Problem, features: tuple[Rows, ...], z: Array, gap: Gap, n_iter: int, status: str = "", lam: Array | None = None
) -> Solution:
    """Return the solution with coefficients z / beta, and the free directions fitted to what these leave."""
    parts = np.split(z, np.cumsum([len(rows) for rows in features])[:-1])
    coef = tuple(part / beta for part, beta in zip(parts, problem.betas, strict=True))
    root, basis = np.sqrt(problem.data.w), problem.free_basis()
    rest = problem.data.y.copy()
    for axis, dictionary, rows, part in zip(problem.data.axes, problem.dictionaries, features, coef, strict=True):
        rest -= axis.gather(dictionary.evaluate(rows, dictionary.points) @ part)
    intercept, skip = problem.free_coefficients(basis @ (basis.T @ (root * rest)) / root)
    return Solution(features, coef, intercept, skip, gap, n_iter, status, lam=lam)
