"""Clarabel on the state-space form: an interior-point method with a sparse factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.adapters._state_space import Programme, StateSpaceAdapter


class ClarabelStateSpace(StateSpaceAdapter):
    """``accuracy`` is the tolerance on feasibility and gap."""

    package = "clarabel"

    def solve(self, state: Programme, accuracy: float) -> Any:
        """Set up and solve."""
        import clarabel

        settings = clarabel.DefaultSettings()
        settings.verbose, settings.max_iter, settings.max_threads = False, 500, 1
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = accuracy
        signs = -sp.eye(state.cost.size, format="csc")[state.signed]
        constraints = sp.csc_matrix(sp.vstack([state.A, signs, state.G]))
        equations, rows = state.A.shape[0], constraints.shape[0]
        cones = [clarabel.ZeroConeT(equations), clarabel.NonnegativeConeT(rows - equations)]
        solver = clarabel.DefaultSolver(state.P, state.cost, constraints, np.zeros(rows), cones, settings)
        return np.array(solver.solve().x)
