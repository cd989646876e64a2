"""What the squared loss needs to know of any number of rows: distinct inputs, weights, mean targets, and a constant.

For rows of one input x, of weights w_n that add up to W and of weighted mean target m,

    sum_n w_n (y_n - f(x))**2 = W (m - f(x))**2 + sum_n w_n (y_n - m)**2,

whatever the function f; the last term does not depend on it. Summaries make one of all their rows by the same rule that
makes them of rows: a row is the summary of itself.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK = 1 << 16  # rows copied at a time: they stay in the cache
FIRST = 1 << 10  # slots to begin with


@dataclass(frozen=True, repr=False)
class Compressed:
    """Rows merged by their inputs, as :func:`convexnn.compress` returns them: all that the squared loss depends on.

    The parameters are attributes too.

    Parameters
    ----------
    X : ndarray of shape (n_points, n_features)
        The distinct inputs, sorted by the first feature, then the second, and so on.
    y : ndarray of shape (n_points,)
        The weighted mean of the targets of each.
    sample_weight : ndarray of shape (n_points,)
        The sum of their weights.
    constant : float
        Half the weighted sum of squares of the targets about these means, in the units of the objective.
    n_rows : int
        The number of rows read.
    moved : ndarray of shape (n_features,)
        The weighted sum of the squares by which rounding to a grid moved each input; zeros without a grid.
    feature_names : tuple of str or None
        The names of the inputs, where the source has them.

    Examples
    --------
    >>> from convexnn import compress
    >>> data = compress([([[0.0], [1.0]], [1.0, 2.0]), ([[1.0], [3.0]], [4.0, 5.0])])
    >>> data
    <4 rows as 3 points>
    >>> data.y.tolist(), data.sample_weight.tolist(), data.constant
    ([1.0, 3.0, 5.0], [1.0, 2.0, 1.0], 1.0)
    """

    X: Array
    y: Array
    sample_weight: Array
    constant: float
    n_rows: int
    moved: Array
    feature_names: tuple[str, ...] | None = None

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self.moved.size

    def __repr__(self) -> str:
        return f"<{self.n_rows} rows as {self.y.size} points>"

    def score(self, estimator) -> float:
        """Return the coefficient of determination of a regressor on all the rows.

        Parameters
        ----------
        estimator : object with a method ``predict``
            A fitted regressor.

        Returns
        -------
        float
            What ``estimator.score`` returns on the rows, weights included (on the rounded inputs, if these were rounded).

        Raises
        ------
        ValueError
            If the estimator was fitted to inputs of other names.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor, compress
        >>> data = compress([([[0.0], [1.0]], [1.0, 2.0]), ([[1.0], [2.0]], [4.0, 5.0])])
        >>> model = ConvexNNRegressor(alpha=0).fit_compressed(data)
        >>> data.score(model), model.score([[0.0], [1.0], [1.0], [2.0]], [1.0, 2.0, 4.0, 5.0])
        (0.8, 0.8)
        """
        names = getattr(estimator, "feature_names_in_", None)
        if names is not None and self.feature_names not in (None, tuple(names)):
            raise ValueError(f"estimator was fitted to inputs named {tuple(names)}, not {self.feature_names}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")  # compared above
            errors = np.square(self.y - estimator.predict(self.X))
        w = self.sample_weight
        spread = np.square(self.y - np.average(self.y, weights=w))
        left, total = (float(np.dot(w, squares)) + 2.0 * self.constant for squares in (errors, spread))
        if total == 0.0:  # as scikit-learn has it for a constant target
            return float(left == 0.0)
        return 1.0 - left / total


class Pool:
    """Rows pooled so far; its memory grows with the number of distinct inputs, not of rows.

    Parameters
    ----------
    grid : ndarray of shape (n_features,)
        The widths of the grid that inputs are rounded to; 0 for an input that is not.
    max_points : int
        The largest number of distinct inputs to hold.
    """

    def __init__(self, grid: Array, max_points: int):
        self._grid, self._limit = grid, max_points
        self._slots = np.empty((min(FIRST, max_points), self.n_features + 4))
        self._table = np.zeros(_seats(len(self._slots)), dtype=np.int32)
        self._count = self._rows = 0
        self._spread, self._moved, self._constant = np.zeros(2), np.zeros(self.n_features), 0.0

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._grid.size

    def add(self, data: Compressed) -> None:
        """Pool what was pooled elsewhere, or rows: the inputs may be equal and in any order, and weights zero."""
        before = self._moved.copy()
        for first in range(0, data.y.size, BLOCK):
            rows = slice(first, first + BLOCK)
            self._add(data.X[rows], data.y[rows], data.sample_weight[rows])
        self._rows += data.n_rows
        self._constant += data.constant
        # points moved for the second time move by no more than the sum, as root mean squares (Minkowski)
        self._moved = before + (np.sqrt(self._moved - before) + np.sqrt(data.moved)) ** 2

    def _add(self, X: Array, y: Array, w: Array) -> None:
        from convexnn.kernels.pooling import pool

        kept = w > 0.0
        X, y, w = X[kept], y[kept], w[kept]  # copies: contiguous, and writable
        X = self._round(X, w) + 0.0  # a negative zero has other bits than zero
        place = 0
        while place < y.size:
            place, self._count = pool(X, y, w, place, self._table, self._slots, self._count, self._spread)
            if place < y.size:
                self._grow()

    def _round(self, X: Array, w: Array) -> Array:
        if not self._grid.any():
            return X
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rounded = np.where(self._grid > 0.0, np.rint(X / self._grid) * self._grid, X)
        if not np.isfinite(rounded).all():
            raise ValueError("grid is too fine for inputs as large as these: their quotient is no number")
        self._moved += w @ np.square(X - rounded)
        return rounded

    def _grow(self) -> None:
        """Make room for as many inputs again."""
        from convexnn.kernels.pooling import fill

        if self._count >= self._limit:
            raise ValueError(
                f"The inputs have more than max_points={self._limit} distinct values: round them with grid, or allow more"
            )
        slots = np.empty((min(2 * self._count, self._limit), self._slots.shape[1]))
        slots[: self._count] = self._slots
        self._slots = slots
        self._table = np.zeros(_seats(len(slots)), dtype=np.int32)
        fill(np.ascontiguousarray(slots[: self._count, : self.n_features]), self._table)

    def result(self, feature_names: tuple[str, ...] | None = None) -> Compressed:
        """Return what is pooled."""
        X = self._slots[: self._count, : self.n_features]
        weight, lost, mean, low = self._slots[: self._count, self.n_features :].T
        order = np.lexsort(X.T[::-1])
        constant = 0.5 * (self._spread[0] + self._spread[1]) + self._constant
        if not math.isfinite(constant):
            raise ValueError("The targets are too large: their squares overflow. Scale y")
        return Compressed(
            X[order],
            (mean + low)[order],
            (weight + lost)[order],
            float(constant),
            self._rows,
            self._moved.copy(),
            feature_names,
        )


def _seats(slots: int) -> int:
    """Return the size of the table for so many slots: at most half full."""
    return 1 << (2 * slots - 1).bit_length()
