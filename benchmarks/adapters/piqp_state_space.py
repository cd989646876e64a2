"""PIQP on the state-space form: a proximal interior-point method with a sparse factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.adapters._state_space import Programme, StateSpaceAdapter


class Piqp(StateSpaceAdapter):
    """``accuracy`` is the absolute and relative tolerance on residuals and gap."""

    package = "piqp"

    def solve(self, state: Programme, accuracy: float) -> Any:
        """Set up and solve."""
        import piqp

        solver = piqp.SparseSolver()
        solver.settings.eps_abs = solver.settings.eps_rel = accuracy
        solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = accuracy
        solver.settings.max_iter = 500
        lower = np.full(state.cost.size, -np.inf)
        lower[state.signed] = 0.0
        rows = state.G.shape[0]
        limits = (state.G, np.full(rows, -np.inf), np.zeros(rows)) if rows else (None, None, None)
        solver.setup(state.P, state.cost, state.A, np.zeros(state.A.shape[0]), *limits, lower, None)
        solver.solve()
        return solver.result.x.copy()
