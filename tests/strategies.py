"""Hypothesis strategies: small regression problems of the shapes that real data have."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

KINDS = ("random", "ties", "integers", "duplicates", "clustered", "uneven")
WEIGHTS = (None, "random", "with_zeros", "integers", "one_heavy")


@dataclass(frozen=True)
class Problem:
    """Rows, targets and weights; ``repr`` is enough to build it again."""

    kind: str
    weighting: str | None
    n: int
    n_features: int
    seed: int

    @property
    def data(self):
        rng = np.random.default_rng([self.seed, self.n, self.n_features, KINDS.index(self.kind)])
        X = _inputs(rng, self.kind, self.n, self.n_features)
        y = np.sin(2 * X).sum(axis=1) + rng.choice([0.1, 1.0]) * rng.normal(size=self.n)
        if self.kind == "integers":
            y = np.round(3 * y)
        return X, y + rng.choice([0.0, 10.0]), _weights(rng, self.weighting, self.n)


def _inputs(rng, kind, n, n_features):
    shape = (n, n_features)
    if kind == "ties":
        return np.round(rng.normal(size=shape), 1)
    if kind == "integers":
        return rng.integers(-6, 7, size=shape).astype(float)
    if kind == "duplicates":
        return rng.normal(size=shape)[rng.integers(0, max(1, n // 3), size=n)]
    if kind == "clustered":
        return rng.integers(0, 3, size=shape) + 1e-4 * rng.normal(size=shape)
    if kind == "uneven":
        return np.sign(rng.normal(size=shape)) * 10.0 ** rng.uniform(-3, 2, size=shape)
    return rng.normal(size=shape)


def _weights(rng, weighting, n):
    if weighting is None:
        return None
    if weighting == "integers":
        return rng.integers(1, 4, size=n).astype(float)
    w = rng.uniform(0.2, 3.0, size=n)
    if weighting == "with_zeros":
        w[rng.uniform(size=n) < 0.4] = 0.0
        w[0] = 1.0
    if weighting == "one_heavy":
        w[-1] = 1e3
    return w


def problems(n_features=1, min_n=2, max_n=40):
    """Draw a problem with this many input features."""
    return st.builds(
        Problem,
        kind=st.sampled_from(KINDS),
        weighting=st.sampled_from(WEIGHTS),
        n=st.integers(min_n, max_n),
        n_features=st.just(n_features),
        seed=st.integers(0, 10**6),
    )


fractions = st.sampled_from([1.5, 0.5, 0.1, 0.01, 0.001])
