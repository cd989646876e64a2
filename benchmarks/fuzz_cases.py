"""The cases of benchmarks/fuzz.py: hard inputs, targets, weights, networks and penalties, each made from a number alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NETWORKS: dict[str, dict] = {
    **{name: {"activation": name} for name in ("relu", "abs", "threshold", "sign")},
    "leaky_relu": {"activation": "leaky_relu", "negative_slope": 0.3},
    "narrow_relu": {"depth": 4},
}
NETWORKS |= {f"{name}_skip": {**NETWORKS[name], "skip_connection": True} for name in NETWORKS if name != "narrow_relu"}


@dataclass(frozen=True)
class Case:
    """A problem and what to fit to it."""

    number: int
    inputs: str
    targets: str
    network: str
    X: Array
    y: Array
    w: Array | None
    fraction: float
    tol: float

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.X.shape))
        weights = "" if self.w is None else ", weighted"
        return (
            f"--one {self.number}: {self.network}, {shape}, {self.inputs} inputs, {self.targets} targets{weights}, "
            f"{self.fraction:.0e} of the critical alpha, tol {self.tol:.0e}"
        )


def inputs(rng: np.random.Generator, kind: str, n: int) -> Array:
    """Return one input."""
    if kind == "gaps":  # from 1e-12 to 1, side by side
        return rng.permutation(np.cumsum(10.0 ** rng.uniform(-12, 0, n)))
    if kind == "offset":
        return 1e9 + np.cumsum(10.0 ** rng.uniform(-6, 0, n))
    if kind == "ties":
        return np.round(rng.normal(size=n), 1)
    if kind == "integers":
        return rng.integers(-5, 6, n).astype(float)
    if kind == "cauchy":
        return rng.standard_cauchy(n)
    if kind == "clusters":
        return rng.integers(0, 3, n) + 10.0 ** rng.uniform(-10, -3) * rng.normal(size=n)
    if kind == "grid":
        return np.arange(n, dtype=float) * 10.0 ** rng.integers(-6, 7)
    return rng.random(n)


def targets(rng: np.random.Generator, kind: str, x: Array) -> Array:
    """Return targets for a first input."""
    n, order = x.size, np.argsort(x)
    t = (x - x.min()) / max(np.ptp(x), 1e-300)
    if kind == "line":
        return 3.0 * t - 1.0
    if kind == "alternating":
        y = np.empty(n)
        y[order] = (-1.0) ** np.arange(n)
        return y
    if kind == "walk":
        y = np.empty(n)
        y[order] = np.cumsum(rng.normal(size=n))
        return y
    if kind == "cauchy":
        return np.sin(6 * t) + 0.1 * rng.standard_cauchy(n)
    if kind == "noise":
        return rng.normal(size=n)
    if kind == "integers":
        return rng.integers(0, 3, n).astype(float)
    if kind == "step":
        return (t > 0.4) + 0.05 * rng.normal(size=n)
    return (np.sin(9 * t) + 0.3 * rng.normal(size=n)) * 10.0 ** rng.integers(-6, 7) + rng.choice([0.0, 100.0])


INPUTS = ("uniform", "gaps", "offset", "ties", "integers", "cauchy", "clusters", "grid")
TARGETS = ("sine", "line", "alternating", "walk", "cauchy", "noise", "integers", "step")
FRACTIONS = (1.2, 0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10)


def draw(number: int, large: bool = True) -> Case:
    """Return the case of that number."""
    rng = np.random.default_rng([20240301, number])
    network = str(rng.choice(list(NETWORKS)))
    kind, aim = str(rng.choice(INPUTS)), str(rng.choice(TARGETS))
    n = int(rng.choice([rng.integers(1, 12), rng.integers(2, 60), rng.integers(50, 400)]))
    columns = 1 if rng.random() < 0.8 else int(rng.integers(2, 5))
    if columns > 1:
        n = min(n, 80)
    elif large and rng.random() < 0.002:
        n = int(10.0 ** rng.uniform(4, 6))
    x = inputs(rng, kind, n)
    others = [inputs(rng, str(rng.choice(INPUTS)), n) for _ in range(columns - 1)]
    if others and rng.random() < 0.3:  # dependent: equal, mirrored, scaled, nearly equal
        others[-1] = [x, -x, 3.0 * x, x + 1e-6 * np.ptp(x) * others[-1] / max(np.ptp(others[-1]), 1e-300)][rng.integers(4)]
    X = np.column_stack([x, *others])
    weighting = rng.integers(4)
    w = [None, None, rng.integers(0, 4, n) + 1.0 * (np.arange(n) == 0), rng.uniform(0.1, 10, n)][weighting]
    fraction = float(rng.choice(FRACTIONS))
    tol = 1e-9 if fraction >= 1e-4 and rng.random() < 0.3 else 1e-6
    return Case(number, kind, aim, network, X, targets(rng, aim, x), w, fraction, tol)
