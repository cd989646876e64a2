"""The explicit dictionary, for rivals that need one."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import Adapter, Fit
from benchmarks.problems import Task

Array = NDArray[np.float64]


def columns(x: Array, architecture: str) -> Array:
    """Return the features at x as columns, in Fortran order."""
    points = np.unique(x)
    u = x[:, None] - points
    if architecture == "relu":
        # the ramps from the last point to the right and from the first to the left are zero on the data
        return np.asfortranarray(np.hstack([np.maximum(u[:, :-1], 0.0), np.maximum(-u[:, 1:], 0.0)]))
    if architecture == "abs":
        return np.asfortranarray(np.abs(u))
    raise ValueError(f"no explicit dictionary for {architecture!r}")


@dataclass(frozen=True)
class Explicit:
    """The matrix, targets, and the penalty: sum((y - A z - xi)^2) / (2 n) + alpha * sum |z|."""

    matrix: Array
    y: Array
    alpha: float

    @property
    def beta(self) -> float:
        """The penalty where the squares are not divided by n."""
        return self.alpha * self.y.size


class ExplicitAdapter(Adapter):
    """Common to all Lasso solvers: ``solve`` returns (z, intercept)."""

    architectures = ("relu", "abs")

    def prepare(self, task: Task, x: Array, y: Array, alpha: float) -> Explicit:
        """Build the matrix."""
        return Explicit(columns(x, task.architecture), y, alpha)

    @abstractmethod
    def solve(self, state: Explicit, accuracy: float) -> Any:
        """Solve the Lasso."""

    def finish(self, state: Explicit, raw: Any) -> Fit:
        """Return the fit, with the best intercept, which costs nothing."""
        z = np.asarray(raw[0], dtype=np.float64)
        fitted = state.matrix.astype(np.longdouble) @ z
        values = fitted + (state.y - fitted).mean()
        return Fit(values, float(np.abs(z).sum()), {"active": int(np.count_nonzero(z))})
