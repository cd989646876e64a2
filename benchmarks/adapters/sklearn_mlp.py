"""scikit-learn's MLPRegressor with L-BFGS: the same objective, but that its penalty is alpha * squares / (2 n)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.adapters import Adapter, Fit

WIDTH, STARTS = 100, 3


class Mlp(Adapter):
    """The best of three starts. ``accuracy`` is its tolerance on the gradient."""

    package = "sklearn"
    accuracies = (1e-6, 1e-12)

    def solve(self, state: Any, accuracy: float) -> Any:
        """Train from several random starts."""
        from sklearn.neural_network import MLPRegressor

        _, x, y, alpha = state
        scale = float(np.ptp(x))
        X, beta = ((x - x.mean()) / scale)[:, None], alpha * y.size / scale
        best, least = None, np.inf
        for seed in range(STARTS):
            model = MLPRegressor(
                hidden_layer_sizes=(WIDTH,),
                solver="lbfgs",
                alpha=beta,
                tol=accuracy,
                max_iter=20_000,
                max_fun=100_000,
                random_state=seed,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = model.fit(X, y).predict(X)
            norm = 0.5 * sum(float(np.square(weights).sum()) for weights in model.coefs_)
            value = 0.5 * float(np.square(y - values).sum()) + beta * norm
            if value < least:
                best, least = (values, norm / scale), value
        return best

    def finish(self, state: Any, raw: Any) -> Fit:
        """Return the fit and half the squares of the weights."""
        return Fit(raw[0], raw[1])
