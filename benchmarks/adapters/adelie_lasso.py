"""adelie on the explicit dictionary: block coordinate descent in C++."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.adapters._dictionary import Explicit, ExplicitAdapter


class Adelie(ExplicitAdapter):
    """``accuracy`` is its bound on the decrease of the objective in a sweep."""

    package = "adelie"

    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Fit, along a short path to alpha, as the package means to be used."""
        import adelie

        path = state.alpha * np.geomspace(100.0, 1.0, 20)
        result = adelie.grpnet(
            state.matrix,
            adelie.glm.gaussian(state.y),
            lmda_path=path,
            tol=accuracy,
            max_iters=10_000_000,
            early_exit=False,
            progress_bar=False,
            n_threads=1,
        )
        return result.betas[-1].toarray().ravel(), result.intercepts[-1]
