"""Prediction intervals of an autoregressor, measured on a part of the series that its networks have not seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from convexnn._regressor import ConvexNNRegressor
from convexnn.conformal import conformal_offsets
from convexnn.windows import WindowScheme

Array = NDArray[np.float64]


@dataclass
class RecursiveIntervals:
    """Bounds of recursive forecasts: the forecast, and order statistics of what it missed.

    Attributes
    ----------
    estimator : ConvexNNAutoregressor
        The parameters of the network that is trained on the first part.
    scheme : WindowScheme
        Its windows.
    first, last : ndarray
        The first part of the training series; the last part, with a window of values before it.
    """

    estimator: Any
    scheme: WindowScheme
    first: Array
    last: Array
    _known: dict = field(default_factory=dict, repr=False)

    def bounds(self, window: Array, center: Array, level: float) -> tuple[Array, Array]:
        """Return the lower and the upper bound of what follows a window, shape (1, width), whose forecast is ``center``."""
        lower, upper = conformal_offsets(self._errors(center.size), level)
        return center + lower, center + upper

    def _errors(self, steps: int) -> Array:
        if steps not in self._known:
            if not self._known:
                self.estimator = clone(self.estimator).fit(self.first)
            self._known[steps] = self.scheme.errors(self.estimator._model.predict, self.last, steps)
        return self._known[steps]


@dataclass
class QuantileIntervals:
    """Bounds that are networks: one for each step and quantile, shifted by an order statistic of what it missed.

    The attributes are those of :class:`RecursiveIntervals`; the loss of ``estimator`` is the pinball loss.

    Notes
    -----
    Source: Romano, Patterson and Candes (2019), *Conformalized quantile regression*, each bound on its own.
    """

    estimator: Any
    scheme: WindowScheme
    first: Array
    last: Array
    _known: dict = field(default_factory=dict, repr=False)

    def bounds(self, window: Array, center: Array, level: float) -> tuple[Array, Array]:
        """Return the lower and the upper bound of what follows a window, shape (1, width); ``center`` counts the steps."""
        sides = [
            np.array([self._bound(window, step, level, side) for step in range(1, center.size + 1)]) for side in (0, 1)
        ]
        return np.minimum(*sides), np.maximum(*sides)  # networks of two quantiles may cross where there is little data

    def _bound(self, window: Array, step: int, level: float, side: int) -> float:
        if (step, level, side) not in self._known:
            quantile = (100.0 - level) / 200.0 if side == 0 else (100.0 + level) / 200.0
            network = self._network(quantile).fit(*self.scheme.pairs(self.first, step))
            inputs, targets = self.scheme.pairs(self.last, step)
            errors = (targets - network.predict(inputs))[:, None]
            offset = conformal_offsets(errors, level, first_step=step)[side][0]
            self._known[step, level, side] = network, offset
        network, offset = self._known[step, level, side]
        base = window[0, -1] if self.scheme.difference else 0.0
        return base + offset + network.predict(self.scheme.inputs(window))[0]

    def _network(self, quantile: float) -> ConvexNNRegressor:
        parameters = self.estimator.get_params()
        shared = {name: parameters[name] for name in ConvexNNRegressor().get_params()}
        return ConvexNNRegressor(**{**shared, "quantile": quantile})


def make_intervals(model: Any, scheme: WindowScheme, values: Array) -> RecursiveIntervals | QuantileIntervals:
    """Return the intervals of an autoregressor fitted to these values; nothing is trained before a bound is asked."""
    first = values.size - int(model.calibration * values.size)
    if first < scheme.width + 2:
        raise ValueError(
            f"The training series is too short for prediction intervals: calibration={model.calibration:g} of its "
            f"{values.size} values leaves {first} to train on, {scheme.width + 2} are needed"
        )
    parts = values[:first], values[first - scheme.width :]
    if model.loss == "pinball":
        return QuantileIntervals(clone(model), scheme, *parts)
    # the regularisation of the fit itself, which "auto" would not quite give again
    return RecursiveIntervals(clone(model).set_params(alpha=model.alpha_), scheme, *parts)
