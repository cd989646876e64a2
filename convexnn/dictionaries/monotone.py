"""Narrow leaky ReLU networks of depth three and more: monotone functions with at most L - 1 breakpoints."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Dictionary, Origin, Pieces, Priced, Rows, Units
from convexnn.dictionaries.enumeration import walk
from convexnn.dictionaries.selection import extrema, spread


class MonotoneRamps(Dictionary):
    """Monotone features with L - 1 breakpoints at data points: narrow leaky ReLU of depth L.

    Every layer has one breakpoint, anywhere, and multiplies the slope by kappa on its left ("rising", the
    pre-activation grows with x) or on its right ("falling"). All 2^(L-1) sequences of kinds along the line occur and
    the order of the layers does not matter, so that with R rising layers the slope after p rising and m falling
    breakpoints is kappa^(R - p + m) up to sign. The correlation is a sum over ordered breakpoints of slope jump times
    F(t) = lam @ (x - t)_+, piecewise linear in each group of coinciding breakpoints, hence largest at data points. Only
    (R, p, m) is needed to know a slope: dynamic programming over these states prices every depth in O(N L^3), and only
    local extrema of F can carry breakpoints of a maximum.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    depth : int
        Number of layers of weights L, from 2 to 63.
    slope : float
        kappa, strictly between 0 and 1.
    candidates : ndarray of int, optional
        Indices of the points that may carry breakpoints (both end points always may: a breakpoint there only scales
        the feature); ``exact`` is then False.

    Notes
    -----
    A row is (code, i_1, ..., i_{L-1}) with i_1 <= ... <= i_{L-1}: layer l has its breakpoint at points[i_l] and is
    rising if bit l - 1 of the code is set.
    """

    homogeneous = True
    kind = "monotone ramp"

    def __init__(
        self, points: Array, *, depth: int, slope: float, candidates: NDArray[np.int64] | None = None
    ) -> None:
        if not 0.0 < slope < 1.0:
            raise ValueError(f"negative_slope must lie strictly between 0 and 1 at depth {depth}, got {slope}.")
        if not 2 <= depth <= 63:
            raise ValueError(f"depth must lie between 2 and 63 for leaky_relu, got {depth}.")
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.depth = depth
        self.slope = float(slope)
        self.exact = candidates is None
        everything = np.arange(self.points.size)
        self.candidates = everything if candidates is None else np.union1d(candidates, everything[[0, -1]])

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum, and the best features with a breakpoint at each of many places."""
        from convexnn.kernels.hinges import hinge_sums
        from convexnn.kernels.monotone import monotone_tables, monotone_through, trace_monotone

        total, hinge = self._hinge(hinge_sums, lam)
        chosen = extrema(hinge)
        hinge, layers = hinge[chosen], self.depth - 1
        families, traces = [], []
        for rising in range(layers + 1):
            start = total * self.slope**rising
            for sign in (1.0, -1.0):
                tables = monotone_tables(sign * hinge, rising, layers - rising, self.slope)
                value, state = monotone_through(*tables, sign * hinge, self.slope)
                families.append(sign * value + start)
                if families[-1].size and np.abs(families[-1]).max() > bound:
                    picked = spread([families[-1]], bound, limit)
                    traces += [
                        (families[-1][place], *trace_monotone(place, state[place], *tables, sign * hinge, self.slope))
                        for _, place in picked
                    ]
        maximum = max(float(np.abs(family).max()) for family in families)
        return self._priced(maximum, traces, self.candidates[chosen], bound, limit)

    def tight(self, lam: Array, bound: float) -> Rows:
        layers, places = self.depth - 1, self.candidates.tolist()
        breaks = itertools.combinations_with_replacement(places, layers)
        rows = ((code, *row) for row in breaks for code in range(2**layers))
        return walk(self, rows, 2**layers * math.comb(len(places) + layers - 1, layers), lam, bound)

    def _hinge(self, hinge_sums, lam: Array) -> tuple[float, Array]:
        hinge = hinge_sums(self.points, np.ascontiguousarray(lam, dtype=np.float64))[0]
        return hinge[0], hinge[self.candidates]

    def _priced(self, maximum: float, traces: list, places: NDArray[np.int64], bound: float, limit: int) -> Priced:
        rows = np.empty((len(traces), self.depth), dtype=np.int64)
        correlation = np.empty(len(traces))
        for row, (n, (value, breakpoints, kinds)) in zip(rows, enumerate(traces), strict=True):
            row[0] = sum(1 << layer for layer, kind in enumerate(kinds) if kind == 1)
            row[1:] = places[breakpoints]
            # The last layer decides whether the unit itself, and not its mirror image, rises or falls.
            correlation[n] = value * kinds[-1]
        rows, first = np.unique(rows, axis=0, return_index=True)
        correlation = correlation[first]
        order = np.argsort(-np.abs(correlation), kind="stable")
        order = order[np.abs(correlation[order]) > bound][:limit]
        return Priced(maximum, rows[order], correlation[order])

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the output of the units, layer by layer."""
        breaks, direction = self._layers(features, points)
        return self._run(breaks, direction, np.asarray(x, dtype=np.float64)[:, None])[0]

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return one breakpoint per layer."""
        breaks, direction = self._layers(features, points)
        values = self._run(breaks, direction, breaks.T)[0].T
        rising = direction > 0
        exponent = np.concatenate([np.zeros_like(breaks[:, :1]), np.cumsum(np.where(rising, -1, 1), axis=1)], axis=1)
        slopes = direction[:, -1:] * self.slope ** (exponent + rising.sum(axis=1, keepdims=True))
        return Pieces(breaks, np.concatenate([values[:, :1], values], axis=1), slopes)

    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return chains of single neurons with weights +-1."""
        breaks, direction = self._layers(features, points)
        levels = self._run(breaks, direction, breaks[:, :1].T)[1]
        weights = self._weights(direction)
        return Units(
            tuple(weight[:, None, None] for weight in weights.T),
            tuple((-weight * level)[:, None] for weight, level in zip(weights.T, levels, strict=True)),
        )

    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return, per feature and breakpoint of ``pieces``, ("data", (n,)): the breakpoint is the training point n."""
        return [[("data", (int(i),)) for i in row[1:]] for row in features]

    def _layers(self, features: Rows, points: Array | None) -> tuple[Array, Array]:
        """Return the breakpoints (k, L - 1) of the layers and their directions +-1."""
        points = self.points if points is None else points
        features = np.asarray(features, dtype=np.int64).reshape(-1, self.depth)
        bits = features[:, :1] >> np.arange(self.depth - 1)
        return points[features[:, 1:]], np.where(bits & 1, 1.0, -1.0)

    def _weights(self, direction: Array) -> Array:
        """Return inner weights whose running products are the directions."""
        return np.concatenate([direction[:, :1], direction[:, 1:] * direction[:, :-1]], axis=1)

    def _run(self, breaks: Array, direction: Array, h: Array) -> tuple[Array, list[Array]]:
        """Return the outputs for inputs h and, per layer, the hidden value at which its pre-activation vanishes."""
        weights = self._weights(direction)
        ahead = breaks.T.copy()
        levels = []
        for layer, weight in enumerate(weights.T):
            level = ahead[layer].copy()
            levels.append(level)
            h, ahead = weight * (h - level), weight * (ahead - level)
            h = np.where(h < 0.0, self.slope * h, h)
            ahead = np.where(ahead < 0.0, self.slope * ahead, ahead)
        return h, levels
