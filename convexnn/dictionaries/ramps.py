"""Depth 2 with ReLU, leaky ReLU or absolute value: ramps with breakpoints at the data (theory: two-layer networks)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Origin, Pieces, Priced, Rows, SplineDictionary, SplineNorm, Units
from convexnn.dictionaries.sums import ramp_sums


class Ramps(SplineDictionary):
    """Ramps sigma(x - a) and sigma(a - x), a at a data point, sigma(u) = max(u, 0) + slope * min(u, 0).

    A feature is a row (i, d): the breakpoint a = points[i] and the direction d, 1 or -1. ReLU is slope 0, absolute value
    slope -1; the absolute value is even, and with a skip connection a ramp and its mirror image span the same: then
    d is always 1.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        Sorted and distinct.
    slope : float
        The slope of the activation for negative arguments, -1 <= slope < 1.
    skip : bool
        Whether the network has a skip connection.
    """

    exact = True
    homogeneous = True
    kind = "ramp"

    def __init__(self, points: Array, *, slope: float, skip: bool):
        self.points = points
        self.slope = slope
        self.skip = skip
        self.one_sided = skip or slope == -1.0
        self.spline_norm = SplineNorm(1.0 / (1.0 - slope), coupled=not skip, flat=False)

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        from convexnn.kernels.sweeps import excursions

        sums, shifts = self._curves(lam)
        turn = 1.0 - self.slope
        extremes = (turn * float(sums.min()), turn * float(sums.max())) if sums.size else (0.0,)
        maximum = max(abs(extreme + shift) for shift in shifts.values() for extreme in extremes)
        if maximum <= bound or limit == 0:
            return Priced(maximum, np.empty((0, 2), np.int64), np.empty(0))
        rows, correlations = [], []
        for direction, shift in shifts.items():
            curve = turn * sums + shift
            found = excursions(curve, bound)
            rows.append(np.column_stack((found, np.full(found.size, direction))))
            correlations.append(curve[found])
        return most_violated(maximum, np.concatenate(rows), np.concatenate(correlations), limit)

    def tight(self, lam: Array, bound: float) -> Rows:
        sums, shifts = self._curves(lam)
        rows = [np.empty((0, 2), np.int64)]
        for direction, shift in shifts.items():
            found = np.flatnonzero(np.abs((1.0 - self.slope) * sums + shift) >= bound)
            rows.append(np.column_stack((found, np.full(found.size, direction))))
        return np.concatenate(rows)

    def profile(self, lam: Array) -> list[tuple[str, Rows, Array]]:
        sums, shifts = self._curves(lam)
        names = {1: "ramps to the right", -1: "ramps to the left"}
        return [
            (names[direction], np.column_stack((np.arange(sums.size), np.full(sums.size, direction))),
             (1.0 - self.slope) * sums + shift)
            for direction, shift in shifts.items()
        ]  # fmt: skip

    def _curves(self, lam: Array) -> tuple[Array, dict[int, float]]:
        """Return F at all biases, and for each direction what to add to (1 - slope) F to get the correlation."""
        sums = ramp_sums(self.points, lam)
        # sum of lam is zero, so that lam @ (x - a) is the same number for all a: the sum at the first point
        total = float(sums[0])
        shifts = {1: self.slope * total} if self.one_sided else {1: self.slope * total, -1: -total}
        # on the data a ramp from the last point down is one from the first point up, which alone is offered: without the
        # choice two networks, different outside the data, would be equally good
        return sums[:-1], shifts

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        points = self.points if points is None else points
        u = (x[:, None] - points[features[:, 0]]) * features[:, 1]
        return np.where(u >= 0.0, u, self.slope * u)

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        points = self.points if points is None else points
        right = features[:, 1] == 1
        slopes = np.column_stack((np.where(right, self.slope, -1.0), np.where(right, 1.0, -self.slope)))
        return Pieces(points[features[:, :1]], np.zeros(slopes.shape), slopes)

    def origins(self, features: Rows) -> list[list[Origin]]:
        return [[("data", (int(i),))] for i in features[:, 0]]

    def units(self, features: Rows, points: Array | None = None) -> Units:
        points = self.points if points is None else points
        direction = features[:, 1].astype(np.float64)
        return Units((direction[:, None, None],), ((-direction * points[features[:, 0]])[:, None],))

    def tails(self, slopes: Array) -> tuple[float, float]:
        return float(slopes[0]) - (1.0 - self.slope) * self._line(slopes), float(slopes[-1])

    def _line(self, slopes: Array) -> float:
        """Return the coefficient of the ramp that begins at the first point, with slope 1: a line on the data.

        It is what the ramps at the kinks cannot add to the sum of the outer slopes.
        """
        if self.skip:
            return 0.0
        ends, reach = float(slopes[0] + slopes[-1]), 0.0
        if not self.one_sided:
            # a right ramp adds (1 + slope) z to the sum of the outer slopes, a left one takes as much away
            reach = (1.0 + self.slope) / (1.0 - self.slope) * float(np.abs(slopes[1:] - slopes[:-1]).sum())
        rest = 0.5 * (ends - min(max(ends, -reach), reach))
        return 0.0 if abs(rest) <= 1e-14 * (abs(slopes[0]) + abs(slopes[-1])) else rest

    def represent(self, knots: NDArray[np.integer], slopes: Array) -> tuple[Rows, Array, float]:
        z = (slopes[1:] - slopes[:-1]) / (1.0 - self.slope)
        inner = np.column_stack((knots[1:-1].astype(np.int64), np.ones(z.size, np.int64)))
        if self.skip:
            used = z != 0.0
            return inner[used], z[used], float(slopes[0] - self.slope * z.sum())
        if not self.one_sided:
            total, ends = float(np.abs(z).sum()), float(slopes[0] + slopes[-1])
            right, left = _split(z, min(max(ends / (1.0 + self.slope), -total), total))
            z = np.concatenate((right, left))
            inner = np.concatenate((inner, inner * [1, -1]))
        z, inner = np.append(z, self._line(slopes)), np.concatenate((inner, [[0, 1]]))
        used = z != 0.0
        return inner[used], z[used], 0.0


def _split(z: Array, wanted: float) -> tuple[Array, Array]:
    """Split coefficients into right and left ramps of equal signs so that sum(right - left) is ``wanted``.

    At most one is split in two. Upward kinks turn left from the left end on, downward ones from the right end on: a
    valley then consists of its two slopes.
    """
    order = np.concatenate((np.flatnonzero(z > 0.0), np.flatnonzero(z < 0.0)[::-1]))
    size = np.abs(z[order])
    excess = np.clip(0.5 * (size.sum() - wanted) - (np.cumsum(size) - size), 0.0, size)
    turned = np.empty(z.size)
    turned[order] = excess
    upward = z > 0.0
    left = np.where(upward, turned, turned - np.abs(z))
    right = np.where(upward, z - turned, -turned)
    return right, left


def most_violated(maximum: float, features: Rows, correlations: Array, limit: int) -> Priced:
    """Order a batch by violation and cut it to ``limit``."""
    order = np.argsort(-np.abs(correlations), kind="stable")[:limit]
    return Priced(maximum, features[order].astype(np.int64, copy=False), correlations[order])
