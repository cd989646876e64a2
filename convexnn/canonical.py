"""Canonical data: what is left of (X, y, sample_weight) once everything that cannot matter is taken away.

Rows of weight zero are dropped and equal rows merged. Rows of equal inputs but different targets are merged too, into one
of their mean, where the loss allows that (the constant is kept so that objectives are those of the original rows); else
they stay rows of one point. Inputs and targets are centred, and x, y and weights divided by powers of two, which is exact.
Solvers and certificates see these numbers only; breakpoints are mapped back by index, never by arithmetic, so that a
breakpoint at a training point *is* that training point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from convexnn.extended import is_extended, scatter
from convexnn.losses import SQUARED, Loss, power_of_two
from convexnn.sorting import sort

Array = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
TINY, HUGE = 1e-306, 1e306
DEPENDENT = 1e-6  # the part of an input that others leave; slopes that cancel then cost no more than six digits


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
        if self.inverse is None:
            return rows
        if is_extended(rows):
            return scatter(rows, self.inverse, self.points.size)
        return np.bincount(self.inverse, rows, self.points.size).astype(np.float64, copy=False)

    def gather(self, at_points: Array) -> Array:
        """Read a quantity given at the points (along axis 0) out for each row."""
        return at_points if self.inverse is None else at_points[self.inverse]

    def place(self, places: Array) -> Array:
        """Map places in the units of ``points`` back: to the point that is there, else to the first double not below.

        The same inputs are then on either side of a place and of what it is mapped to, however few doubles there are.
        """
        after = np.searchsorted(self.points, places)
        last = self.points.size - 1
        below = np.where(after > 0, self.origin[np.maximum(after - 1, 0)], -np.inf)
        above = np.where(after <= last, self.origin[np.minimum(after, last)], np.inf)
        moves = places * self.scale
        x = self.center + moves
        # x - center is exact between the points, and beyond them unless the centre is small
        x = np.where(x - self.center < moves, np.nextafter(x, np.inf), x)
        known = (after <= last) & (self.points[np.minimum(after, last)] == places)
        return np.where(known, above, np.clip(x, below, above))


@dataclass(frozen=True)
class CanonicalData:
    """The merged, centred and scaled rows.

    Attributes
    ----------
    axes : tuple of Axis
        One for each input feature.
    y, w : ndarray of shape (n_rows,)
        Targets ``(y - y_center) / y_scale``, whose best constant fit is zero, and weights over ``w_scale``. A logistic loss
        leaves its targets as they are.
    loss : Loss
        The loss, in canonical units.
    loss_scale : float
        The factor from its values to the user's.
    constant : float
        What merging took out of the objective: half the weighted squares of targets about their row's mean, in
        canonical units.
    null_objective : float
        The objective of the constant fit, ``constant`` included.
    """

    axes: tuple[Axis, ...]
    y: Array
    w: Array
    loss: Loss
    loss_scale: float
    y_center: float
    y_scale: float
    w_scale: float
    constant: float
    null_objective: float

    @property
    def objective_scale(self) -> float:
        """The factor from canonical objectives to the user's."""
        return self.loss_scale * self.w_scale

    @cached_property
    def independent_inputs(self) -> tuple[int, ...]:
        """The inputs without those of which others leave a millionth or less, found by a pivoted QR decomposition.

        They are what a skip connection reads. Slopes that could use the difference between x and 3 x in doubles would be
        of 1e16, and cancel to what no double can hold. Linear models of R leave such inputs out alike.
        """
        some = [j for j, axis in enumerate(self.axes) if axis.points.size > 1]
        if len(some) < 2:
            return tuple(some)
        lines = np.column_stack([axis.gather(axis.points) for axis in (self.axes[j] for j in some)])
        lines -= np.average(lines, axis=0, weights=self.w)
        lines *= np.sqrt(self.w)[:, None]
        sizes = np.maximum(np.linalg.norm(lines, axis=0), np.finfo(np.float64).tiny)
        lines /= sizes * (1.0 + 1e-9 * np.arange(len(some)))  # of equal ones the first
        triangle, order = qr(lines, mode="r", pivoting=True, overwrite_a=True, check_finite=False)
        rank = int(np.count_nonzero(np.abs(triangle.diagonal()) > DEPENDENT))
        return tuple(sorted(some[j] for j in order[:rank]))

    def with_constant(self, constant: float) -> CanonicalData:
        """Return the data of rows from which merging took this before, in the user's units."""
        more = constant / self.objective_scale
        return replace(self, constant=self.constant + more, null_objective=self.null_objective + more)

    def same_points(self, other: CanonicalData) -> bool:
        """Return whether features of one are features of the other: equal points on every axis, scaled alike."""
        return len(self.axes) == len(other.axes) and self.y_scale == other.y_scale and all(
            a.scale == b.scale and np.array_equal(a.points, b.points) for a, b in zip(self.axes, other.axes, strict=True)
        )

    def penalty_scale(self, homogeneous: bool) -> Array:
        """Return, for each input, the factor from the user's beta to the canonical one."""
        x_scale = np.array([axis.scale if homogeneous else 1.0 for axis in self.axes])
        return self.y_scale / x_scale / self.loss_scale / self.w_scale


def canonicalize(
    X: Array, y: Array, sample_weight: Array | None, *, loss: Loss = SQUARED, order_only: bool = False
) -> CanonicalData:
    """Return the canonical form of validated data: X (n, d), y (n,), weights (n,) non-negative or None for ones.

    Inputs that scaling makes equal are ties, unless ``order_only``: steps can tell them apart all the same.
    """
    if sample_weight is None:
        w, unit = repeated(1.0, y.size), 1.0  # sorting leaves it alone
    else:
        if not sample_weight.all():
            kept = sample_weight > 0.0
            X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        unit = power_of_two(float(sample_weight.max()))
        w = sample_weight / unit
    # without rounding, as the inputs: means of equal inputs are then as accurate as those of targets without an offset
    y_shift, y_unit = _affine(y) if loss.shifts else (0.0, 1.0)
    if y_shift:
        y = y - y_shift
    rows = _merge_single if X.shape[1] == 1 else _merge_several
    axes, y, w, constant = rows(X, y / y_unit, w, order_only, loss.pools)
    # only now: what follows is then the same, bit for bit, for a row of weight two and for two equal rows
    w_scale = power_of_two(float(w.max()))
    w = w / w_scale
    loss, loss_scale = loss.scaled(y_unit)
    mean, spread = 0.0, 1.0
    if loss.shifts:
        mean = loss.best_constant(y, w)
        y = y - mean
        largest = _largest(y)
        if largest <= 4.0 * EPSILON * power_of_two(max(abs(y_shift), 0.5 * y_unit)) / y_unit:
            y[:] = largest = 0.0  # a constant up to rounding: scaling would blow the rounding up into data
        spread = power_of_two(largest)
        y /= spread
        loss, factor = loss.scaled(spread)
        loss_scale *= factor
        # once more, for what rounding has left; another of several best constants may come out, far away
        rest = loss.best_constant(y, w)
        y -= rest
        mean += spread * rest
    # pooling takes spread out of the squared loss only
    constant = constant / (w_scale * spread * spread) if loss.quadratic else 0.0
    if loss.quadratic:
        null = constant + 0.5 * float(np.dot(w * y, y))
    else:
        best = 0.0 if loss.shifts else loss.best_constant(y, w)
        null = float(np.dot(w, loss.value(np.full(y.size, best), y)))
    data = CanonicalData(
        axes, y, w, loss, loss_scale, y_shift + mean * y_unit, y_unit * spread, w_scale * unit, constant, null
    )
    _check_range(data, order_only)
    return data


def repeated(value: float, size: int) -> Array:
    """Return one number seen ``size`` times, not to be written to: as ``numpy.broadcast_to``, in less than half its time."""
    out = np.ndarray((size,), buffer=np.array([value]), strides=(0,))
    out.flags.writeable = False
    return out


def _largest(y: Array) -> float:
    return max(float(y.max()), -float(y.min()))


def _check_range(data: CanonicalData, order_only: bool) -> None:
    """Refuse data whose objective or slopes no double can hold."""
    if not TINY <= data.objective_scale <= HUGE:
        raise ValueError(
            f"y (with sample_weight) is on a scale of {data.y_scale:.2g}, at which the objective is not a double: rescale it"
        )
    for place, axis in enumerate(data.axes):
        if not (order_only or TINY <= data.y_scale / axis.scale <= HUGE):
            raise ValueError(
                f"y is on a scale of {data.y_scale:.2g} and input {place} of X on one of {axis.scale:.2g}, at which slopes "
                "are not doubles: rescale them"
            )


def _affine(x: Array) -> tuple[float, float]:
    """Return the centre and the power-of-two scale that take x into [-1, 1] without rounding.

    A centre other than zero is taken only where every difference from it is a double (Sterbenz): rounded inputs would be
    other data, and points 1e-10 apart beside zero lose their distances to a centre of one.
    """
    low, high = float(x.min()), float(x.max())
    near, far = sorted((abs(low), abs(high)))
    if (low > 0.0) != (high > 0.0) or 0.5 * far > near:
        return 0.0, power_of_two(far)
    low, high = 0.5 * low, 0.5 * high  # halves, so that nothing overflows
    return low + high, power_of_two(high - low)


def _merge_single(
    X: Array, y: Array, w: Array, order_only: bool, pools: bool
) -> tuple[tuple[Axis, ...], Array, Array, float]:
    x = X[:, 0]
    center, scale = _affine(x)
    if (x[1:] >= x[:-1]).all():
        x = x.copy()
    else:
        x, order = sort(x, center)
        y = y.take(order)
        w = w.take(order) if w.strides[0] else w
    points = x - center
    points /= scale
    # ties are sought after scaling, because rounding there can make new ones
    told = x if order_only else points
    new = told[1:] > told[:-1]
    if new.all():
        return (Axis(points, x, None, center, scale),), y, np.ascontiguousarray(w), 0.0
    starts = np.concatenate(([0], np.flatnonzero(new) + 1))
    if not pools:
        inverse = np.repeat(np.arange(starts.size), np.diff(np.append(starts, x.size)))
        order = np.lexsort((y, inverse))
        y, w = y[order], w[order]
        kept = _run_starts(inverse, y)
        y, w, inverse = y[kept], np.add.reduceat(w, kept), inverse[kept]
        places = None if inverse.size == starts.size else inverse
        return (Axis(points[starts], x[starts], places, center, scale),), y, w, 0.0
    y, w, constant = _means(starts, y, w)
    return (Axis(points[starts], x[starts], None, center, scale),), y, w, constant


def _merge_several(
    X: Array, y: Array, w: Array, order_only: bool, pools: bool
) -> tuple[tuple[Axis, ...], Array, Array, float]:
    affine = [_affine(x) for x in X.T]
    points = np.column_stack([(x - center) / scale for x, (center, scale) in zip(X.T, affine, strict=True)])
    told = X if order_only else points
    order = np.lexsort(told.T[::-1] if pools else (y, *told.T[::-1]))
    told, points, X, y, w = told[order], points[order], X[order], y[order], w[order]
    starts = _run_starts(*told.T) if pools else _run_starts(*told.T, y)
    y, w, constant = _means(starts, y, w)
    axes = []
    for column, (center, scale) in enumerate(affine):
        _, first, inverse = np.unique(told[starts, column], return_index=True, return_inverse=True)
        first = starts[first]
        axes.append(Axis(points[first, column], X[first, column], inverse, center, scale))
    return tuple(axes), y, w, constant


def _run_starts(*columns: NDArray) -> NDArray[np.int64]:
    """Return where runs of equal rows begin."""
    new = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.concatenate(([0], np.flatnonzero(new) + 1))


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
