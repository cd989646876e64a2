"""Proximal Newton method: a smooth loss as a sequence of weighted squared losses, each solved by one of the other solvers.

Around a fit f the loss is replaced by a parabola with its derivative and its curvature: a squared loss with targets beside
f. Rows of equal inputs merge into one there, whatever the loss, so that the solvers for squared losses serve as they are.
The optimal dual point of a step is feasible for the loss too, and differs from the derivatives at the new fit by the square
of the step: the gap it certifies falls with the fourth power.

A step that does not go down is taken again with more curvature, up to the loss's majorizer, with which it cannot fail.
A loss that is nearly a corner is approached from ones that are rounder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import Axis
from convexnn.duality import Gap, Problem, evaluate_gap, feasible, relative_gap
from convexnn.losses import SQUARED
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.solution import Solution, fitted_values

Array = NDArray[np.float64]
Solver = Callable[..., Solution]
LIMIT = 200
ROUGH = 1e-3
HALVINGS = 30
ROUNDED = tuple(0.3 * 0.1**k for k in range(10))  # of the mean residual


@dataclass(frozen=True)
class Model:
    """The weighted squared loss that stands for the loss around a fit; ``owner`` is the row of it that a row went into."""

    problem: Problem
    curvature: Array
    owner: NDArray[np.int64] | None


def solve(problem: Problem, inner: Solver, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps of ``inner``."""
    rough = approach(problem, inner, ROUNDED, max_iter) if start is None else None
    if rough is None:
        return _newton(problem, inner, tol, max_iter, start)
    solution = _newton(problem, inner, tol, max(max_iter - rough.n_iter, 1), rough)
    return replace(solution, n_iter=rough.n_iter + solution.n_iter)


def approach(problem: Problem, inner: Solver, shares: Sequence[float], max_iter: int) -> Solution | None:
    """Return a rough fit with the loss's corners rounded off, over falling shares of the residuals; None if it has none."""
    data, start, fit, spent = problem.data, None, np.zeros(problem.data.y.size), 0
    for share in shares:
        loss = data.loss.rounded(share * float(np.average(np.abs(data.y - fit), weights=data.w)))
        if loss is data.loss or spent >= max_iter:
            break
        start = _newton(replace(problem, data=replace(data, loss=loss)), inner, ROUGH, max_iter - spent, start)
        spent += start.n_iter
        fit = fitted_values(problem, start)
    return None if start is None else replace(start, n_iter=spent)


def _newton(problem: Problem, inner: Solver, tol: float, max_iter: int, start: Solution | None) -> Solution:
    """Take the steps."""
    data, loss = problem.data, problem.data.loss
    if start is None:
        constant = 0.0 if loss.shifts else loss.best_constant(data.y, data.w)
        solution, fit, penalty, now = None, np.full(data.y.size, constant), 0.0, np.inf
    else:
        solution, fit, penalty = start, fitted_values(problem, start), _penalty(problem, start)
        now = _objective(problem, fit, penalty)
    gap, best, damping, spent = 0.1 * data.null_objective, None, 1.0, 0
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    for _ in range(LIMIT):
        slope = data.w * loss.dual(fit, data.y)
        model = _model(problem, fit, slope, damping)
        found = inner(
            model.problem, tol=_accuracy(problem, model, slope, gap), max_iter=max(max_iter - spent, 1), start=solution
        )
        spent += found.n_iter
        values = fitted_values(problem, found)
        certificate, lam = _certify(problem, model, found, slope, fit - values, values)
        closer = best is None or certificate.gap < best[0].gap
        if best is None or closer:
            best = certificate, found, lam
        reached = relative_gap(problem, best[0])
        stop = report(data, best[0].primal, reached, sum(z.size for z in best[1].coef))
        if reached <= tol:
            status = ""
            break
        if stop:
            status = INTERRUPTED
            break
        if spent >= max_iter:
            break
        # next to the optimum the objective is all rounding, and the gap still tells which fit is better
        if certificate.primal < now or (closer and certificate.primal <= now * (1.0 + 1e-12)):
            solution, fit, penalty, now = found, values, _penalty(problem, found), certificate.primal
            gap, damping = certificate.gap, 0.01 * damping
            continue
        # a part of the step goes down: no network, but a fit to go on from
        part = _part(problem, fit, values - fit, _penalty(problem, found) - penalty)
        between = (1.0 - part) * fit + part * values, (1.0 - part) * penalty + part * _penalty(problem, found)
        then = _objective(problem, *between)
        if then >= now and damping >= 1.0:
            status = "rounding stopped the solver: no step lowers the objective any more; raise tol or alpha"
            break
        if then < now:
            (fit, penalty), now, solution = between, then, found
        damping = min(max(0.01, 10.0 * damping), 1.0)
    assert best is not None
    return replace(best[1], gap=best[0], n_iter=spent, status=status, lam=best[2], carry=None)


def _objective(problem: Problem, fit: Array, penalty: float) -> float:
    return float(np.dot(problem.data.w, problem.data.loss.value(fit, problem.data.y))) + penalty


def _penalty(problem: Problem, solution: Solution) -> float:
    return sum(float(beta * np.abs(z).sum()) for beta, z in zip(problem.betas, solution.coef, strict=True))


def _part(problem: Problem, fit: Array, step: Array, growth: float) -> float:
    """Return the part of a step, along which the penalty grows by at most ``growth``, with the least objective."""
    data, low, high = problem.data, 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        slope = growth - float(np.dot(data.w * data.loss.dual(fit + middle * step, data.y), step))
        low, high = (low, middle) if slope > 0.0 else (middle, high)
    return low


def _accuracy(problem: Problem, model: Model, slope: Array, gap: float) -> float:
    """Return the relative gap to ask of a step: small beside the gap that is left, in units of the step's objective."""
    size = 0.5 * float(np.dot(slope, slope / model.curvature)) + 1e-300
    return float(np.clip(0.001 * gap / size, 1e-14, 1e-2))


def _model(problem: Problem, fit: Array, slope: Array, damping: float) -> Model:
    """Return the local model, rows of one point merged."""
    data = problem.data
    curvature = data.loss.curvature(fit, data.y)
    if damping > 0.0:
        curvature = np.maximum(curvature, damping * data.loss.majorizer(fit, data.y))
    curvature = data.w * curvature
    axes, owner, weight = data.axes, None, curvature
    if len(axes) == 1 and axes[0].inverse is not None:
        owner = axes[0].inverse
        axes = (Axis(axes[0].points, axes[0].origin, None, axes[0].center, axes[0].scale),)
        weight = data.axes[0].scatter(curvature)
        target = data.axes[0].scatter(curvature * fit + slope) / weight
    else:
        target = fit + slope / curvature
    null = 0.5 * float(np.dot(weight * target, target))
    merged = replace(data, axes=axes, y=target, w=weight, loss=SQUARED, constant=0.0, null_objective=null)
    return Model(replace(problem, data=merged), curvature, owner)


def _certify(
    problem: Problem, model: Model, found: Solution, slope: Array, back: Array, values: Array
) -> tuple[Gap, Array]:
    """Certify a step by its own dual point; ``back`` is the old fit less the new one."""
    lam = slope + model.curvature * back
    if found.lam is not None:
        # what its solver knows better than the derivatives, spread over the rows that were merged
        merged = model.problem.data
        own = merged.w * (merged.y - (values if model.owner is None else _first(values, model.owner)))
        correction = (found.lam - own) / merged.w
        lam = lam + model.curvature * (correction if model.owner is None else correction[model.owner])
    lam = feasible(problem, lam)
    return evaluate_gap(problem, values, _penalty(problem, found), lam=lam, limit=0), lam


def _first(values: Array, owner: NDArray[np.int64]) -> Array:
    """Return the values at the points from those at their rows, which are sorted by point."""
    return values[np.flatnonzero(np.diff(owner, prepend=-1))]
