"""Narrow absolute-value networks of depth four: reflections of reflections, exact over all real biases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Priced, Rows
from convexnn.dictionaries.enumeration import walk
from convexnn.dictionaries.folds import Folds
from convexnn.dictionaries.reflections import batch, best_partner, reflection_families
from convexnn.dictionaries.selection import spread
from convexnn.progress import long_sweep


class Reflections4(Folds):
    """Features | | |x - a| - c | - d | of narrow absolute-value networks of depth 4.

    The correlation is piecewise linear in (a, c, d) and breaks where one of the kinks a, a +- c (the peaks) or
    a +- c +- d (the zeros) passes a training point. Its maximum over all real biases is at a vertex, where three
    independent conditions of this kind hold. If a is a training point, (c, d) is a vertex of the depth-3 problem in
    u = |x - a| (kinds 0 and 1). If both peaks, both outer or both inner zeros are training points, a is their midpoint,
    h = u_i = u_j, and one more kink is at some u_k (kinds 2, 3, 4). Otherwise one peak is a training point and two
    zeros are: both zeros of the other peak (kind 5), or one zero of each, on the same side of their peaks (kind 6); two
    zeros of the *same* training-point peak are not independent of it, and opposite zeros of both are kinds 2 to 4.
    Priced in O(N^3) time and O(N) memory.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    candidates : ndarray of int, optional
        Indices of the M points that may carry biases; ``exact`` is then False and pricing costs O(M^2 N).

    Notes
    -----
    A row is (kind, i, j, k). Kind 0: a = x_i, c = u_j, d = |u_k - c|. Kind 1: a = x_i, c = (u_j + u_k) / 2,
    d = |u_j - u_k| / 2. With a = (x_i + x_j) / 2 and h = |x_i - x_j| / 2, kind 2: c = h, d = |u_k - h|; kind 3:
    c = u_k, d = |u_k - h|; kind 4: c = (h + u_k) / 2, d = |u_k - h| / 2. Kind 5: peaks (x_i + x_j) / 2 and x_k,
    d = |x_i - x_j| / 2. Kind 6: peaks x_i and x_k - (x_j - x_i), d = |x_j - x_i|.
    """

    def __init__(self, points: Array, *, candidates: NDArray[np.int64] | None = None) -> None:
        super().__init__(points, depth=4, candidates=candidates)
        self.exact = candidates is None

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum, and for outer biases spread over the data the best features of each family."""
        from convexnn.kernels.hinges import hinge_sums
        from convexnn.kernels.reflections4 import midpoint_centres, two_peaks

        lam = np.ascontiguousarray(lam, dtype=np.float64)
        chosen = self.points[self.candidates]
        folded, places = self._centred_at_data(lam, chosen)
        midpoints, rows_a = midpoint_centres(self.points, lam, chosen)
        peaks, rows_b = two_peaks(chosen, self.candidates, self.points, *hinge_sums(self.points, lam))
        families = [*folded, *midpoints, *peaks]
        maximum = max(float(np.abs(family).max()) for family in families)
        rows_a[:, :, 0] += 2
        rows_b[:, :, 0] += 5
        tables = [*rows_a, *rows_b]
        found = []
        for family, i in spread(families, bound, limit):
            if family < 4:
                found.append(self._row_at_data(lam, chosen, family, i, int(places[family, i])))
            else:
                kind, j, k = tables[family - 4][i].tolist()
                row = kind, *(int(self.candidates[n]) for n in (i, j, k))
                found.append((row, float(families[family][i])))
        return batch(maximum, found, bound, width=4)

    def tight(self, lam: Array, bound: float) -> Rows:
        return walk(self, self.everything(), 7 * self.candidates.size**3, lam, bound)

    def everything(self) -> Iterator[tuple[int, ...]]:
        """Return all rows, one by one."""
        return itertools.product(range(7), *[self.candidates.tolist()] * 3)

    def _centred_at_data(self, lam: Array, chosen: Array) -> tuple[Array, NDArray[np.int64]]:
        """Return for every a = x_i the extreme correlations of the depth-3 families, and where in them they are."""
        extremes = np.zeros((4, chosen.size))
        places = np.zeros((4, chosen.size), dtype=np.int64)
        for i in long_sweep(range(chosen.size), "pricing"):
            distance, mass, marks, _ = self._folded(lam, chosen, chosen[i])
            hinge, slope = self._hinge_sums(distance, mass)
            for family, values in enumerate(reflection_families(distance, mass, hinge, slope, marks, True)):
                place = int(np.argmin(values) if family % 2 else np.argmax(values))
                value = 2.0 * values[place] - hinge[0]
                if np.isfinite(value):
                    extremes[family, i], places[family, i] = value, place
        return extremes, places

    def _row_at_data(
        self, lam: Array, chosen: Array, family: int, i: int, place: int
    ) -> tuple[tuple[int, ...], float]:
        distance, mass, marks, order = self._folded(lam, chosen, chosen[i])
        hinge, _ = self._hinge_sums(distance, mass)
        other, value = best_partner(family, place, marks, distance, hinge)
        row = family // 2, *(int(self.candidates[n]) for n in (i, order[place], order[other]))
        return row, value

    def _folded(self, lam: Array, chosen: Array, centre: float) -> tuple[Array, Array, Array, NDArray[np.int64]]:
        from convexnn.kernels.reflections4 import fold

        distance, mass = np.empty_like(self.points), np.empty_like(self.points)
        marks, order = np.empty_like(chosen), np.empty_like(chosen)
        fold(self.points, lam, centre, distance, mass)
        fold(chosen, np.arange(chosen.size, dtype=np.float64), centre, marks, order)
        return distance, mass, marks, order.astype(np.int64)

    def _hinge_sums(self, distance: Array, mass: Array) -> tuple[Array, Array]:
        from convexnn.kernels.hinges import hinge_sums

        return hinge_sums(distance, mass)

    def biases(self, features: Rows, points: Array | None = None) -> Array:
        """Return a, c and d."""
        points = self.points if points is None else points
        kind, i, j, k = np.asarray(features, dtype=np.int64).reshape(-1, 4).T
        x_i, x_j, x_k = points[i], points[j], points[k]
        half = 0.5 * (x_j - x_i)
        # The two peaks of kinds 5 and 6.
        first = np.where(kind == 5, x_i + half, x_i)
        second = np.where(kind == 5, x_k, x_k - (x_j - x_i))
        two = kind >= 5
        a = np.where(two, first + 0.5 * (second - first), np.where(kind >= 2, x_i + half, x_i))
        u = np.abs(x_k - a)
        h = np.where(kind >= 2, np.abs(half), np.abs(x_j - a))
        c = np.select([two, (kind == 1) | (kind == 4), kind == 3], [0.5 * np.abs(second - first), 0.5 * (h + u), u], h)
        d = np.abs(u - h)
        d = np.select([kind == 5, kind == 6, (kind == 1) | (kind == 4)], [np.abs(half), 2 * np.abs(half), 0.5 * d], d)
        return np.column_stack([a, c, d])
