"""The solvers, one algorithm a file; ``solve`` chooses by name or by what the problem allows."""

from __future__ import annotations

from convexnn.duality import Problem
from convexnn.solvers.solution import Solution

SOLVERS = ("coordinate_descent", "spline", "total_variation")


def choose(problem: Problem, solver: str) -> str:
    """Return the solver for a problem; an error where the named one cannot solve it."""
    able = {"coordinate_descent"}
    if len(problem.dictionaries) == 1:
        able |= set(problem.dictionaries[0].structured_solvers)
    if solver == "auto":
        return next((name for name in ("spline", "total_variation") if name in able), "coordinate_descent")
    if solver not in able:
        raise ValueError(
            f"solver={solver!r} cannot solve this problem: it has {len(problem.dictionaries)} input(s) and "
            f"{type(problem.dictionaries[0]).__name__} features; use one of {sorted(able)} or 'auto'"
        )
    return solver


def solve(problem: Problem, *, solver: str, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem by the named solver."""
    if solver == "spline":
        from convexnn.solvers import spline as module
    elif solver == "total_variation":
        from convexnn.solvers import total_variation as module
    else:
        from convexnn.solvers import coordinate_descent as module
    return module.solve(problem, tol=tol, max_iter=max_iter, start=start)
