"""Absolute and pinball losses: linear programmes over growing sets of features *and* rows, priced exactly.

The dual point lam lives in a box, and is at a bound of it on every row that the fit does not pass through: nearly all. A
restricted problem keeps few rows free and holds the others at their bounds, so that it is a small linear programme,
whatever the number of rows (Portnoy and Koenker, 1997). Its multipliers are the coefficients of the features in it. Features
that its lam violates, found by the same pricing as everywhere, and rows that its fit has put on the wrong side are
added until there are none; the duality gap over all rows and all features decides.

The start is a fit with the corner of the loss rounded off: its features, and the rows close to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Null, Problem, Violations, evaluate_gap, feasible, price, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers import proximal_newton
from convexnn.solvers.simplex import SOLVED, minimise
from convexnn.solvers.solution import Solution, fitted_values

Array = NDArray[np.float64]
Solver = Callable[..., Solution]
BATCH = 30
FEW = 400
EXTRA = 5
ROUNDED = (0.3, 0.03, 0.003)
ROUNDS = 200
THROUGH = 1e-9


@dataclass(frozen=True)
class Columns:
    """Features of the restricted problem, their values at the rows, at most one in size, and what each then costs.

    ``lowest`` is what correlations must exceed: minus the costs, or nothing where a coefficient may not be negative.
    """

    features: tuple[Rows, ...]
    values: Array
    sizes: Array
    costs: Array
    lowest: Array


@dataclass(frozen=True)
class Vertex:
    """A solution of a restricted problem: coefficients, fit at all rows, penalty, multipliers, and the rows it kept free."""

    z: Array
    fit: Array
    penalty: float
    lam: Array
    rows: NDArray[np.bool_]


def solve(problem: Problem, inner: Solver, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps, and a few more."""
    if start is None and problem.data.y.size > FEW:
        start = proximal_newton.approach(problem, inner, ROUNDED, ROUNDS)
    columns, fit, rows = _begin(problem, start)
    best: tuple[Gap, Columns, Vertex] | None = None
    spent, status = 0, "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for n_iter in range(1, max_iter + 1):
        try:
            vertex = _restricted(problem, columns, fit, rows)
        except FloatingPointError:
            status = "rounding stopped the solver: the linear programme fails; raise tol or alpha"
            if best is None:
                return _fallback(problem, start, status)
            break
        limit = BATCH + columns.costs.size
        gap = evaluate_gap(problem, vertex.fit, vertex.penalty, lam=vertex.lam, limit=limit, slack=1e-10)
        if best is None or gap.gap < best[0].gap:
            best = gap, columns, vertex
        reached = relative_gap(problem, best[0])
        spent += reached <= tol
        if report(problem.data, best[0].primal, reached, int(np.count_nonzero(best[2].z))):
            status = INTERRUPTED
            break
        grown, wrong = _grow(problem, columns, gap.violations.features), _wrong_side(problem, vertex)
        if spent > EXTRA or (grown.costs.size == columns.costs.size and not wrong.any()):
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
        columns, fit, rows = grown, vertex.fit, vertex.rows | wrong
    assert best is not None
    return _solution(problem, *best, n_iter, "" if reached <= tol else status)


def null_point(problem: Problem) -> Null:
    """Return the best network without units, and of its dual points one with the least maximum over the features.

    Where the fit passes through several rows at once, tied targets say, there are many dual points, and no unit is worth its
    penalty once any of them is feasible. The least maximum is a linear programme over the lam of these rows, with
    features added as they are violated.
    """
    data = problem.data
    if not data.y.any():
        return Null(data.y, data.y, 0.0)  # there is nothing to explain
    columns, vertex = _columns(problem, _none(problem)), None
    fit, rows = np.zeros(data.y.size), _nearest(data.y, FEW)
    while vertex is None or _wrong_side(problem, vertex).any():
        vertex = _restricted(problem, columns, fit, rows)
        fit, rows = vertex.fit, vertex.rows | _wrong_side(problem, vertex)
    through, lam, least = np.abs(data.y - fit) <= THROUGH, vertex.lam, 0.0
    best = Null(fit, lam, np.inf)
    for _ in range(ROUNDS):
        found = price(problem, lam, limit=BATCH + columns.costs.size, slack=least - 1.0)
        if found.maximum < best.ratio:
            best = Null(fit, lam, found.maximum)
        grown = _grow(problem, columns, found.features)
        if best.ratio <= least * (1.0 + 1e-9) or grown.costs.size == columns.costs.size:
            break
        columns = grown
        least, lam = _least_ratio(problem, columns, through, lam)
    return best


def _least_ratio(problem: Problem, columns: Columns, through: NDArray[np.bool_], lam: Array) -> tuple[float, Array]:
    """Minimise the largest ratio of these columns over the lam of the rows that the null fit passes through."""
    data, free = problem.data, problem.free_columns()
    low, high = (data.w * bound for bound in data.loss.interval(data.y))
    fixed = np.where(through, 0.0, lam)
    inside = columns.values[through].T / columns.costs[:, None]
    outside = columns.values.T @ fixed / columns.costs
    below = np.isfinite(columns.lowest)
    inside, outside = np.concatenate([inside, -inside[below]]), np.concatenate([outside, -outside[below]])
    height = np.full((outside.size, 1), -1.0)
    answer = minimise(
        np.append(np.zeros(inside.shape[1]), 1.0),
        A_ub=np.hstack([inside, height]),
        b_ub=-outside,
        A_eq=np.hstack([free[through].T, np.zeros((free.shape[1], 1))]),
        b_eq=-(free.T @ fixed),
        bounds=[*zip(low[through], high[through], strict=True), (0.0, None)],
    )
    if answer.status != SOLVED:  # the rounding of the sums over all rows: the multipliers of the fit have to do
        return np.inf, lam
    fixed[through] = answer.x[:-1]
    return float(answer.x[-1]), feasible(problem, fixed)


def _fallback(problem: Problem, start: Solution | None, status: str) -> Solution:
    """Return what is there without any linear programme: the start, or the constant fit."""
    data, empty = problem.data, _none(problem)
    if start is None:
        fit, coef = np.zeros(data.y.size), tuple(np.empty(0) for _ in empty)
        start = Solution(empty, coef, 0.0, np.zeros(len(data.axes)), Gap(0.0, 0.0, 0.0, Violations(0.0, (), ())), 1)
    else:
        fit = fitted_values(problem, start)
    lam = feasible(problem, data.w * data.loss.dual(fit, data.y))
    penalty = sum(float(beta * np.abs(z).sum()) for beta, z in zip(problem.betas, start.coef, strict=True))
    gap = evaluate_gap(problem, fit, penalty, lam=lam, limit=0)
    parts = start.features, start.coef, start.intercept, start.skip
    return Solution(*parts, gap, 1, status, splines=start.splines, levels=start.levels, lam=lam)


def _begin(problem: Problem, start: Solution | None) -> tuple[Columns, Array, NDArray[np.bool_]]:
    """Return the first columns, a fit, and the rows close to it: of a fit with the loss's corner rounded off."""
    data = problem.data
    if start is None:
        return _columns(problem, _none(problem)), np.zeros(data.y.size), np.ones(data.y.size, bool)
    fit = fitted_values(problem, start)
    columns = _columns(problem, start.features)
    return columns, fit, _nearest(data.y - fit, FEW + max(5 * columns.costs.size, data.y.size // 50))


def _nearest(residual: Array, count: int) -> NDArray[np.bool_]:
    size = np.abs(residual)
    return size <= np.partition(size, min(count, size.size) - 1)[min(count, size.size) - 1]


def _none(problem: Problem) -> tuple[Rows, ...]:
    return tuple(priced.price(np.zeros(priced.points.size), 1.0, 0).features for priced in problem.dictionaries)


def _restricted(problem: Problem, columns: Columns, fit: Array, rows: NDArray[np.bool_]) -> Vertex:
    """Solve over the lam of the free rows, the others at the bounds where ``fit`` has them.

    Where that is infeasible, the rows at their bounds would pull the fit away without end: more are freed.
    """
    data, free = problem.data, problem.free_columns()
    low, high = (data.w * bound for bound in data.loss.interval(data.y))
    size = columns.costs.size
    # halfway between rows of equal sizes and bounds of equal sizes: tolerances are absolute
    unit = 1.0 / np.sqrt(columns.costs)
    while True:
        lam = np.where(rows, 0.0, data.w * data.loss.dual(fit, data.y))
        pull = unit * (columns.values.T @ lam)
        # every correlation is a variable of its own, within its bounds
        features, empty = unit[:, None] * columns.values[rows].T, np.zeros((free.shape[1], size))
        answer = minimise(
            np.concatenate([-data.y[rows], np.zeros(size)]),
            retry=bool(rows.all()),  # zero is feasible then
            A_eq=np.block([[features, -np.eye(size)], [free[rows].T, empty]]),
            b_eq=-np.concatenate([pull, free.T @ lam]),
            bounds=np.column_stack(
                [np.concatenate([low[rows], unit * columns.lowest]), np.concatenate([high[rows], unit * columns.costs])]
            ),
        )
        if answer.status == SOLVED:
            break
        if rows.all():
            raise FloatingPointError(f"the linear programme failed: {answer.message}")
        rows = rows | _nearest(data.y - fit, 4 * int(rows.sum()))
    lam[rows] = answer.x[: lam[rows].size]
    z, steps = np.split(-answer.eqlin.marginals, [size])
    z *= unit
    values = columns.values @ z + free @ steps
    return Vertex(z, values, float(columns.costs @ np.abs(z)), feasible(problem, lam), rows)


def _wrong_side(problem: Problem, vertex: Vertex) -> NDArray[np.bool_]:
    """Return the rows held at a bound that the fit has passed."""
    return ~vertex.rows & (vertex.lam * (problem.data.y - vertex.fit) <= 0.0)


def _grow(problem: Problem, columns: Columns, violated: tuple[Rows, ...]) -> Columns:
    """Add the violated features that are not there yet."""
    fresh = []
    for rows, more in zip(columns.features, violated, strict=True):
        known = {row.tobytes() for row in rows}
        fresh.append(more[[row.tobytes() not in known for row in more]] if len(more) else more)
    if not any(len(more) for more in fresh):
        return columns
    added = _columns(problem, tuple(fresh))
    features = tuple(np.concatenate(pair) if len(pair[1]) else pair[0] for pair in zip(columns.features, fresh, strict=True))
    order = np.argsort(np.concatenate([_inputs(columns.features), _inputs(fresh)]), kind="stable")
    return Columns(
        features,
        np.hstack([columns.values, added.values])[:, order],
        np.concatenate([columns.sizes, added.sizes])[order],
        np.concatenate([columns.costs, added.costs])[order],
        np.concatenate([columns.lowest, added.lowest])[order],
    )


def _inputs(features: Sequence[Rows]) -> NDArray[np.int64]:
    """Return the input of each feature."""
    return np.repeat(np.arange(len(features)), [len(rows) for rows in features])


def _columns(problem: Problem, features: tuple[Rows, ...]) -> Columns:
    """Evaluate features at the rows; what they have in common with the constant is of no use."""
    parts = zip(problem.data.axes, problem.dictionaries, features, strict=True)
    values = np.hstack([axis.gather(priced.evaluate(rows, priced.points)) for axis, priced, rows in parts])
    values -= values.mean(axis=0)
    sizes = np.abs(values).max(axis=0, initial=0.0)
    sizes[sizes == 0.0] = 1.0
    inputs = _inputs(features)
    costs, positive = problem.betas[inputs] / sizes, np.array([priced.positive for priced in problem.dictionaries])
    return Columns(features, values / sizes, sizes, costs, np.where(positive[inputs], -np.inf, -costs))


def _solution(problem: Problem, gap: Gap, columns: Columns, vertex: Vertex, n_iter: int, status: str) -> Solution:
    z = np.where(np.abs(vertex.z) > 1e-14 * np.abs(vertex.z).max(initial=0.0), vertex.z / columns.sizes, 0.0)
    ends = np.cumsum([len(rows) for rows in columns.features])[:-1]
    features, coef, rest = [], [], vertex.fit.copy()
    for axis, priced, rows, part in zip(
        problem.data.axes, problem.dictionaries, columns.features, np.split(z, ends), strict=True
    ):
        used = part != 0.0
        features.append(rows[used])
        coef.append(part[used])
        rest -= axis.gather(priced.evaluate(rows[used], priced.points) @ part[used])
    intercept, skip = problem.free_coefficients(rest)
    return Solution(tuple(features), tuple(coef), intercept, skip, gap, n_iter, status, lam=vertex.lam)
