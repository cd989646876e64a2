"""convexnn: the whole ``fit`` call, validation, sorting, certificate and network included."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import Adapter, Fit
from benchmarks.problems import ARCHITECTURES, Task

Array = NDArray[np.float64]


class ConvexNN(Adapter):
    """``accuracy`` is the relative duality gap."""

    package = "convexnn"
    architectures = tuple(ARCHITECTURES)

    def prepare(self, task: Task, x: Array, y: Array, alpha: float) -> Any:
        """Return estimator parameters and data in scikit-learn's shapes."""
        return ARCHITECTURES[task.architecture], x.reshape(-1, 1), y, alpha

    def solve(self, state: Any, accuracy: float) -> Any:
        """Fit."""
        from convexnn import ConvexNNRegressor

        parameters, X, y, alpha = state
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missed tolerance is recorded with the gap
            return ConvexNNRegressor(alpha=alpha, tol=accuracy, **parameters).fit(X, y)

    def finish(self, state: Any, raw: Any) -> Fit:
        """Return the predictions, and the norm of the coefficients."""
        notes = {
            "active": int(raw.coef_.size),
            "iterations": int(raw.n_iter_),
            "claimed_gap": float(raw.dual_gap_),
            "claimed_objective": float(raw.objective_),
            "exact": bool(raw.exact_),
            "solver": raw.solver_,
        }
        return Fit(raw.predict(state[1]), float(np.abs(raw.coef_).sum()), notes)
