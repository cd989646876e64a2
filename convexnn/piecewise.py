"""Exact piecewise-linear functions of one variable: the form in which a fitted network is read and evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convexnn.dictionaries.base import Pieces
from convexnn.extended import EXTENDED

if TYPE_CHECKING:
    from scipy.interpolate import PPoly

Array = NDArray[np.float64]
MANY = 10_000


@dataclass(frozen=True)
class PiecewiseLinear:
    """A right-continuous piecewise-linear function of one real variable.

    Piece ``i`` holds on ``[breakpoints[i - 1], breakpoints[i])``, where the function is
    ``values[i] + slopes[i] * (x - anchors[i])``. Each piece has an anchor of its own, at its end, so that neither an
    offset of x nor a long line of pieces costs accuracy.

    Parameters
    ----------
    breakpoints : ndarray of shape (k,)
        Strictly increasing, in the units of x.
    anchors : ndarray of shape (k + 1,)
        The point at which ``values`` holds, one for each piece.
    values : ndarray of shape (k + 1,)
        The value (for the first piece: its limit) at the anchor.
    slopes : ndarray of shape (k + 1,)
        The slope of each piece.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn.piecewise import PiecewiseLinear
    >>> ramp = PiecewiseLinear(np.array([2.0]), np.array([2.0, 2.0]), np.zeros(2), np.array([0.0, 1.0]))
    >>> ramp([0.0, 2.0, 5.0]).tolist()
    [0.0, 0.0, 3.0]
    """

    breakpoints: Array
    anchors: Array
    values: NDArray[Any]  # while it is made, in extended precision
    slopes: NDArray[Any]

    def __call__(self, x: ArrayLike) -> Array:
        """Return the value at x, an array of any shape."""
        x = np.asarray(x, dtype=np.float64)
        if x.size >= MANY and self.breakpoints.size:
            from convexnn.kernels.evaluation import evaluate

            flat = np.ascontiguousarray(x).reshape(-1)
            out = np.empty(flat.size)
            evaluate(flat, self.breakpoints, self.anchors, self.values, self.slopes, *self._buckets, out)
            return out.reshape(x.shape)
        piece = np.searchsorted(self.breakpoints, x, side="right")
        return self.values[piece] + self.slopes[piece] * (x - self.anchors[piece])

    def extended(self, x: Array) -> NDArray[Any]:
        """Return the value at x in extended precision."""
        piece = np.searchsorted(self.breakpoints, x, side="right")
        anchors: NDArray[Any] = self.anchors.astype(EXTENDED)
        return self.values[piece] + self.slopes[piece] * (x - anchors[piece])

    def raised(self, offset: float) -> PiecewiseLinear:
        """Return this function plus a constant."""
        return replace(self, values=self.values + offset)

    def rounded(self) -> PiecewiseLinear:
        """Return this function with values and slopes in double precision."""
        return replace(self, values=self.values.astype(np.float64), slopes=self.slopes.astype(np.float64))

    def anchored(self, points: Array) -> PiecewiseLinear:
        """Return this function with the anchor of each piece where its value is least: there, or at one of its points.

        Steep functions that cancel are then accurate where they are small.
        """
        pieces = np.searchsorted(self.breakpoints, points, side="right")
        at_points = self.extended(points)
        order = np.lexsort((np.abs(at_points), pieces))
        used, first = np.unique(pieces[order], return_index=True)
        least = order[first]
        less = np.abs(at_points[least]) < np.abs(self.values[used])
        anchors, values = self.anchors.copy(), self.values.copy()
        anchors[used[less]], values[used[less]] = points[least[less]], at_points[least[less]]
        return replace(self, anchors=anchors, values=values)

    def to_ppoly(self) -> PPoly:
        """Return the same function as a scipy polynomial, which extrapolates its outer pieces.

        Returns
        -------
        scipy.interpolate.PPoly
            Its inner breakpoints ``x[1:-1]`` are those of this function.

        Examples
        --------
        >>> import numpy as np
        >>> from convexnn.piecewise import PiecewiseLinear
        >>> ramp = PiecewiseLinear(np.array([2.0]), np.array([2.0, 2.0]), np.zeros(2), np.array([0.0, 1.0]))
        >>> float(ramp.to_ppoly().antiderivative()(5.0))
        4.5
        """
        from scipy.interpolate import PPoly

        places = self.breakpoints if self.breakpoints.size else self.anchors
        # PPoly wants two ends; the outer pieces are lines, so that any place will do
        width = float(places[-1] - places[0]) or max(1.0, abs(float(places[0])) * 2.0**-20)
        inner = self.breakpoints
        x = np.concatenate(([places[0] - width], inner, [places[-1] + width]))
        values = self.values + self.slopes * (x[:-1] - self.anchors)
        return PPoly(np.stack([self.slopes, values]), x, extrapolate=True)

    @cached_property
    def _buckets(self) -> tuple[NDArray[np.int32], float, float]:
        """A table of equal buckets from the first breakpoint to the last: how many breakpoints lie before each."""
        low, high = float(self.breakpoints[0]), float(self.breakpoints[-1])
        count = min(4 * self.breakpoints.size, 1 << 20)
        width = high - low
        scale = count / width if width > 0.0 and np.isfinite(count / width) else 0.0
        buckets = np.minimum((self.breakpoints - low) * scale, count).astype(np.int64)
        firsts = np.concatenate(([0], np.cumsum(np.bincount(buckets, minlength=count + 1))))
        return firsts.astype(np.int32), low, scale


def superpose(pieces: Pieces, coef: Array, slope: float, center: float) -> PiecewiseLinear:
    """Return ``sum_k coef[k] * piece_k(x) + slope * (x - center)`` as one function.

    Slopes and values are accumulated from the leftmost breakpoint in extended precision, and left in it: between
    neighbouring features they nearly cancel.
    """
    if coef.size == 0:
        flat = np.zeros(1, EXTENDED)
        return PiecewiseLinear(np.empty(0), np.array([center]), flat, np.array([slope], EXTENDED))
    places = pieces.breakpoints
    gaps = np.diff(places, axis=1)
    turns = coef[:, None] * np.diff(pieces.slopes, axis=1)
    jumps = np.diff(pieces.values, axis=1)
    jumps[:, 1:] -= pieces.slopes[:, 1:-1] * gaps
    # a continuous feature may show jumps of rounding size here
    jumps[np.abs(jumps) <= 1e-13 * np.abs(pieces.values).max(axis=1, keepdims=True)] = 0.0
    breakpoints, inverse = np.unique(places.ravel(), return_inverse=True)
    turn = np.bincount(inverse, turns.ravel(), breakpoints.size)
    jump = np.bincount(inverse, (coef[:, None] * jumps).ravel(), breakpoints.size)
    slopes: NDArray[Any] = np.cumsum(np.concatenate(([slope + np.dot(coef, pieces.slopes[:, 0])], turn)), dtype=EXTENDED)
    first = pieces.values[:, 0] + pieces.slopes[:, 0] * (breakpoints[0] - places[:, 0])
    start = np.dot(coef, first) + slope * (breakpoints[0] - center)
    rises = np.concatenate(([0.0], slopes[1:-1] * np.diff(breakpoints))) + jump
    risen: NDArray[Any] = np.cumsum(rises, dtype=EXTENDED)
    values = start + np.concatenate((np.zeros(1), risen))
    anchors = np.concatenate((breakpoints[:1], breakpoints))
    return PiecewiseLinear(breakpoints, anchors, values, slopes)
