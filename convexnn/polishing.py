"""The last pass of a fit with thinned breakpoints: active biases slide to better data points nearby."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.architecture import Architecture
from convexnn.dictionaries import build_dictionary, default_candidates
from convexnn.duality import Problem, relative_gap
from convexnn.progress import INTERRUPTED
from convexnn.solvers.solution import Solution

Places = NDArray[np.int64]


def polish(
    problem: Problem, spec: Architecture, solution: Solution, solve: Callable[[Problem, Solution], Solution], tol: float
) -> tuple[Problem, Solution]:
    """Refine the candidate places around the active biases, and solve again, until that gains no more than ``tol``.

    Every active bias gets the data points halfway to the candidates on its two sides as further candidates; what it had
    stays, so that the objective cannot rise, and the problem is again one over a dictionary, with a certificate. The halves
    shrink to single data points in log2(N / M) rounds; two that gain too little end them.

    Parameters
    ----------
    problem : Problem
        The problem over the thinned dictionaries.
    spec : Architecture
        The architecture, which says how many candidates there are at first.
    solution : Solution
        Its solution.
    solve : callable
        Solves a problem from a start.
    tol : float
        The relative gain that ends the rounds.

    Returns
    -------
    Problem, Solution
        The problem over the refined dictionaries, which contain the thinned ones, and its solution.
    """
    base = [default_candidates(spec, axis.points) for axis in problem.data.axes]
    around, idle = base, 0
    while idle < 2:
        named = [dictionary.places(rows) for dictionary, rows in zip(problem.dictionaries, solution.features, strict=True)]
        refined = [
            None if b is None or near is None else _refined(b, near, own)
            for b, near, own in zip(base, around, named, strict=True)
        ]
        if not any(_gains(new, old) for new, old in zip(refined, around, strict=True)):
            break
        around = refined
        dictionaries = tuple(
            dictionary
            if places is None
            else build_dictionary(spec, axis.points, skip=j in problem.free_inputs, candidates=places)
            for j, (dictionary, axis, places) in enumerate(
                zip(problem.dictionaries, problem.data.axes, around, strict=True)
            )
        )
        trial = replace(problem, dictionaries=dictionaries)
        begin = [dictionary.adopt(rows) for dictionary, rows in zip(dictionaries, solution.features, strict=True)]
        found = solve(trial, replace(solution, features=tuple(begin)))
        if found.status == INTERRUPTED:
            break
        gain = solution.gap.primal - found.gap.primal
        idle = 0 if gain > 0.0 and relative_gap(trial, replace(found.gap, gap=gain)) > tol else idle + 1
        if gain >= 0.0 and relative_gap(trial, found.gap) <= max(tol, relative_gap(problem, solution.gap)):
            problem, solution = trial, replace(found, n_iter=solution.n_iter + found.n_iter)
    return problem, solution


def _refined(base: Places, candidates: Places, active: Places) -> Places:
    """Return the base, the active places with their neighbours among the candidates, and the middles between."""
    place = np.searchsorted(candidates, active)
    left, right = candidates[np.maximum(place - 1, 0)], candidates[np.minimum(place + 1, candidates.size - 1)]
    return np.unique(np.concatenate([base, active, left, right, (left + active) // 2, (active + right + 1) // 2]))


def _gains(new: Places | None, old: Places | None) -> bool:
    return new is not None and old is not None and not np.isin(new, old).all()
