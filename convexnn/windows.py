"""Windows of a series: what a network sees of each, what should follow, and the recursion that goes on from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def check_lags(lags: Any) -> tuple[int, ...]:
    """Return the sorted lags that an int p (1 to p) or a list of distinct positive ints means; a ValueError for others."""
    if isinstance(lags, Integral):
        lags = range(1, int(lags) + 1)
    found: list[Any] = list(lags)
    if not found or not all(isinstance(lag, Integral) and int(lag) >= 1 for lag in found) or len(set(found)) < len(found):
        raise ValueError(f"lags must be a positive int or a list of distinct positive ints, got {found!r}")
    return tuple(sorted(int(lag) for lag in found))


def rolling(values: Array, width: int) -> Array:
    """Return all windows of that many consecutive values, oldest first, shape (n - width + 1, width): a view."""
    return np.lib.stride_tricks.sliding_window_view(values, width)


@dataclass(frozen=True)
class WindowScheme:
    """How windows of a series become inputs of a network, and its outputs values of the series.

    Attributes
    ----------
    lags : tuple of int
        The lags that are inputs; lag 1 is the last value of a window.
    difference : {0, 1}
        Whether inputs and outputs are increments.
    """

    lags: tuple[int, ...]
    difference: int

    @property
    def width(self) -> int:
        """The number of values in a window."""
        return max(self.lags) + self.difference

    def inputs(self, windows: Array) -> Array:
        """Return what the network sees, shape (n_windows, n_lags)."""
        return self._pick(np.diff(windows, n=self.difference, axis=1))

    def _pick(self, changes: Array) -> Array:
        return changes[:, [changes.shape[1] - lag for lag in self.lags]]

    def pairs(self, values: Array, horizon: int = 1) -> tuple[Array, Array]:
        """Return inputs and targets of all windows: a target is the value ``horizon`` steps on, or how far it leads."""
        windows = rolling(values[:-horizon], self.width)
        targets = values[self.width + horizon - 1 :]
        return self.inputs(windows), targets - windows[:, -1] if self.difference else targets.copy()

    def recurse(self, f: Callable[[Array], Array], windows: Array, steps: int, shocks: Array | None = None) -> Array:
        """Return the path after each window, each step f of the last ones; shocks are added.

        Parameters
        ----------
        f : callable
            From inputs (n_windows, n_lags) to outputs (n_windows,).
        windows : ndarray of shape (n_windows, width)
            Values of the series.
        steps : int
            The length of the paths.
        shocks : ndarray of shape (n_windows, steps), default=None
            What to add to each output, before the next step reads it.

        Returns
        -------
        ndarray of shape (n_windows, steps)
            Values of the series.

        Raises
        ------
        ValueError
            If a path leaves the range of numbers.
        """
        seen = max(self.lags)
        path = np.empty((len(windows), seen + steps))
        path[:, :seen] = np.diff(windows, n=self.difference, axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            for now in range(seen, seen + steps):
                path[:, now] = f(self._pick(path[:, :now]))
                if shocks is not None:
                    path[:, now] += shocks[:, now - seen]
            found = path[:, seen:]
            if self.difference:
                found = windows[:, -1:] + np.cumsum(found, axis=1)
        if not np.isfinite(found).all():
            raise ValueError(
                f"The recursion leaves the range of numbers within {steps} steps: beyond the training data the network goes "
                "on as straight lines, here steeper than 1; ask for fewer steps, or fit with difference=1 or a larger alpha"
            )
        return found

    def one_step(self, f: Callable[[Array], Array], values: Array) -> Array:
        """Return one-step predictions aligned with the values, NaN where no whole window comes before."""
        out = np.full(values.size, np.nan)
        if values.size > self.width:
            out[self.width :] = self.recurse(f, rolling(values[:-1], self.width), 1)[:, 0]
        return out

    def errors(self, f: Callable[[Array], Array], values: Array, steps: int) -> Array:
        """Return what forecasts from every window miss, shape (n - width, steps): NaN beyond the end of the values."""
        happened = np.concatenate((values[self.width :], np.full(steps - 1, np.nan)))
        return rolling(happened, steps) - self.recurse(f, rolling(values[:-1], self.width), steps)
