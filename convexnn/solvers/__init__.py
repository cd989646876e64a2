"""The solvers, one algorithm a file; ``solve`` chooses by name or by what the problem allows, and loads what it uses."""

from __future__ import annotations

from importlib import import_module

from convexnn.dictionaries.base import StepDictionary, SwitchDictionary, is_spline
from convexnn.duality import Null, Problem, null_point
from convexnn.solvers.solution import Solution

SOLVERS = ("additive", "clipping", "coordinate_descent", "segments", "spline", "stretches", "total_variation")
MANY = 5000


def choose(problem: Problem, solver: str) -> str:
    """Return the solver for a problem; an error where the named one cannot solve it."""
    able = ["coordinate_descent"]
    first = problem.dictionaries[0]
    if problem.network is not None:
        first = next(atoms for atoms in problem.dictionaries if atoms.positive)
    elif isinstance(first, StepDictionary) or all(map(is_spline, problem.dictionaries)):
        able.append("additive")
    if len(problem.dictionaries) == 1 and problem.network is None:
        if first.homogeneous:
            # columns over all points are faster while these are few
            able.insert(first.points.size >= MANY, "segments")
        if is_spline(first):
            able.append("spline")
        if isinstance(first, StepDictionary):
            able.append("total_variation")
        if isinstance(first, SwitchDictionary):
            able += _of_switches(first, problem.skip)
    if solver == "auto":
        # the weights of a Newton step, of several inputs, may be of very different sizes: the reference stands them best
        return able[-1] if problem.data.loss.quadratic or len(problem.dictionaries) == 1 else able[0]
    if solver not in able:
        raise ValueError(
            f"solver={solver!r} cannot solve this problem, with {len(problem.dictionaries)} input(s) and features of kind "
            f"{first.kind!r}; use one of {able} or 'auto'"
        )
    return solver


def _of_switches(dictionary: SwitchDictionary, skip: bool) -> list[str]:
    """Return the solvers for units with a bounded number of switches, the best one last."""
    able = []
    if dictionary.switches == 1 and dictionary.exact:
        able.append("total_variation")
    if dictionary.switches > 1:
        able.append("stretches")
    if dictionary.switches == dictionary.gaps.size and not skip:
        able.append("clipping")
    return able


def solve(problem: Problem, *, solver: str, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem by the named solver.

    That is once for the squared loss. Other smooth losses take it for every Newton step, and losses with a corner for a
    start of their linear programme.
    """
    inner, loss = import_module(f"convexnn.solvers.{solver}").solve, problem.data.loss
    if loss.quadratic:
        return inner(problem, tol=tol, max_iter=max_iter, start=start)
    around = import_module("convexnn.solvers.linear_program" if loss.corner else "convexnn.solvers.proximal_newton")
    return around.solve(problem, inner, tol=tol, max_iter=max_iter, start=start)


def solve_null(problem: Problem) -> Null:
    """Return the best network without units."""
    if not problem.data.loss.corner:
        return null_point(problem)
    from convexnn.solvers import linear_program

    return linear_program.null_point(problem)
