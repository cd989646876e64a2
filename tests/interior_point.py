"""Clarabel through cvxpy, asked for more than it can reach: where it makes no progress, what it has counts."""

import warnings

import cvxpy as cp
from cvxpy.reductions.solvers.conic_solvers.clarabel_conif import CLARABEL

TIGHT = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-13)
if hasattr(CLARABEL, "ACCEPT_UNKNOWN"):
    OPTIONS = {"accept_unknown": True, **TIGHT}
else:  # a cvxpy as old as the oldest scipy that is supported
    OPTIONS = TIGHT
    CLARABEL.STATUS_MAP["InsufficientProgress"] = cp.OPTIMAL_INACCURATE


def solve(problem, regularisation):
    """Solve a problem as accurately as the solver can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the accuracy asked for was not reached
        problem.solve(
            solver="CLARABEL", equilibrate_enable=False, static_regularization_constant=regularisation, **OPTIONS
        )
