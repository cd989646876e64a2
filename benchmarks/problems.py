"""The seeded problems: inputs in random order, targets, and the architecture to train on them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
KINDS = ("smooth", "heavy_tailed", "kinks", "noise", "walk")

# name -> parameters of ConvexNNRegressor
ARCHITECTURES: dict[str, dict] = {
    "relu": {},
    "relu_skip": {"skip_connection": True},
    "abs": {"activation": "abs"},
    "narrow_relu": {"depth": 5},
    "threshold": {"activation": "threshold"},
    "abs_depth_3": {"activation": "abs", "depth": 3},
    "abs_depth_4": {"activation": "abs", "depth": 4},
    "thinned_abs_3": {"activation": "abs", "depth": 3, "max_breakpoints": 200},
    "sign_parallel": {"activation": "sign", "depth": 3, "architecture": "parallel", "width": 5},
}


@dataclass(frozen=True)
class Task:
    """What to fit: everything a process needs to make it again.

    ``fraction`` is alpha over the critical alpha, which the common code of ``gap.py`` computes; ``gap`` the relative
    gap that counts as solved.
    """

    kind: str
    n: int
    architecture: str = "relu"
    fraction: float = 1e-2
    gap: float = 1e-9
    seed: int = 0

    def data(self) -> tuple[Array, Array]:
        """Return x and y, in the order in which a user might have them: x not sorted."""
        return make(self.kind, self.n, self.seed)

    def as_dict(self) -> dict:
        """Return the fields, for JSON."""
        return asdict(self)


def make(kind: str, n: int, seed: int = 0) -> tuple[Array, Array]:
    """Return the problem of that name."""
    if kind == "minute_prices":
        return minute_prices(n, seed)
    rng = np.random.default_rng(seed)
    x = rng.standard_cauchy(n) if kind == "heavy_tailed" else rng.random(n)
    if kind == "smooth":
        y = np.sin(12.0 * x) + 0.3 * rng.standard_normal(n)
    elif kind == "heavy_tailed":
        y = np.tanh(x) + 0.3 * rng.standard_normal(n)
    elif kind == "kinks":
        y = np.interp(x, np.sort(rng.random(60)), rng.standard_normal(60)) + 0.1 * rng.standard_normal(n)
    elif kind == "noise":
        y = rng.standard_normal(n)
    elif kind == "walk":
        y = np.empty(n)
        y[np.argsort(x)] = np.cumsum(rng.standard_normal(n)) / np.sqrt(n)
    elif kind == "noisy_sine":
        x = 2.0 * x - 1.0
        y = np.sin(6.0 * x) + 0.2 * rng.standard_normal(n)
    else:
        raise ValueError(f"unknown problem {kind!r}")
    return x, y


def several_inputs(n: int, inputs: int, seed: int = 0) -> tuple[Array, Array]:
    """Return a sum of functions of several inputs, the half of which depend on the others."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, inputs))
    X[:, inputs // 2 :] = 0.5 * (X[:, inputs // 2 :] + X[:, : inputs - inputs // 2])
    return X, np.sin(np.arange(3.0, 3.0 + inputs) * X).sum(axis=1) + 0.3 * rng.standard_normal(n)


def minute_prices(n: int, seed: int) -> tuple[Array, Array]:
    """Return an autoregression of simulated minute prices: the next one from the last, in cents, so with many ties."""
    from convexnn.datasets import make_minute_prices

    prices = make_minute_prices(n + 1, random_state=seed)
    return prices[:-1], prices[1:]
