"""skglm on the explicit dictionary: working sets with Anderson acceleration."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter


class Skglm(ExplicitAdapter):
    """``accuracy`` is its bound on the violation of the optimality conditions."""

    package = "skglm"

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Fit."""
        from skglm import Lasso

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = Lasso(state.alpha, tol=accuracy, max_iter=500, max_epochs=200_000).fit(state.matrix, state.y)
        return model.coef_, model.intercept_
