"""From canonical data and an architecture to certified solutions: critical alpha, special cases, solver."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.architecture import Architecture
from convexnn.canonical import CanonicalData
from convexnn.dictionaries import build_dictionary, constrain
from convexnn.duality import Null, Problem, evaluate_gap
from convexnn.polishing import polish
from convexnn.progress import INTERRUPTED
from convexnn.solvers import choose, solve, solve_null
from convexnn.solvers.solution import Solution, in_units


@dataclass(frozen=True)
class Training:
    """What came out of training: the problem at its alpha, its solution, and the solver that found it.

    ``tol`` is the relative gap that was asked for.
    """

    problem: Problem
    solution: Solution
    spec: Architecture
    alpha: float
    alpha_max: float
    solver: str
    tol: float = field(default=math.inf, kw_only=True)


@dataclass(frozen=True)
class Stack(Training):
    """The mean of networks for the same data at several alphas; problem and alpha have the mean of theirs.

    It is the optimum of another problem than that: see :mod:`convexnn.stacking`.

    Attributes
    ----------
    members : tuple of Training
        The networks.
    shares : ndarray of shape (n_members,)
        The part of each in the mean.
    """

    members: tuple[Training, ...]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class Trainer:
    """A problem ready to be solved at any alpha: its form at alpha = 1, the critical alpha, and the solver."""

    unit: Problem
    spec: Architecture
    alpha_max: float
    solver: str

    def train(self, alpha: float, *, tol: float, max_iter: int, start: Solution | None = None) -> Training:
        """Solve at ``alpha``; ``start`` is a solution at another alpha."""
        if alpha == 0.0 and self.alpha_max > 0.0:
            from convexnn.solvers.interpolation import interpolate

            self.check_interpolation()
            return Training(self.unit, interpolate(self.unit), self.spec, alpha, self.alpha_max, "interpolation")
        problem = replace(self.unit, betas=alpha * self.unit.betas)
        if alpha >= self.alpha_max:
            # found again: kept from before, it would be beside every other fit, as long as the data
            solution = in_units(problem, null_solution(problem, solve_null(self.unit)))
            return Training(problem, solution, self.spec, alpha, self.alpha_max, self.solver, tol=tol)

        def fit(trial: Problem, begin: Solution | None) -> Solution:
            # polishing changes the dictionary, and with it the solvers that are able
            name = self.solver if trial is problem else choose(trial, "auto")
            return solve(trial, solver=name, tol=tol, max_iter=max_iter, start=begin)

        # a start is in units, which under a shape constraint are not what is solved for
        solution = fit(problem, start if problem.network is None else None)
        if self.spec.max_breakpoints is not None and solution.status != INTERRUPTED:
            problem, solution = polish(problem, self.spec, solution, fit, tol)
        solution = in_units(problem, solution)
        return Training(problem, solution, self.spec, alpha, self.alpha_max, self.solver, tol=tol)

    def check_interpolation(self) -> None:
        """Refuse alpha = 0 where no interpolant is asked for."""
        if self.alpha_max > 0.0 and self.unit.network is not None:
            raise ValueError("alpha=0 has no meaning under a shape constraint, which need not be met by any interpolant")


def prepare(data: CanonicalData, spec: Architecture, solver: str) -> Trainer:
    """Do what does not depend on alpha."""
    unit = make_problem(data, spec)
    solver = choose(unit, solver)
    return Trainer(unit, spec, solve_null(unit).ratio, solver)


def make_problem(data: CanonicalData, spec: Architecture) -> Problem:
    """Return the problem at alpha = 1."""
    free = data.independent_inputs if spec.skip_connection else ()
    dictionaries = tuple(build_dictionary(spec, axis.points, skip=j in free) for j, axis in enumerate(data.axes))
    betas = data.w.sum() * data.w_scale * data.penalty_scale(spec.homogeneous)
    atoms = tuple(constrain(dictionary, shape) for dictionary, shape in zip(dictionaries, spec.shapes, strict=True))
    network = dictionaries if any(part.positive for part in atoms) else None
    return Problem(data, atoms, betas, free, network=network)


def null_solution(problem: Problem, null: Null) -> Solution:
    """Return the network without units: optimal for every alpha from the critical one on."""
    gap = evaluate_gap(problem, null.fit, 0.0, lam=null.lam, limit=0)
    empty = gap.violations.features
    intercept, skip = problem.free_coefficients(null.fit)
    return Solution(empty, tuple(np.empty(0) for _ in empty), intercept, skip, gap, 1, lam=null.lam)
