"""Canonical data: what is left of (X, y, sample_weight) once everything that cannot matter is taken away.

Rows of weight zero are dropped, equal rows merged into one (weight sum, weighted mean of y, the constant kept so that
objectives are those of the original rows), inputs and targets centred, and x, y and weights divided by powers of two,
which is exact. Solvers and certificates see these numbers only; breakpoints are mapped back by index, never by
arithmetic, so that a breakpoint at a training point *is* that training point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Axis:
    """One input feature: its sorted distinct values, and which of them each row has.

    Attributes
    ----------
    points : ndarray of shape (n_points,)
        Sorted, distinct, ``(origin - center) / scale``, within [-1, 1].
    origin : ndarray of shape (n_points,)
        The same points in the user's units.
    inverse : ndarray of shape (n_rows,) or None
        The point of each row; None where row i has point i.
    center, scale : float
        The scale is a power of two.
    """

    points: Array
    origin: Array
    inverse: NDArray[np.int64] | None
    center: float
    scale: float

    def scatter(self, rows: Array) -> Array:
        """Add a quantity given by rows up over the points."""
        return rows if self.inverse is None else np.bincount(self.inverse, rows, self.points.size).astype(np.float64)

    def gather(self, at_points: Array) -> Array:
        """Read a quantity given at the points (along axis 0) out for each row."""
        return at_points if self.inverse is None else at_points[self.inverse]


@dataclass(frozen=True)
class CanonicalData:
    """The merged, centred and scaled rows.

    Attributes
    ----------
    axes : tuple of Axis
        One for each input feature.
    y, w : ndarray of shape (n_rows,)
        Targets ``(y - y_center) / y_scale``, of weighted mean zero, and weights over ``w_scale``.
    constant : float
        What merging took out of the objective: half the weighted squares of targets about their row's mean, in
        canonical units.
    null_objective : float
        The objective of the constant fit, ``constant`` included.
    """

    axes: tuple[Axis, ...]
    y: Array
    w: Array
    y_center: float
    y_scale: float
    w_scale: float
    constant: float
    null_objective: float

    @property
    def objective_scale(self) -> float:
        """The factor from canonical objectives to the user's."""
        return self.y_scale * self.y_scale * self.w_scale

    def same_points(self, other: CanonicalData) -> bool:
        """Return whether features of one are features of the other: equal points on every axis, scaled alike."""
        return len(self.axes) == len(other.axes) and self.y_scale == other.y_scale and all(
            a.scale == b.scale and np.array_equal(a.points, b.points) for a, b in zip(self.axes, other.axes, strict=True)
        )

    def penalty_scale(self, homogeneous: bool) -> Array:
        """Return, for each input, the factor from the user's beta to the canonical one."""
        x_scale = np.array([axis.scale if homogeneous else 1.0 for axis in self.axes])
        return 1.0 / x_scale / self.y_scale / self.w_scale


def power_of_two(value: float) -> float:
    """Return the least power of two above a positive value, 1 for zero; within the normal range, so that 1/it is finite."""
    if value == 0.0:
        return 1.0
    return math.ldexp(1.0, min(max(math.frexp(value)[1], -1021), 1021))


def canonicalize(X: Array, y: Array, sample_weight: Array | None, *, order_only: bool = False) -> CanonicalData:
    """Return the canonical form of validated data: X (n, d), y (n,), weights (n,) non-negative or None for ones.

    Inputs that scaling makes equal are ties, unless ``order_only``: steps can tell them apart all the same.
    """
    if sample_weight is None:
        # one number seen n times: sorting leaves it alone
        w, unit = np.broadcast_to(np.ones(1), y.shape), 1.0
    else:
        if not sample_weight.all():
            kept = sample_weight > 0.0
            X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        unit = power_of_two(float(sample_weight.max()))
        w = sample_weight / unit
    y_unit = power_of_two(float(np.abs(y).max()))
    rows = _merge_single if X.shape[1] == 1 else _merge_several
    axes, y, w, constant = rows(X, y / y_unit, w, order_only)
    # only now: what follows is then the same, bit for bit, for a row of weight two and for two equal rows
    w_scale = power_of_two(float(w.max()))
    w = w / w_scale
    mean = float(np.dot(w, y) / w.sum())
    y = y - mean
    if np.abs(y).max() <= 4.0 * EPSILON:
        y[:] = 0.0  # a constant up to rounding: scaling would blow the rounding up into data
    spread = power_of_two(float(np.abs(y).max()))
    y /= spread
    y -= np.dot(w, y) / w.sum()
    constant /= w_scale * spread * spread
    null = 0.5 * float(np.dot(w * y, y)) + constant
    return CanonicalData(axes, y, w, mean * y_unit, y_unit * spread, w_scale * unit, constant, null)


def _affine(x: Array) -> tuple[float, float]:
    """Return the centre and the power-of-two scale that take x into [-1, 1]; halves, so that nothing overflows."""
    low, high = 0.5 * float(x.min()), 0.5 * float(x.max())
    return low + high, power_of_two(high - low)


def _merge_single(
    X: Array, y: Array, w: Array, order_only: bool
) -> tuple[tuple[Axis, ...], Array, Array, float]:
    x = X[:, 0]
    center, scale = _affine(x)
    if (x[1:] >= x[:-1]).all():
        x = x.copy()
    else:
        order = np.argsort(x)
        x, y = x[order], y[order]
        w = w[order] if w.strides[0] else w
    points = x - center
    points /= scale
    # ties are sought after scaling, because rounding there can make new ones
    told = x if order_only else points
    new = told[1:] > told[:-1]
    if new.all():
        return (Axis(points, x, None, center, scale),), y, np.ascontiguousarray(w), 0.0
    starts = np.concatenate(([0], np.flatnonzero(new) + 1))
    y, w, constant = _means(starts, y, w)
    return (Axis(points[starts], x[starts], None, center, scale),), y, w, constant


def _merge_several(
    X: Array, y: Array, w: Array, order_only: bool
) -> tuple[tuple[Axis, ...], Array, Array, float]:
    affine = [_affine(x) for x in X.T]
    points = np.column_stack([(x - center) / scale for x, (center, scale) in zip(X.T, affine, strict=True)])
    told = X if order_only else points
    order = np.lexsort(told.T[::-1])
    told, points, X, y, w = told[order], points[order], X[order], y[order], w[order]
    starts = np.concatenate(([0], np.flatnonzero((told[1:] != told[:-1]).any(axis=1)) + 1))
    y, w, constant = _means(starts, y, w)
    axes = []
    for column, (center, scale) in enumerate(affine):
        _, first, inverse = np.unique(told[starts, column], return_index=True, return_inverse=True)
        first = starts[first]
        axes.append(Axis(points[first, column], X[first, column], inverse, center, scale))
    return tuple(axes), y, w, constant


def _means(starts: NDArray[np.int64], y: Array, w: Array) -> tuple[Array, Array, float]:
    """Merge runs of rows that begin at ``starts`` into weighted means; return also half their weighted spread."""
    if starts.size == y.size:
        return y, w, 0.0
    sizes = np.diff(np.append(starts, y.size))
    total = np.add.reduceat(w, starts)
    # from the first of a run: exact where all are equal
    first = y[starts]
    mean = first + np.add.reduceat(w * (y - np.repeat(first, sizes)), starts) / total
    spread = y - np.repeat(mean, sizes)
    return mean, total, 0.5 * float(np.dot(w * spread, spread))
