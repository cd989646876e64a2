"""Depth 2 with sign or threshold activation: steps between neighbouring data points."""

from __future__ import annotations

import numpy as np

from convexnn.dictionaries.base import Array, Origin, Pieces, Priced, Rows, StepDictionary, Units
from convexnn.dictionaries.ramps import most_violated


class Steps(StepDictionary):
    """Steps at the midpoint t between neighbouring points: 1{x >= t}, or sign(x - t) with sign(0) = 1.

    A feature is a row (i,): t = (points[i] + points[i + 1]) / 2. Every other t between the two fits the data as well.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        Sorted and distinct.
    low : float
        The value left of the step: 0 for threshold, -1 for sign.
    """

    exact = True
    homogeneous = False
    kind = "step"

    def __init__(self, points: Array, *, low: float):
        self.points = points
        self.low = low
        self.height = 1.0 - low

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        from convexnn.kernels.sweeps import excursions

        curve = self._curve(lam)
        maximum = max(float(curve.max(initial=0.0)), -float(curve.min(initial=0.0)))
        if maximum <= bound or limit == 0:
            return Priced(maximum, np.empty((0, 1), np.int64), np.empty(0))
        found = excursions(curve, bound)
        return most_violated(maximum, found[:, None], curve[found], limit)

    def tight(self, lam: Array, bound: float) -> Rows:
        return np.flatnonzero(np.abs(self._curve(lam)) >= bound)[:, None]

    def profile(self, lam: Array) -> list[tuple[str, Rows, Array]]:
        curve = self._curve(lam)
        return [("steps", np.arange(curve.size)[:, None], curve)]

    def _curve(self, lam: Array) -> Array:
        """Return the correlation of every step."""
        curve = np.cumsum(lam[:0:-1])[::-1].astype(np.float64, copy=False)
        curve *= self.height
        return curve

    def steps_at(self, features: Rows, points: Array | None) -> Array:
        """Return the places of the steps."""
        points = self.points if points is None else points
        left, right = points[features[:, 0]], points[features[:, 0] + 1]
        middle = 0.5 * left + 0.5 * right
        # between neighbouring floats there is no number: the step is then at the right one, still above the left one
        return np.where(middle > left, middle, right)

    def represent(self, levels: Array) -> tuple[Rows, Array]:
        jumps = np.diff(levels)
        places = np.flatnonzero(jumps)
        return places[:, None], jumps[places] / self.height

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        return np.where(x[:, None] >= self.steps_at(features, points), 1.0, self.low)

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        values = np.tile([self.low, 1.0], (len(features), 1))
        return Pieces(self.steps_at(features, points)[:, None], values, np.zeros(values.shape))

    def origins(self, features: Rows) -> list[list[Origin]]:
        return [[("midpoint", (int(i), int(i) + 1))] for i in features[:, 0]]

    def units(self, features: Rows, points: Array | None = None) -> Units:
        steps = self.steps_at(features, points)
        return Units((np.ones((steps.size, 1, 1)),), (-steps[:, None],))
