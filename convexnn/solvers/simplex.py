"""Linear programmes, by HiGHS, to the last digits that it offers and in a bounded number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, linprog

SOLVED = 0


def minimise(
    cost: NDArray[np.float64], *, tolerance: float = 1e-10, retry: bool = True, **constraints: Any
) -> OptimizeResult:
    """Minimise ``cost @ x`` under the constraints of ``scipy.optimize.linprog``; ``status`` is SOLVED, or what went wrong.

    Of numbers of too different sizes the simplex method may go round and round, and the presolve call feasible programmes
    infeasible. So steps are counted, and what is known to be feasible can be tried once more, without a presolve.
    """
    options = {
        "primal_feasibility_tolerance": tolerance,
        "dual_feasibility_tolerance": tolerance,
        "maxiter": 1000 + 100 * cost.size,
    }
    answer = linprog(cost, method="highs", options=options, **constraints)
    if retry and answer.status != SOLVED:
        answer = linprog(cost, method="highs-ds", options={**options, "presolve": False}, **constraints)
    return answer
