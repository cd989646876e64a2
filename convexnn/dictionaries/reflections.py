"""Narrow absolute-value networks of depth three: reflections of one training point across another."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Priced, Rows
from convexnn.dictionaries.enumeration import walk
from convexnn.dictionaries.folds import Folds
from convexnn.dictionaries.selection import spread

DATA, MIDPOINT = 0, 1


def reflection_families(
    points: Array, lam: Array, hinge: Array, slope: Array, chosen: Array, midpoints: bool
) -> tuple[Array, ...]:
    """Return the largest and smallest F(p) + F(q) - F(a) for each a = chosen[i] and, with midpoints, for p = chosen[i].

    Points may repeat, as those of a folded line do.
    """
    from convexnn.kernels.reflections import midpoint_extremes, reflection_extremes, thinned_extremes

    if chosen.size < points.size:
        found = thinned_extremes(chosen, points, hinge, slope)
        return tuple(found if midpoints else found[:2])
    found = reflection_extremes(points, lam, hinge, slope)
    return found + midpoint_extremes(points, hinge, slope) if midpoints else found


def best_partner(family: int, position: int, chosen: Array, points: Array, hinge: Array) -> tuple[int, float]:
    """Return the place in ``chosen`` that attains an extreme of ``reflection_families``, and the correlation."""
    first = 0 if family < 2 else position + 1
    if family < 2:
        p, a = chosen, chosen[position]
        q = 2.0 * a - p
    else:
        p, q = chosen[position], chosen[first:]
        a = 0.5 * (p + q)
    # F is constant left of the points and zero right of them, just as np.interp continues it.
    p, q, a = (np.interp(t, points, hinge) for t in (p, q, a))
    values = 2.0 * (p + q - a) - hinge[0]
    best = int(np.argmin(values) if family % 2 else np.argmax(values))
    return first + best, float(values[best])


def batch(maximum: float, found: list[tuple[tuple[int, ...], float]], bound: float, width: int) -> Priced:
    """Return the distinct rows found, most violated first."""
    if not found:
        return Priced(maximum, np.empty((0, width), dtype=np.int64), np.empty(0))
    features, first = np.unique(np.array([row for row, _ in found]), axis=0, return_index=True)
    correlation = np.array([value for _, value in found])[first]
    order = np.argsort(-np.abs(correlation), kind="stable")
    order = order[np.abs(correlation[order]) > bound]
    return Priced(maximum, features[order], correlation[order])


class Reflections3(Folds):
    """Features | |x - a| - c | of narrow absolute-value networks of depth 3.

    With p = a - c and q = a + c the correlation is 2 (F(p) + F(q) - F(a)) - F(x_1), F(t) = lam @ (x - t)_+, which is
    piecewise linear in (p, q) and breaks where p, q or a = (p + q) / 2 passes a training point. Its maximum over all
    real biases is therefore at a vertex of these lines: a and one of p, q are training points (the other is then a
    *reflection*), or p and q are (and a is their *midpoint*). Priced in O(N^2) time and O(N) memory (theory section 3).

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    midpoints : bool
        Whether the midpoint biases belong to the dictionary; without them it is the paper's library, not ``exact``.
    candidates : ndarray of int, optional
        Indices of the points that may carry biases; ``exact`` is then False and pricing costs O(N + M^2 log(N / M)).

    Notes
    -----
    A row is (kind, i, j). Kind 0: a = points[i], c = |points[j] - points[i]|. Kind 1, i < j: a = (points[i] +
    points[j]) / 2, c = (points[j] - points[i]) / 2.
    """

    def __init__(
        self, points: Array, *, midpoints: bool = True, candidates: NDArray[np.int64] | None = None
    ) -> None:
        super().__init__(points, depth=3, candidates=candidates)
        self.midpoints = midpoints
        self.exact = midpoints and candidates is None

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum, and for centres spread over the data the best reflection and midpoint of each."""
        from convexnn.kernels.hinges import hinge_sums

        lam = np.ascontiguousarray(lam, dtype=np.float64)
        hinge, slope = hinge_sums(self.points, lam)
        extremes = self._extremes(lam, hinge, slope)
        families = [2.0 * extreme - hinge[0] for extreme in extremes]
        maximum = max(float(np.abs(family).max(initial=0.0, where=np.isfinite(family))) for family in families)
        picked = spread([np.where(np.isfinite(family), family, 0.0) for family in families], bound, limit)
        rows = [self._best(family, position, hinge) for family, position in picked]
        return batch(maximum, rows, bound, width=3)

    def tight(self, lam: Array, bound: float) -> Rows:
        places = self.candidates.tolist()
        reflections = ((DATA, i, j) for i in places for j in places)
        midpoints = ((MIDPOINT, i, j) for i, j in itertools.combinations(places, 2)) if self.midpoints else ()
        return walk(self, itertools.chain(reflections, midpoints), 2 * len(places) ** 2, lam, bound)

    def _extremes(self, lam: Array, hinge: Array, slope: Array) -> tuple[Array, ...]:
        return reflection_families(self.points, lam, hinge, slope, self.points[self.candidates], self.midpoints)

    def _best(self, family: int, position: int, hinge: Array) -> tuple[tuple[int, ...], float]:
        chosen = self.points[self.candidates]
        other, value = best_partner(family, position, chosen, self.points, hinge)
        return (family // 2, int(self.candidates[position]), int(self.candidates[other])), value

    def biases(self, features: Rows, points: Array | None = None) -> Array:
        """Return a and c."""
        points = self.points if points is None else points
        kind, i, j = np.asarray(features, dtype=np.int64).reshape(-1, 3).T
        reach = np.abs(points[j] - points[i])
        middle = kind == MIDPOINT
        a = np.where(middle, points[i] + 0.5 * (points[j] - points[i]), points[i])
        return np.column_stack([a, np.where(middle, 0.5 * reach, reach)])
