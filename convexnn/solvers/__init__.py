"""The solvers, one algorithm a file; ``solve`` chooses by name or by what the problem allows."""

from __future__ import annotations

from convexnn.dictionaries.base import SplineDictionary, StepDictionary, SwitchDictionary
from convexnn.duality import Null, Problem, null_point
from convexnn.solvers import coordinate_descent, proximal_newton, spline, stretches, total_variation
from convexnn.solvers.solution import Solution

SOLVERS = {
    "coordinate_descent": coordinate_descent.solve,
    "spline": spline.solve,
    "stretches": stretches.solve,
    "total_variation": total_variation.solve,
}


def choose(problem: Problem, solver: str) -> str:
    """Return the solver for a problem; an error where the named one cannot solve it."""
    able = ["coordinate_descent"]
    first = problem.dictionaries[0]
    if len(problem.dictionaries) == 1:
        if isinstance(first, SplineDictionary) and first.spline_norm is not None:
            able.append("spline")
        if isinstance(first, StepDictionary):
            able.append("total_variation")
        if isinstance(first, SwitchDictionary) and not problem.skip:
            able.append("stretches")
    if solver == "auto":
        return able[-1]
    if solver not in able:
        raise ValueError(
            f"solver={solver!r} cannot solve this problem, with {len(problem.dictionaries)} input(s) and features of kind "
            f"{first.kind!r}; use one of {able} or 'auto'"
        )
    return solver


def solve(problem: Problem, *, solver: str, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem by the named solver: once for the squared loss, else once for every Newton step."""
    inner = SOLVERS[solver]
    if problem.data.loss.quadratic:
        return inner(problem, tol=tol, max_iter=max_iter, start=start)
    return proximal_newton.solve(problem, inner, tol=tol, max_iter=max_iter, start=start)


def solve_null(problem: Problem) -> Null:
    """Return the best network without units."""
    return null_point(problem)
