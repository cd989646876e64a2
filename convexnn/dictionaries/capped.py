"""Narrow ReLU networks of depth three and more: capped ramps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Origin, Pieces, Priced, Rows, SplineDictionary, SplineNorm, Units
from convexnn.dictionaries.selection import extrema
from convexnn.dictionaries.sums import ramp_sums


class CappedRamps(SplineDictionary):
    """Capped ramps clip(x - a, 0, b - a) with a < b among the data points: narrow ReLU at any depth >= 3.

    A unit of depth 3 is, up to a constant and its sign, a ramp (x - a)_+, (a - x)_+ or a capped ramp. With
    F(t) = lam @ (x - t)_+ their correlations are F(a), F(a) - F(x_1) and F(a) - F(b), so on the data a ramp *is* the
    capped ramp that ends at x_N or starts at x_1, and the largest correlation over all real biases is max F - min F,
    reached at data points because F is piecewise linear. The capped form is the one kept: it stays flat outside the
    data. Deeper layers only cap again ("stagnation", theory section 2): they are padded with identities, a ReLU being
    the identity on values that are not negative.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    depth : int
        Number of layers of weights, at least 3.
    skip : bool
        Whether the network has a skip connection; its norm in function space is then another one.
    candidates : ndarray of int, optional
        Indices of the points that may carry a bias (both end points always may); ``exact`` is then False.

    Notes
    -----
    A row is (i, j) with i < j: the feature clip(x - points[i], 0, points[j] - points[i]).
    """

    homogeneous = True
    kind = "capped ramp"
    first_place = 0

    def __init__(
        self, points: Array, *, depth: int = 3, skip: bool = False, candidates: NDArray[np.int64] | None = None
    ) -> None:
        if depth < 3:
            raise ValueError(f"Capped ramps need depth >= 3, got {depth}.")
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.depth = depth
        self.exact = candidates is None
        everything = np.arange(self.points.size)
        self.candidates = everything if candidates is None else np.union1d(candidates, everything[[0, -1]])
        self.spline_norm = SplineNorm(0.5, coupled=False, flat=True) if self.exact and not skip else None

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum over all pairs in O(N), and pairs of local extrema of F above the bound."""
        hinge = ramp_sums(self.points, lam)[self.candidates]
        maximum = float(np.ptp(hinge))
        if maximum <= bound or limit < 1:
            return Priced(maximum, np.empty((0, 2), dtype=np.int64), np.empty(0))
        turning = extrema(hinge)
        values = hinge[turning]
        # Every local extremum meets the global one of the other kind (what decides the bound) and its neighbour (the
        # one segment between two knots): both ways of using a new knot.
        highest, lowest = turning[np.argmax(values)], turning[np.argmin(values)]
        far = np.where(values - hinge[lowest] > hinge[highest] - values, lowest, highest)
        first = np.concatenate([turning, turning[:-1]])
        second = np.concatenate([far, turning[1:]])
        pairs = np.unique(np.sort(np.column_stack([first, second]), axis=1), axis=0)
        correlation = hinge[pairs[:, 0]] - hinge[pairs[:, 1]]
        order = np.argsort(-np.abs(correlation), kind="stable")
        order = order[np.abs(correlation[order]) > bound][:limit]
        return Priced(maximum, self.candidates[pairs[order]], correlation[order])

    def tight(self, lam: Array, bound: float) -> Rows:
        hinge = ramp_sums(self.points, lam)[self.candidates]
        high = np.flatnonzero(hinge >= hinge.min() + bound)
        low = np.flatnonzero(hinge <= hinge.max() - bound)
        pairs = np.sort(np.array([(i, j) for i in high for j in low if i != j], dtype=np.int64).reshape(-1, 2), axis=1)
        pairs = np.unique(pairs, axis=0)
        return self.candidates[pairs[np.abs(hinge[pairs[:, 0]] - hinge[pairs[:, 1]]) >= bound]]

    def tails(self, slopes: Array) -> tuple[float, float]:
        return 0.0, 0.0

    def represent(self, knots: NDArray[np.integer], slopes: Array) -> tuple[Rows, Array, float]:
        # upward and downward kinks have equal sums; each capped ramp pairs one with the other, in order, so that there
        # are fewer ramps than kinks
        turns = np.diff(slopes, prepend=0.0, append=0.0)
        up, down = np.flatnonzero(turns > 0.0), np.flatnonzero(turns < 0.0)
        if min(up.size, down.size) == 0:
            return np.empty((0, 2), np.int64), np.empty(0), 0.0
        filled, emptied = np.cumsum(turns[up]), np.cumsum(-turns[down])
        levels = np.unique(np.concatenate((filled, emptied)))
        masses = np.diff(levels, prepend=0.0)
        middle = levels - 0.5 * masses
        start = knots[up[np.minimum(np.searchsorted(filled, middle), up.size - 1)]]
        stop = knots[down[np.minimum(np.searchsorted(emptied, middle), down.size - 1)]]
        used = masses > 1e-15 * levels[-1]
        features = np.column_stack((np.minimum(start, stop), np.maximum(start, stop)))[used]
        return features, np.where(start < stop, masses, -masses)[used], 0.0

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return clip(x - a, 0, b - a), one column per feature."""
        start, end = self._ends(features, points)
        return np.clip(np.asarray(x)[:, None] - start, 0.0, end - start)

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return two breakpoints per feature, slopes 0, 1, 0."""
        start, end = self._ends(features, points)
        zero = np.zeros_like(start)
        return Pieces(
            np.column_stack([start, end]),
            np.column_stack([zero, zero, end - start]),
            np.column_stack([zero, zero + 1.0, zero]),
        )

    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return the weights of relu(-relu(b - x) + (b - a)), padded with identity layers."""
        start, end = self._ends(features, points)
        weight = np.ones((start.size, 1, 1))
        zero = np.zeros((start.size, 1))
        padding = self.depth - 3
        return Units(
            (-weight, -weight, *([weight] * padding)),
            (end[:, None], (end - start)[:, None], *([zero] * padding)),
        )

    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return, per feature and breakpoint of ``pieces``, ("data", (n,)): the breakpoint is the training point n."""
        return [[("data", (int(i),)), ("data", (int(j),))] for i, j in np.atleast_2d(features)]

    def _ends(self, features: Rows, points: Array | None) -> tuple[Array, Array]:
        points = self.points if points is None else points
        features = np.asarray(features, dtype=np.int64).reshape(-1, 2)
        return points[features[:, 0]], points[features[:, 1]]
