"""Symmetrised ReLU networks of depth three: doubled capped ramps and reflected trapezoids."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Origin, Pieces, Priced, Rows, SplineDictionary, Units
from convexnn.dictionaries.capped import CappedRamps
from convexnn.dictionaries.selection import extrema
from convexnn.dictionaries.sums import ramp_sums

RAMP, TRAPEZOID = 0, 1
# A unit has two weights of one size in each of its two hidden layers; balancing them with the outer weight leaves this
# factor for the Lasso penalty to be exactly beta |z| (theory section 5).
SCALE = 2.0 ** (-2.0 / 3.0)


class Symmetrized(SplineDictionary):
    """Features relu(w_1 relu(s_1 (x - a_1)) + w_2 relu(s_2 (x - a_2)) - b) / 2^(2/3) with w, s in {-1, 1}.

    With F(t) = lam @ (x - t)_+ all of them, for *any real* biases, have correlations that are means of two among
    2 F(p), 2 (F(p) - F(x_1)) and +-2 (F(p) - F(q)), apart from the factor; for instance the trapezoid that rises from
    t' to p and falls from q to t has F(t') - F(p) + F(t) - F(q). So the largest correlation is
    2 (max F - min F) / 2^(2/3), reached by two equal neurons that form one capped ramp with slope 2 between data
    points: the dictionary is exact and priced in O(N), and the problem is that of narrow ReLU with beta / 2^(1/3). The
    reflections of the paper, trapezoids whose second foot x_i + x_j - x_k need not be a training point, are optimal
    only together with both of their ramps; the strongest are offered too: one of them can stand for two units.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    skip : bool
        Whether the network has a skip connection.
    candidates : ndarray of int, optional
        Indices of the points that may carry a bias (both end points always may); ``exact`` is then False.

    Notes
    -----
    A row is (kind, i, j, k). Kind 0, i < j: 2 clip(x - points[i], 0, points[j] - points[i]), k = -1. Kind 1, i <= j:
    the trapezoid with its top from points[i] to points[j], slopes 1 and -1, one foot at points[k] outside the top and
    the other at points[i] + points[j] - points[k]. Both times 2^(-2/3).
    """

    depth = 3
    homogeneous = True
    kind = "symmetrized ramp"

    def __init__(
        self, points: Array, *, skip: bool = False, candidates: NDArray[np.int64] | None = None
    ) -> None:
        self.ramps = CappedRamps(points, skip=skip, candidates=candidates)
        norm = self.ramps.spline_norm
        self.spline_norm = norm and replace(norm, kink=norm.kink / (2.0 * SCALE))
        self.points = self.ramps.points
        self.exact = candidates is None

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum in O(N), ramps between local extrema of F and a few trapezoids."""
        ramps = self.ramps.price(lam, bound / (2.0 * SCALE), limit)
        maximum = 2.0 * SCALE * ramps.maximum
        if len(ramps.features) == 0:
            return Priced(maximum, np.empty((0, 4), dtype=np.int64), np.empty(0))
        # Thinned, a mirrored foot may be a better place than any candidate: only ramps are then in the dictionary.
        rows, correlation = self._trapezoids(lam, limit // 4 if self.exact else 0)
        count = len(ramps.features)
        sides = np.column_stack([np.full(count, RAMP), ramps.features, np.full(count, -1)])
        features = np.concatenate([sides, rows])
        correlation = np.concatenate([2.0 * SCALE * ramps.correlations, correlation])
        order = np.argsort(-np.abs(correlation), kind="stable")
        order = order[np.abs(correlation[order]) > bound][:limit]
        return Priced(maximum, features[order], correlation[order])

    def tight(self, lam: Array, bound: float) -> Rows:
        """Return tight ramps and trapezoids; a trapezoid can be tight only where both of its ramps nearly are."""
        ramps = self.ramps.tight(lam, bound / (2.0 * SCALE))
        sides = np.column_stack([np.full(len(ramps), RAMP), ramps, np.full(len(ramps), -1)])
        hinge = ramp_sums(self.points, lam)
        slack = 2.0 * (np.ptp(hinge) - bound / (2.0 * SCALE))
        if not self.exact or slack < 0.0:
            return sides
        high, low = np.flatnonzero(hinge >= hinge.max() - slack), np.flatnonzero(hinge <= hinge.min() + slack)
        rows = np.array(
            [
                (TRAPEZOID, i, j, k)
                for tops, feet in ((high, low), (low, high))
                for i, j in itertools.combinations_with_replacement(tops.tolist(), 2)
                for k in feet.tolist()
                if not i <= k <= j
            ],
            dtype=np.int64,
        ).reshape(-1, 4)
        _, i, j, k = rows.T
        mirror = np.interp(self.points[i] + self.points[j] - self.points[k], self.points, hinge)
        strong = np.abs(SCALE * (mirror - hinge[i] - hinge[j] + hinge[k])) >= bound
        return np.concatenate([sides, rows[strong]])

    def represent(self, knots: NDArray[np.integer], slopes: Array) -> tuple[Rows, Array, float]:
        ramps, coef, skip = self.ramps.represent(knots, slopes)
        count = len(ramps)
        rows = np.column_stack([np.full(count, RAMP), ramps, np.full(count, -1)])
        return rows, coef / (2.0 * SCALE), skip

    def tails(self, slopes: Array) -> tuple[float, float]:
        return self.ramps.tails(slopes)

    def _trapezoids(self, lam: Array, limit: int) -> tuple[Rows, Array]:
        """Return the best trapezoids among the highest maxima and lowest minima of F."""
        hinge = ramp_sums(self.points, lam)
        turning = self.ramps.candidates[extrema(hinge[self.ramps.candidates])]
        order = np.argsort(hinge[turning])
        few = np.unique(turning[np.concatenate([order[:8], order[-8:]])])
        tops = itertools.combinations_with_replacement(few.tolist(), 2)
        rows = np.array([(TRAPEZOID, i, j, k) for i, j in tops for k in few.tolist() if not i <= k <= j])
        if limit < 1 or rows.size == 0:
            return np.empty((0, 4), dtype=np.int64), np.empty(0)
        _, i, j, k = rows.T
        mirror = np.interp(self.points[i] + self.points[j] - self.points[k], self.points, hinge)
        correlation = SCALE * (mirror - hinge[i] - hinge[j] + hinge[k])
        best = np.argsort(-np.abs(correlation), kind="stable")[:limit]
        return rows[best], correlation[best]

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the scaled capped ramps and trapezoids."""
        trapezoid, start, end, height = self._shape(features, points)
        x = np.asarray(x)[:, None]
        ramp = 2.0 * np.clip(x - start, 0.0, height)
        top = np.maximum(height - np.maximum(x - end, 0.0) - np.maximum(start - x, 0.0), 0.0)
        return SCALE * np.where(trapezoid, top, ramp)

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return the feet and the top of trapezoids; the two ends of ramps, each twice."""
        trapezoid, start, end, height = self._shape(features, points)
        left, right = self._feet(features, points)
        zero = np.zeros_like(start)
        side = np.where(trapezoid, SCALE, 0.0)
        high = SCALE * np.where(trapezoid, height, 2.0 * height)
        knots = np.column_stack([np.where(trapezoid, left, start), start, end, np.where(trapezoid, right, end)])
        return Pieces(
            # A foot that is computed may miss the order by one rounding error where the top has no width.
            np.maximum.accumulate(knots, axis=1),
            np.column_stack([zero, zero, np.where(trapezoid, high, zero), high, np.where(trapezoid, 0.0, high)]),
            np.column_stack([zero, side, np.where(trapezoid, 0.0, 2.0 * SCALE), -side, zero]),
        )

    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return two first-layer neurons and one second-layer neuron, all weights of size 2^(-1/3)."""
        trapezoid, start, end, height = self._shape(features, points)
        size = 2.0 ** (-1.0 / 3.0)
        first = np.where(trapezoid, 1.0, -1.0)
        weights = size * np.column_stack([first, -np.ones_like(first)])
        biases = size * np.column_stack([np.where(trapezoid, -end, end), np.where(trapezoid, start, end)])
        second = np.full((start.size, 2, 1), -size)
        level = SCALE * np.where(trapezoid, height, 2.0 * height)
        return Units((weights[:, None, :], second), (biases, level[:, None]))

    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return (kind, indices) per feature and breakpoint of ``pieces``.

        ("data", (n,)): training point n; ("composite", (i, j, k)): points[i] + points[j] - points[k], the reflection of
        point k across the middle of i and j; ("reflection", (k, i)) where i = j.
        """
        described: list[list[Origin]] = []
        for kind, i, j, k in np.asarray(features).tolist():
            start, end = ("data", (i,)), ("data", (j,))
            if kind == RAMP:
                described.append([start, start, end, end])
                continue
            mirror: Origin = ("reflection", (k, i)) if i == j else ("composite", (i, j, k))
            foot = ("data", (k,))
            described.append([foot, start, end, mirror] if k < i else [mirror, start, end, foot])
        return described

    def _shape(self, features: Rows, points: Array | None) -> tuple[NDArray[np.bool_], Array, Array, Array]:
        """Return which features are trapezoids, the places i and j, and the height (ramps: half of it)."""
        points = self.points if points is None else points
        kind, i, j, k = np.asarray(features, dtype=np.int64).reshape(-1, 4).T
        start, end, foot = points[i], points[j], points[k]
        trapezoid = kind == TRAPEZOID
        return trapezoid, start, end, np.where(trapezoid, np.where(k > j, foot - end, start - foot), end - start)

    def _feet(self, features: Rows, points: Array | None) -> tuple[Array, Array]:
        points = self.points if points is None else points
        _, i, j, k = np.asarray(features, dtype=np.int64).reshape(-1, 4).T
        start, end, foot = points[i], points[j], points[k]
        return np.where(k > j, start - (foot - end), foot), np.where(k > j, foot, end + (start - foot))
