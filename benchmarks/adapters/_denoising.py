"""Threshold networks of one hidden layer as total-variation denoising of the sorted targets, solver alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters import Adapter, Fit
from benchmarks.problems import Task

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """Targets in the order of x, weights one, the penalty on the total variation, and the order."""

    y: Array
    w: Array
    penalty: float
    order: NDArray[np.int64]


class DenoisingAdapter(Adapter):
    """``solve`` returns the denoised signal. Inputs must be distinct."""

    architectures = ("threshold",)
    accuracies = (1e-12,)

    def prepare(self, task: Task, x: Array, y: Array, alpha: float) -> Signal:
        """Sort."""
        order = np.argsort(x, kind="stable")
        return Signal(np.ascontiguousarray(y[order]), np.ones(y.size), alpha * y.size, order)

    @abstractmethod
    def solve(self, state: Signal, accuracy: float) -> Any:
        """Denoise."""

    def finish(self, state: Signal, raw: Any) -> Fit:
        """Return the values in the order of the rows; their norm is the total variation."""
        values = np.empty(state.y.size)
        values[state.order] = raw
        return Fit(values)
