"""What the squared loss needs to know of any number of rows: distinct inputs, weights, mean targets, and a constant.

For rows of one input x, of weights w_n that add up to W and of weighted mean target m,

    sum_n w_n (y_n - f(x))**2 = W (m - f(x))**2 + sum_n w_n (y_n - m)**2,

whatever the function f; the last term does not depend on it. Summaries make one of all their rows by the same rule that
makes them of rows: a row is the summary of itself.
"""

from __future__ import annotations

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
    spread : ndarray of shape (n_points,)
        The weighted sum of squares of the targets of each about their mean.
    n_rows : int
        The number of rows read.
    moves : ndarray of shape (n_points, 5 * n_features) or (n_points, 0)
        How far rounding to a grid has moved rows, original minus rounded, one column a feature of each: weighted mean, sum
        of squares about it, sum of products with the targets about their means, least and greatest. No columns without a
        grid.
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
    spread: Array
    n_rows: int
    moves: Array
    feature_names: tuple[str, ...] | None = None

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self.X.shape[1]

    @property
    def constant(self) -> float:
        """What merging takes out of the objective: half the sum of ``spread``."""
        return 0.5 * float(self.spread.sum())

    @property
    def moved(self) -> Array:
        """The weighted sum of squares of how far rounding has moved each input, of shape (n_features,)."""
        if not self.moves.shape[1]:
            return np.zeros(self.n_features)
        mean, squares = np.split(self.moves, 5, axis=1)[:2]
        return squares.sum(axis=0) + self.sample_weight @ np.square(mean)

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
        self._moves = 5 * grid.size if grid.any() else 0
        self._count = self._rows = 0
        self._slots: Array = np.empty((0, 0))
        self._make_room(min(FIRST, max_points))

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._grid.size

    def add(self, data: Compressed) -> None:
        """Pool what was pooled elsewhere, or rows: the inputs may be equal and in any order, and weights zero."""
        if data.moves.shape[1] > self._moves:
            self._moves = data.moves.shape[1]
            self._make_room(len(self._slots))
        for first in range(0, data.y.size, BLOCK):
            rows = slice(first, first + BLOCK)
            columns = (data.X, data.y, data.sample_weight, data.spread, data.moves)
            self._add(*(column[rows] for column in columns))
        self._rows += data.n_rows

    def _add(self, X: Array, y: Array, w: Array, spread: Array, moves: Array) -> None:
        from convexnn.kernels.pooling import pool

        kept = slice(None) if w.all() else w > 0.0
        # copies: contiguous, and writable
        X, y, w, spread, moves = (np.array(column[kept], order="C") for column in (X, y, w, spread, moves))
        if moves.shape[1] < self._moves:
            moves = np.zeros((y.size, self._moves))
        if self._grid.any():
            X = self._round(X, moves)
        X = X + 0.0  # a negative zero has other bits than zero
        place = 0
        while place < y.size:
            with np.errstate(over="ignore", invalid="ignore"):  # the result says so, compiled or not
                place, self._count = pool(X, y, w, spread, moves, place, self._table, self._slots, self._count)
            if place < y.size:
                self._grow()

    def _round(self, X: Array, moves: Array) -> Array:
        """Return inputs rounded to the grid, and add to how far they have moved; points belong to what moved to them."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rounded = np.where(self._grid > 0.0, np.rint(X / self._grid) * self._grid, X)
        if not np.isfinite(rounded).all():
            raise ValueError("grid is too fine for inputs as large as these: their quotient is no number")
        mean, _, _, least, greatest = np.split(moves, 5, axis=1)
        for part in (mean, least, greatest):
            part += X - rounded
        np.minimum(least, 0.0, out=least)
        np.maximum(greatest, 0.0, out=greatest)
        return rounded

    def _grow(self) -> None:
        if self._count >= self._limit:
            raise ValueError(
                f"The inputs have more than max_points={self._limit} distinct values: round them with grid, or allow more"
            )
        self._make_room(min(2 * self._count, self._limit))

    def _make_room(self, points: int) -> None:
        """Set the number of points there is room for, and of columns for moves."""
        from convexnn.kernels.pooling import fill

        slots = np.zeros((points, self.n_features + 6 + self._moves))
        if self._count:
            slots[: self._count, : self._slots.shape[1]] = self._slots[: self._count]
        self._slots = slots
        self._table = np.zeros(1 << (4 * points - 1).bit_length(), dtype=np.int32)  # at most a quarter full
        fill(np.ascontiguousarray(slots[: self._count, : self.n_features]), self._table)

    def result(self, feature_names: tuple[str, ...] | None = None) -> Compressed:
        """Return what is pooled."""
        d = self.n_features
        order = np.lexsort(self._slots[: self._count, :d].T[::-1])
        slots = self._slots[order]
        w, y, spread = (slots[:, d + k] + slots[:, d + k + 1] for k in (0, 2, 4))
        if not np.isfinite(spread.sum()):
            raise ValueError("The targets are too large: their squares overflow. Scale y")
        X, moves = (np.ascontiguousarray(part) for part in (slots[:, :d], slots[:, d + 6 :]))
        return Compressed(X, y, w, spread, self._rows, moves, feature_names)
