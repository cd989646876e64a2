"""Knot working-set solver: one input, networks whose norm is that of a linear spline (theory section 4).

The dictionary never exists. The unknowns are a set of knots among the data and the values of the fit there (knots.py): a
sweep over all points says where knots are missing, a fit which ones are not wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import CanonicalData
from convexnn.dictionaries.base import SplineDictionary
from convexnn.duality import Problem, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.solution import Solution, Spline, SplineSolution

if TYPE_CHECKING:
    from convexnn.solvers.knots import State

Array = NDArray[np.float64]
# so many rounds are rare: where neighbours zigzag, kinks spread by a point a round, and those of the data are tried, once
TURN = 50


@dataclass(frozen=True)
class Carry:
    """What a start on the same data need not compute again."""

    data: CanonicalData
    table: Array
    state: State


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    from convexnn.kernels.settling import SAFE
    from convexnn.solvers.knots import Fitter

    carry = getattr(start, "carry", None)
    if isinstance(carry, Carry) and carry.data is problem.data:
        fitter = Fitter(problem, carry.table)
        state = fitter.resettle(carry.state)
    else:
        fitter = Fitter(problem)
        state = fitter.begin(start.splines[0] if start is not None and start.splines is not None else None)
    best, best_sweep = state, sweep = state, fitter.price(state)
    tries, status = fitter.tries(state, sweep), ""
    for n_iter in range(1, max_iter + 1):
        if sweep is best_sweep or fitter.better(state, sweep, best, best_sweep):
            best, best_sweep, tries = state, sweep, fitter.tries(state, sweep)
        elif not tries:
            status = "rounding stopped the solver: no step lowers the objective any more; raise tol or alpha"
        reached = relative_gap(problem, best_sweep.gap)
        stop = report(problem.data, best_sweep.gap.primal, reached, best.knots.size)
        if reached <= tol:
            status = ""
            break
        if stop:
            status = INTERRUPTED
        if not best_sweep.places.size and not any(best_sweep.ends):
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
        if status:
            break
        if n_iter == TURN:
            best = best.bare()
            state = fitter.begin(interpolant(problem))
        else:
            added, (patience, *tries) = best_sweep, tries
            if patience == SAFE:
                added = best_sweep.strongest(*fitter.bands(best.tau), pair=fitter.norm.flat and best.knots.size == 2)
            state = fitter.extend(fitter.again(best), added)
            best = best.bare()  # two states side by side would be most of the memory
            state = fitter.settle(state, patience)
        sweep = fitter.price(state)
    else:
        status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    del state
    best = fitter.again(best)
    spline = spline_of(problem, best.knots, best.values, best.slopes)
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SplineDictionary)
    carry = Carry(problem.data, fitter.table, best._replace(slopes=spline.slopes[1:-1]))
    return SplineSolution.represent(dictionary, spline, best_sweep.gap, n_iter, status, carry)


def interpolant(problem: Problem) -> Spline:
    """Return the spline through all points."""
    x, y = problem.data.axes[0].points, problem.data.y
    return spline_of(problem, np.arange(y.size, dtype=np.int32), y, np.diff(y) / np.diff(x))


def spline_of(problem: Problem, knots: NDArray[np.int32], values: Array, slopes: Array) -> Spline:
    """Return the spline with these values and slopes at the knots, and with the tails that its network has."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SplineDictionary)
    left, right = dictionary.tails(slopes)
    return Spline(knots, values, np.concatenate(([left], slopes, [right])))
