"""Monotone and convex fits: the functions of one input that non-negative weights may combine under a shape constraint.

On the data a unit is a spline with slopes h between neighbouring points, and the norms of theory section 4 are sums over
the stretches on which h exceeds a level. Under a constraint the unit ball of the norm is cut by a cone, and its
corners are again few: *stretches*, slope 1 between two points and 0 elsewhere, and sums of two of them. The largest
lam @ g over them is the support function of the constrained ball, so that it certifies the constrained problem.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.architecture import Shape
from convexnn.canonical import EPSILON
from convexnn.dictionaries.base import Array, Atoms, Priced, Rows, SplineNorm
from convexnn.dictionaries.selection import extrema

ROUNDING = 16.0 * EPSILON


class Shapes(Atoms):
    """The corners of the unit ball of a norm in function space, cut by a shape constraint; their weights are >= 0.

    With rising stretches [i, j], i < j, those that begin at the first or end at the last point among them:

    * monotone, deep narrow ReLU and absolute value at depth 2: all stretches. At depth 2 a ReLU stretch that reaches
      neither end costs 2, and so does the sum of such a stretch and the whole line: 1 for half of each.
    * convex: stretches to the last point, and falling ones from the first. With absolute value one of each together
      costs 1. With a skip connection the whole line is free and a kink costs ``kink``.
    * monotone and convex: one of these two kinds.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    norm : SplineNorm
        The norm in function space: of ReLU or absolute value at depth 2, or of deep narrow ReLU.
    shape : Shape
        The constraint.

    Notes
    -----
    A row is (s, i, j, t, k, l): s times stretch [i, j] plus t times stretch [k, l], s and t in {-1, 0, 1}.
    """

    exact = True
    homogeneous = True
    positive = True
    kind = "stretch"

    def __init__(self, points: Array, *, norm: SplineNorm, shape: Shape) -> None:
        self.points = points
        self.norm = norm
        self.shape = shape

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the largest lam @ g, if it is positive, in O(N), and corners above the bound."""
        from convexnn.kernels.hinges import hinge_sums

        hinge = hinge_sums(self.points, np.ascontiguousarray(lam, dtype=np.float64))[0]
        rows = self._monotone(hinge) if self.shape.convexity == 0 else self._convex(hinge)
        correlation = self._correlations(rows, hinge)
        order = np.argsort(-correlation, kind="stable")
        # where no corner gains anything, as where the constraint leaves but a constant, the largest is rounding
        noise = ROUNDING * float(np.abs(lam).sum()) * float(np.ptp(self.points))
        order = order[correlation[order] > noise]
        maximum = float(correlation[order[0]]) if order.size else 0.0
        order = order[correlation[order] > bound][:limit]
        return Priced(maximum, rows[order], correlation[order])

    def _monotone(self, hinge: Array) -> Rows:
        """Return stretches between local extremes of F: the best that ends at each, and those that touch an end."""
        sign, last = self.shape.monotonic, self.points.size - 1
        turning = extrema(hinge)
        values = sign * hinge[turning]
        begin = turning[_last_record(values)]
        inner = np.column_stack([begin, turning])
        # neighbouring extremes as well: a working set of the best stretches alone shares their beginning
        inner = np.concatenate([inner, np.column_stack([turning[:-1], turning[1:]])])
        ends = np.concatenate([np.column_stack([0 * turning, turning]), np.column_stack([turning, 0 * turning + last])])
        rows = np.unique(np.concatenate([inner, ends]), axis=0)
        rows = rows[rows[:, 0] < rows[:, 1]]
        single = np.column_stack([np.full(len(rows), sign), rows, np.zeros((len(rows), 3), np.int64)])
        if not self._dear:
            return single
        inside = (rows[:, 0] > 0) & (rows[:, 1] < last)
        whole = np.tile([sign, 0, last], (int(inside.sum()), 1))
        return np.concatenate([single, np.column_stack([single[inside, :3], whole])])

    def _convex(self, hinge: Array) -> Rows:
        """Return ramps from local extremes of F to an end, alone or in pairs with the best of the other side."""
        turn, last = self.shape.convexity, self.points.size - 1
        turning = extrema(hinge)
        to_last = np.column_stack([np.full(turning.size, turn), turning, np.full(turning.size, last)])
        from_first = np.column_stack([np.full(turning.size, -turn), 0 * turning, turning])
        to_last, from_first = to_last[turning < last], from_first[turning > 0]
        none = np.zeros((turning.size, 3), np.int64)
        sides = [side for side, way in ((to_last, turn), (from_first, -turn)) if self.shape.monotonic in (0, way)]
        if self.norm.coupled is False and not self.norm.flat:
            sides = [to_last]  # the whole line is free: one side spans the other
        rows = [np.column_stack([side, none[: len(side)]]) for side in sides]
        if self._paired and len(sides) == 2 and all(len(side) for side in sides):
            padded = [np.column_stack([side, none[: len(side)]]) for side in sides]
            best = [side[np.argmax(self._correlations(row, hinge))] for side, row in zip(sides, padded, strict=True)]
            rows.append(np.column_stack([to_last, np.tile(best[1], (len(to_last), 1))]))
            rows.append(np.column_stack([np.tile(best[0], (len(from_first), 1)), from_first]))
        return np.unique(np.concatenate(rows), axis=0)

    @property
    def _dear(self) -> bool:
        """Whether a stretch that reaches neither end costs 2: ReLU at depth 2."""
        return self.norm.coupled and self.norm.kink == 1.0

    @property
    def _paired(self) -> bool:
        """Whether two ramps to opposite sides cost as much as one: absolute value at depth 2."""
        return self.norm.coupled and self.norm.kink == 0.5

    def _scales(self, rows: Rows) -> Array:
        """Return one over the norm of the sums of stretches."""
        if not self.norm.coupled:
            return np.full(len(rows), (0.5 if self.norm.flat else 1.0) / self.norm.kink)
        inside = (rows[:, 1] > 0) & (rows[:, 2] < self.points.size - 1)
        return np.where(inside & self._dear, 0.5, 1.0)

    def _correlations(self, rows: Rows, hinge: Array) -> Array:
        s, i, j, t, k, m = rows.T
        return self._scales(rows) * (s * (hinge[i] - hinge[j]) + t * (hinge[k] - hinge[m]))

    def slopes(self, features: Rows, coef: Array) -> Array:
        """Return the slopes between neighbouring points of a combination of features."""
        z = coef * self._scales(features)
        turns = np.zeros(self.points.size)
        for sign, begin, end in (features.T[:3], features.T[3:]):
            np.add.at(turns, begin, sign * z)
            np.subtract.at(turns, end, sign * z)
        slopes = np.cumsum(turns)[:-1]
        # a stretch that begins where others end leaves rounding, which may not have the wrong sign
        slopes[np.abs(slopes) <= 1e-14 * np.abs(turns).max(initial=0.0)] = 0.0
        return slopes

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the sums of stretches, one column a feature."""
        points = self.points if points is None else points
        s, i, j, t, k, m = features.T
        x = np.asarray(x, dtype=np.float64)[:, None]
        first = s * np.clip(x - points[i], 0.0, points[j] - points[i])
        return self._scales(features) * (first + t * np.clip(x - points[k], 0.0, points[m] - points[k]))


def _last_record(values: Array) -> NDArray[np.int64]:
    """Return for each place that of the largest value up to it."""
    record = np.concatenate([[True], values[1:] > np.maximum.accumulate(values)[:-1]])
    return np.maximum.accumulate(np.where(record, np.arange(values.size), 0))
