"""scikit-learn's Lasso on the explicit dictionary."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter


class CoordinateDescent(ExplicitAdapter):
    """Cyclic coordinate descent until its own duality gap is below ``accuracy`` (over the squares of y)."""

    package = "sklearn"

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Fit."""
        from sklearn.linear_model import Lasso

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = Lasso(state.alpha, tol=accuracy, max_iter=1_000_000).fit(state.matrix, state.y)
        return model.coef_, model.intercept_
