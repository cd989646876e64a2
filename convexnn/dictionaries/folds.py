"""Narrow absolute-value units: the line folded again and again, h -> |h - b|."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Dictionary, Origin, Pieces, Rows, Units

# Breakpoints closer than this part of the range to a training point, reflection or midpoint are called by its name.
SAME = 1e-12


class Folds(Dictionary):
    """Features | ... | |x - b_1| - b_2 | ... - b_{L-1} | of a narrow absolute-value network of depth L.

    Subclasses say what the biases of a row are and price them. A row starts with the kind of its biases; the other
    entries are indices of the points they are computed from.
    """

    homogeneous = True
    kind = "reflection"

    def __init__(self, points: Array, *, depth: int, candidates: NDArray[np.int64] | None = None) -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.depth = depth
        everything = np.arange(self.points.size)
        self.candidates = everything if candidates is None else np.unique(candidates)

    @abstractmethod
    def biases(self, features: Rows, points: Array | None = None) -> Array:
        """Return the biases (k, L - 1), computed from the points that the rows name."""

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the values at x by folding once for each layer."""
        return _fold(np.asarray(x, dtype=np.float64)[:, None], self.biases(features, points))

    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return chains of single neurons with weights 1."""
        biases = self.biases(features, points)
        weight = np.ones((len(biases), 1, 1))
        return Units((weight,) * biases.shape[1], tuple(-bias[:, None] for bias in biases.T))

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return 2^(L-1) - 1 breakpoints per feature; kinks that do not exist repeat b_1."""
        points = self.points if points is None else points
        biases = self.biases(features, points)
        knots = _kinks(biases, SAME * np.ptp(points))
        # A kink at a training point is exactly there, not one rounding error beside it.
        place = np.searchsorted(points, knots)
        for nearest in (points[np.maximum(place - 1, 0)], points[np.minimum(place, points.size - 1)]):
            knots = np.where(np.abs(knots - nearest) <= SAME * np.ptp(points), nearest, knots)
        knots = np.maximum.accumulate(knots, axis=1)
        values = _fold(knots.T, biases).T
        step = np.maximum(np.ptp(knots, axis=1, keepdims=True), 1.0)
        between = 0.5 * (knots[:, 1:] + knots[:, :-1])
        inside = np.concatenate([knots[:, :1] - step, between, knots[:, -1:] + step], axis=1)
        return Pieces(knots, np.concatenate([values[:, :1], values], axis=1), _slopes(inside.T, biases).T)

    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return (kind, indices) per feature and breakpoint of ``pieces``.

        ("data", (n,)): training point n; ("reflection", (n, m)): 2 points[m] - points[n], n reflected across m;
        ("midpoint", (i, j)): their mean; ("composite", indices): made of the points that the row names in another way,
        such as a reflection of a reflection.
        """
        features = np.asarray(features, dtype=np.int64)
        named = [self._named(row) for row in features]
        knots = _kinks(self.biases(features), SAME * np.ptp(self.points))
        return [
            [self._origin(knot, indices) for knot in row]
            for row, indices in zip(knots, named, strict=True)
        ]

    def _named(self, row: NDArray[np.int64]) -> list[int]:
        return [int(i) for i in dict.fromkeys(row[1:].tolist()) if i >= 0]

    def _origin(self, knot: float, indices: list[int]) -> tuple[str, tuple[int, ...]]:
        points = self.points
        near = SAME * np.ptp(points)
        place = int(np.searchsorted(points, knot))
        for n in (place - 1, place):
            if 0 <= n < points.size and abs(points[n] - knot) <= near:
                return "data", (n,)
        for across in indices:
            for n in indices:
                if n != across and abs(2.0 * points[across] - points[n] - knot) <= near:
                    return "reflection", (n, across)
        for i in indices:
            for j in indices:
                if i < j and abs(0.5 * (points[i] + points[j]) - knot) <= near:
                    return "midpoint", (i, j)
        return "composite", tuple(indices)


def _fold(h: Array, biases: Array) -> Array:
    """Fold the rows of h (n, 1) or (n, k) by the biases (k, depth - 1)."""
    for bias in biases.T:
        h = np.abs(h - bias)
    return h


def _slopes(x: Array, biases: Array) -> Array:
    """Return the slopes at x (n, k): the product of the signs of all pre-activations."""
    slope = np.ones(x.shape)
    for bias in biases.T:
        x = x - bias
        slope = np.where(x < 0.0, -slope, slope)
        x = np.abs(x)
    return slope


def _kinks(biases: Array, tiny: float) -> Array:
    """Return the sorted places (k, 2^(L-1) - 1) where a pre-activation vanishes; b_1 in place of those not reached."""
    centre = biases[:, :1]
    layers = [centre]
    for last in range(1, biases.shape[1]):
        target = biases[:, last : last + 1]
        # |h - b| = v has the solutions h = b + v and h = b - v; no h is negative, except x itself.
        for layer in range(last - 1, 0, -1):
            bias = biases[:, layer : layer + 1]
            target = np.concatenate([bias - target, bias + target], axis=1)
            # Rounding must not decide: the same features are asked for on scaled and on original points.
            target = np.where(np.abs(target) <= tiny, 0.0, np.where(target < 0.0, np.nan, target))
        layers.append(np.concatenate([centre - target, centre + target], axis=1))
    knots = np.concatenate(layers, axis=1)
    return np.sort(np.where(np.isnan(knots), centre, knots), axis=1)
