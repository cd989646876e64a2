"""Knot working sets of all inputs at once: additive networks whose parts are splines or step functions.

As for one input (solvers/spline.py), with the signs of all kinks fixed the penalty is linear in the values at the knots,
and the fit one linear system: here of all inputs together (solvers/joint.py), because alternating between them crawls
where inputs depend on each other. A sweep prices all points of all inputs with one dual point; each excursion adds a
knot. Where that does not go down any more, as where there are as many knots as rows, the reference solver goes on; or,
where the columns themselves have no room, pivots of the exact active-set method (solvers/exchange.py).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import EPSILON
from convexnn.dictionaries.base import Dictionary
from convexnn.duality import Gap, Problem, better, evaluate_gap, null_point, relative_gap
from convexnn.extended import EXTENDED
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers import coordinate_descent
from convexnn.solvers.blocks import Block, kind_of, represent
from convexnn.solvers.exchange import breakpoints, exchange
from convexnn.solvers.joint import Solver, State, assemble, design_of, settle
from convexnn.solvers.solution import Solution, charged

Array = NDArray[np.float64]
SHARES = (1.0, 0.25, None, 0.0)  # of the knots with a kink of the wrong sign, dropped at a time; None: pivots
BATCH = 50
ROUNDING = 64.0 * EPSILON
FEW, ENTRIES = 500_000, 10_000_000  # of columns that may be kept orthogonal, and that may be written out
STEP = 3.0
ROUGH = 0.1  # of the tolerance: predictions are rounded by as much as what certifies them
ROUNDED = "rounding stopped the solver: no step lowers the objective any more; raise tol or alpha"


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    basis = problem.free_basis()
    best = state = settle(assemble(problem, basis, _begin(problem, start)), SHARES[0])
    best_gap, best_lam = gap, lam = certify(problem, basis, state)
    level = 0
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for n_iter in range(1, max_iter + 1):
        if gap is best_gap or better(gap, best_gap):
            if SHARES[level] is not None:  # pivots are for problems where the other steps fail again and again
                level = 0 if gap is best_gap or _gained(gap, best_gap) else min(level + 1, len(SHARES) - 1)
            best, best_gap, best_lam = state, gap, lam
        elif level + 1 < len(SHARES):
            level += 1
        else:
            status = ROUNDED
            break
        reached = relative_gap(problem, best_gap)
        stop = report(problem.data, best_gap.primal, reached, sum(int(np.count_nonzero(b.signs)) for b in best.blocks))
        if reached <= tol or stop:
            status = "" if reached <= tol else INTERRUPTED
            break
        share = SHARES[level]
        if share is None and _entries(problem, best) <= ENTRIES:
            status = ROUNDED
            break
        if share is None:
            state = settle(exchange(problem, basis, best, best_lam), 1.0)
        else:
            blocks = _grow(best.blocks, best_lam, share == 0.0)
            # where nothing is violated, what is left is the accuracy of the last solve
            state = settle(best if blocks is best.blocks else assemble(problem, basis, blocks), share)
        gap, lam = certify(problem, basis, state)
    found = replace(_solution(problem, basis, best, best_gap), n_iter=n_iter, status=status, lam=best_lam)
    least, few = charged(problem, found, best_gap, best_lam), _entries(problem, best) <= FEW
    reached = relative_gap(problem, least)
    rounding = reached - relative_gap(problem, best_gap)
    if not status and reached > tol:
        found, status = replace(found, status=ROUNDED), ROUNDED
    if few and (status == ROUNDED or rounding > ROUGH * tol):
        # it may be optimal, but no dual point of doubles shows it
        gap, lam = coordinate_descent.certify(problem, found, EXTENDED)
        if relative_gap(problem, gap) <= tol:
            return replace(found, gap=gap, lam=lam, status="")
    if status != ROUNDED or _entries(problem, best) > ENTRIES:
        return found
    exact = _descend(problem, tol, max_iter, orthogonal=few)
    return replace(exact, n_iter=n_iter + exact.n_iter) if exact.gap.gap < least.gap else found


def _entries(problem: Problem, state: State) -> int:
    """Return how many numbers the columns of as many features as there are knots have."""
    return problem.data.y.size * sum(block.knots.size for block in state.blocks)


def _descend(problem: Problem, tol: float, max_iter: int, orthogonal: bool) -> Solution:
    """Solve by the reference solver along a path from the critical beta down.

    It works on columns, which have twice the digits of normal equations if they are few enough to be kept ``orthogonal``,
    and from the solution at a beta a little above the features change by few: at tiny beta it ends where a start from
    nothing, or from a wrong support, does not. The last steps, and what certifies them, are in extended precision.
    """
    ratio, solution, spent = null_point(problem).ratio, None, 0
    steps = max(2, math.ceil(math.log(max(ratio, 1.0)) / math.log(STEP)) + 1)
    for factor in np.geomspace(max(ratio, 1.0), 1.0, steps)[1:]:
        nearer, budget = replace(problem, betas=factor * problem.betas), max(1, max_iter - spent)
        extra = coordinate_descent.EXTRA if factor == 1.0 else 0
        solution = coordinate_descent.solve(
            nearer, tol=tol, max_iter=budget, start=solution, extra=extra, orthogonal=orthogonal
        )
        spent += solution.n_iter
    assert solution is not None
    if orthogonal:
        budget = max(1, max_iter - spent)
        solution = coordinate_descent.solve(
            problem, tol=tol, max_iter=budget, start=solution, extra=0, orthogonal=True, precision=EXTENDED
        )
        spent += solution.n_iter - 1
    return replace(solution, n_iter=spent)


def _gained(new: Gap, old: Gap) -> bool:
    """Return whether a better fit is so by a part of what was left to gain: steps of rounding size could go on for ever."""
    return old.primal - new.primal > 0.01 * old.gap or new.gap < 0.9 * old.gap


def _begin(problem: Problem, start: Solution | None) -> tuple[Block, ...]:
    """Return zero functions, or ones with the kinks and jumps of ``start`` and values still to be found."""
    parts = zip(problem.data.axes, problem.units, problem.betas, strict=True)
    blocks = tuple(kind_of(*part).begin() for part in parts)
    if start is None:
        return blocks
    return tuple(
        block.including(*_kinks(start, j, block, dictionary))
        for j, (block, dictionary) in enumerate(zip(blocks, problem.units, strict=True))
    )


def _kinks(
    start: Solution, j: int, block: Block, dictionary: Dictionary
) -> tuple[NDArray[np.int64], Array]:
    """Return where an earlier solution has kinks or jumps on input j, and their signs."""
    if block.kind.norm is None:
        return start.features[j][:, 0] + 1, np.sign(start.coef[j])
    if start.splines is None:  # the reference solver's
        knots = breakpoints(start.features[j], dictionary)
        points = dictionary.points
        inner = knots[(knots > 0) & (knots < points.size - 1)]
        around = np.column_stack((inner - 1, inner, inner + 1))
        values = dictionary.evaluate(start.features[j], points[around.ravel()]) @ start.coef[j]
        slopes = np.diff(values.reshape(-1, 3), axis=1) / np.diff(points[around], axis=1)
        signs = np.sign(slopes[:, 1] - slopes[:, 0])
        return inner[signs != 0.0], signs[signs != 0.0]
    spline = start.splines[j]
    signs = np.sign(np.diff(spline.slopes))
    used = (signs != 0.0) & ~np.isin(spline.knots, block.knots if block.kind.ends else [])
    return spline.knots[used], signs[used]


def certify(problem: Problem, basis: Array, state: State) -> tuple[Gap, Array]:
    """Certify a restricted optimum, with a dual point that meets the forces at its knots to the last digits."""
    blocks, design, root, y = state.blocks, design_of(state.blocks), np.sqrt(problem.data.w), problem.data.y
    fit = design.fitted(state.values)
    fit += basis @ (basis.T @ (root * (y - fit))) / root
    force = np.concatenate([block.pull(block.forces()) for block in blocks])
    weighted, solver = root * (y - fit), Solver(state)
    for _ in range(2):
        weighted = weighted + root * design.fitted(solver(force - design.collect(root * weighted)))
        weighted = weighted - basis @ (basis.T @ weighted)
    lam = root * weighted
    # what the dual point misses the forces by counts, but for the rounding of the sums that find it
    met, rounding = design.collect(lam), ROUNDING * design.collect(np.abs(lam))
    pull = np.where(np.abs(met - force) > rounding, met, force)
    penalty, paired = sum(block.penalty() for block in blocks), float(np.dot(pull, state.values))
    return evaluate_gap(problem, fit, penalty, lam=lam, paired=paired, limit=0), lam


def _grow(blocks: tuple[Block, ...], lam: Array, strongest: bool) -> tuple[Block, ...]:
    """Add knots at the excursions beyond the bands, the farthest first."""
    found = [block.excursions(lam, strongest) for block in blocks]
    peaks = np.concatenate([peaks for *_, peaks in found])
    if not peaks.size:
        return blocks
    limit = BATCH + sum(block.knots.size for block in blocks)
    least = np.sort(peaks)[-limit] if peaks.size > limit else -np.inf
    if strongest:
        top = int(np.argmax([peaks.max(initial=-np.inf) for *_, peaks in found]))
        found = [(places, sides, peaks if k == top else peaks - np.inf) for k, (places, sides, peaks) in enumerate(found)]
        least = 0.0
    return tuple(
        block.including(places[peaks >= least], sides[peaks >= least])
        for block, (places, sides, peaks) in zip(blocks, found, strict=True)
    )


def _solution(problem: Problem, basis: Array, state: State, gap: Gap) -> Solution:
    """Represent the blocks by features, at the least norm, and what is left by the free directions."""
    root, fit = np.sqrt(problem.data.w), design_of(state.blocks).fitted(state.values)
    intercept, skip = problem.free_coefficients(basis @ (basis.T @ (root * (problem.data.y - fit))) / root)
    features, coef, splines = [], [], []
    for j, (block, dictionary) in enumerate(zip(state.blocks, problem.units, strict=True)):
        rows, z, slope, spline = represent(block, dictionary)
        first = dictionary.points[:1]
        at_first = float(dictionary.evaluate(rows, first)[0] @ z) + slope * float(first[0])
        features.append(rows)
        coef.append(z)
        if spline is not None:
            # the function with its line, and the constant in the first of them
            values = spline.values + skip[j] * block.kind.points[spline.knots] + (intercept if j == 0 else 0.0)
            splines.append(replace(spline, values=values, slopes=spline.slopes + skip[j]))
        intercept += float(block.at(first)[0]) - at_first
        skip[j] += slope
    parts = tuple(splines) if splines else None
    return Solution(tuple(features), tuple(coef), intercept, skip, gap, 1, splines=parts)
