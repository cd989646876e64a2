"""cvxpy on the explicit dictionary, by the solvers that it brings."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter

SETTINGS = {
    "CLARABEL": lambda tol: {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol},
    "OSQP": lambda tol: {"eps_abs": tol, "eps_rel": tol, "max_iter": 200_000, "polishing": True},
    "SCS": lambda tol: {"eps_abs": tol, "eps_rel": tol, "max_iters": 1_000_000},
}


class Cvxpy(ExplicitAdapter):
    """``accuracy`` is the solver's own tolerance; the time is the solver's, without cvxpy's translation."""

    package = "cvxpy"

    def __init__(self, solver: str):
        self.solver = solver

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Solve."""
        import cvxpy

        z, intercept = cvxpy.Variable(state.matrix.shape[1]), cvxpy.Variable()
        squares = cvxpy.sum_squares(state.y - state.matrix @ z - intercept)
        problem = cvxpy.Problem(cvxpy.Minimize(0.5 * squares + state.beta * cvxpy.norm1(z)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem.solve(solver=self.solver, **SETTINGS[self.solver](accuracy))
        if z.value is None:
            raise RuntimeError(f"{self.solver}: {problem.status}")
        stats = problem.solver_stats
        return z.value, intercept.value, (stats.solve_time or 0.0) + (stats.setup_time or 0.0)

    def seconds(self, raw: Any) -> float | None:
        """Return the solver's time."""
        return raw[2] or None
