"""scikit-learn's LassoLars on the explicit dictionary: the homotopy, exact in principle."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter


class Lars(ExplicitAdapter):
    """``accuracy`` has no meaning: the path is followed to alpha."""

    package = "sklearn"
    accuracies = (1e-12,)

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Fit."""
        from sklearn.linear_model import LassoLars

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LassoLars(state.alpha, max_iter=20 * state.y.size).fit(state.matrix, state.y)
        return model.coef_, model.intercept_
