"""celer on the explicit dictionary: working sets and dual extrapolation."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter


class Celer(ExplicitAdapter):
    """``accuracy`` is its duality gap over the squares of y."""

    package = "celer"

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Fit."""
        from celer import Lasso

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = Lasso(state.alpha, tol=accuracy, max_iter=500, max_epochs=200_000).fit(state.matrix, state.y)
        return model.coef_, model.intercept_
