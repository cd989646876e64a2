"""Coordinate descent over a growing working set: for every dictionary, and the reference for the faster solvers.

Pricing names the features that violate the dual constraint most; their columns join the working set, whose Lasso is
solved by coordinate descent sweeps and finished by an exact active-set method, because neighbouring columns are almost
collinear and sweeps alone may crawl (theory section 8). The duality gap over the whole dictionary decides when to stop;
a few sweeps more then find the exact optimum in most problems, so that fits do not depend on the way there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Problem, evaluate_gap, relative_gap
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]
SWEEPS = 20
BATCH = 30
REFINEMENTS = 3
EXTRA = 5


@dataclass(frozen=True)
class WorkingSet:
    """Columns of the dictionary: weighted, free directions projected out, divided by beta; and their Gram matrix."""

    inputs: NDArray[np.int64]
    features: tuple[bytes, ...]
    rows: tuple[NDArray[np.int64], ...]
    columns: Array
    gram: Array
    z: Array

    def keep(self, kept: NDArray[np.bool_]) -> WorkingSet:
        """Return the working set without some columns."""
        places = np.flatnonzero(kept)
        return WorkingSet(
            self.inputs[places],
            tuple(self.features[k] for k in places),
            tuple(self.rows[k] for k in places),
            self.columns[:, places],
            self.gram[np.ix_(places, places)],
            self.z[places],
        )


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    from convexnn.kernels.lasso import descend, solve_exactly

    basis = problem.free_basis()
    root = np.sqrt(problem.data.w)
    target = root * problem.data.y
    target -= basis @ (basis.T @ target)
    work = _warm_start(problem, basis, start)
    best_gap, best = _certify(problem, basis, target, work), work
    extra = 0
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for n_iter in range(1, max_iter + 1):
        gap = best_gap if n_iter == 1 else _certify(problem, basis, target, work)
        if gap.primal <= best_gap.primal or gap.gap < best_gap.gap:
            best_gap, best = gap, work
        reached = relative_gap(problem, best_gap)
        extra += reached <= tol
        if reached <= tol * tol or extra > EXTRA:
            break
        grown = _grow(problem, basis, work, gap)
        if grown.z.size == work.z.size and n_iter > 1:
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
        z = grown.z.copy()
        descend(grown.gram, grown.columns.T @ target, z, SWEEPS)
        for _ in range(REFINEMENTS):
            # the gradient from the rows: the Gram matrix alone has lost half the digits of nearly dependent columns
            linear = grown.gram @ z + grown.columns.T @ (target - grown.columns @ z)
            solve_exactly(grown.gram, linear, z)
        work = replace(grown, z=z)
        if np.count_nonzero(z) * 4 + 200 < z.size:
            work = work.keep(z != 0.0)
    return _solution(problem, basis, best_gap, best, n_iter, "" if reached <= tol else status)


def _certify(problem: Problem, basis: Array, target: Array, work: WorkingSet) -> Gap:
    """Certify the working set's fit, with a dual point that meets the active constraints to the last digits."""
    root = np.sqrt(problem.data.w)
    residual = target - work.columns @ work.z
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
    paired = float(np.dot(columns.T @ lam, z))
    penalty = float(np.abs(z).sum())
    return evaluate_gap(
        problem, residual / root, penalty, lam=root * lam, paired=paired, limit=_batch(work), slack=1e-13
    )


def _batch(work: WorkingSet) -> int:
    """Grow geometrically: the number of sweeps over the whole dictionary is then logarithmic in the active features."""
    return BATCH + int(np.count_nonzero(work.z))


def _warm_start(problem: Problem, basis: Array, start: Solution | None) -> WorkingSet:
    rows = problem.data.y.size
    empty = WorkingSet(np.empty(0, np.int64), (), (), np.empty((rows, 0), order="F"), np.empty((0, 0)), np.empty(0))
    if start is None:
        return empty
    work = _extend(problem, basis, empty, start.features)
    coef = [beta * z for beta, z in zip(problem.betas, start.coef, strict=True)]
    return replace(work, z=np.concatenate(coef))


def _grow(problem: Problem, basis: Array, work: WorkingSet, gap: Gap) -> WorkingSet:
    known = {(int(j), key) for j, key in zip(work.inputs, work.features, strict=True)}
    fresh = tuple(
        rows[[(j, row.tobytes()) not in known for row in rows]] if len(rows) else rows
        for j, rows in enumerate(gap.violations.features)
    )
    return _extend(problem, basis, work, fresh)


def _extend(problem: Problem, basis: Array, work: WorkingSet, features: tuple[Rows, ...]) -> WorkingSet:
    """Append the columns of new features and border the Gram matrix."""
    root = np.sqrt(problem.data.w)
    blocks = []
    for axis, dictionary, beta, rows in zip(
        problem.data.axes, problem.dictionaries, problem.betas, features, strict=True
    ):
        blocks.append(axis.gather(dictionary.evaluate(rows, dictionary.points)) / beta)
    added = np.concatenate(blocks, axis=1) * root[:, None]
    # twice: once leaves the rounding of large components along the free directions
    for _ in range(2):
        added -= basis @ (basis.T @ added)
    cross = work.columns.T @ added
    return WorkingSet(
        np.concatenate([work.inputs, *(np.full(len(rows), j) for j, rows in enumerate(features))]),
        work.features + tuple(row.tobytes() for rows in features for row in rows),
        work.rows + tuple(row for rows in features for row in rows),
        np.asfortranarray(np.concatenate([work.columns, added], axis=1)),
        np.block([[work.gram, cross], [cross.T, added.T @ added]]),
        np.concatenate([work.z, np.zeros(added.shape[1])]),
    )


def _solution(problem: Problem, basis: Array, gap: Gap, work: WorkingSet, n_iter: int, status: str) -> Solution:
    features, coef, explained = [], [], np.zeros(problem.data.y.size)
    for j, (axis, dictionary) in enumerate(zip(problem.data.axes, problem.dictionaries, strict=True)):
        places = np.flatnonzero((work.inputs == j) & (work.z != 0.0))
        empty = gap.violations.features[j][:0]
        features.append(np.array([work.rows[k] for k in places], dtype=np.int64) if places.size else empty)
        coef.append(work.z[places] / problem.betas[j])
        explained += axis.gather(dictionary.evaluate(features[-1], dictionary.points) @ coef[-1])
    root = np.sqrt(problem.data.w)
    rest = root * (problem.data.y - explained)
    free = basis @ (basis.T @ rest) / root
    intercept, skip = problem.free_coefficients(free)
    return Solution(tuple(features), tuple(coef), intercept, skip, gap, n_iter, status)
