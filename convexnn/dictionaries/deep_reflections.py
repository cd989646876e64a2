"""Narrow absolute-value networks of depth four and more: the paper's library of repeated reflections."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Priced, Rows
from convexnn.dictionaries.enumeration import walk
from convexnn.dictionaries.folds import Folds
from convexnn.dictionaries.reflections import batch, best_partner, reflection_families
from convexnn.dictionaries.reflections4 import Reflections4
from convexnn.dictionaries.selection import spread
from convexnn.progress import long_sweep

# Point pairs that one pricing may visit: about a second. Depth 4 is always streamed in full.
VISITS = 200_000_000


@dataclass(frozen=True)
class Branch:
    """All features that begin with these biases: the folded line, and a bound on all their correlations."""

    path: tuple[int, ...]
    distance: Array
    mass: Array
    marks: Array
    order: NDArray[np.int64]
    bound: float


class DeepReflections(Folds):
    """Features | ... | |x - b_1| - b_2 | ... - b_{L-1} | whose every pre-activation vanishes at a training point.

    With b_1 fixed the others are such features of u = |x - b_1|, so that a depth-L dictionary is the union over b_1 of
    depth-(L-1) dictionaries on folded lines, down to depth 3 where a fold is priced in O(N^2): O(N^(L-1)) in all. Any g
    with slopes -1 and 1 has |lam @ g(u)| <= integral of |S|, S(t) the sum of lam up to distance t: branches that cannot
    beat the best feature known are not visited. If more branches remain than ``VISITS`` allows, at each level those
    with the largest bounds are kept; ``price`` then returns the best features *found*, but as the maximum a bound on
    all: the duality gap says by how much the search may be short.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    depth : int
        Number of layers of weights, at least 4.
    midpoints : bool
        Whether all features of ``Reflections4`` belong to the dictionary too (with zero biases after the third), so that
        no depth is worse than depth 4; without them it is the paper's library.
    candidates : ndarray of int, optional
        Indices of the points that may carry biases.

    Notes
    -----
    A row is (0, i_1, ..., i_{L-1}): b_1 = points[i_1], and b_l is where the first l - 1 folds take points[i_l]; or it is
    a row (kind, i, j, k) of ``Reflections4`` with kind > 0, its last entry repeated. The set is not known to contain an
    optimal unit over all real biases: ``exact`` is False.
    """

    exact = False

    def __init__(
        self, points: Array, *, depth: int, midpoints: bool = False, candidates: NDArray[np.int64] | None = None
    ) -> None:
        if depth < 4:
            raise ValueError(f"DeepReflections needs depth >= 4, got {depth}.")
        super().__init__(points, depth=depth, candidates=candidates)
        self.midpoints = midpoints
        self.shallow = Reflections4(points, candidates=candidates)

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return a bound on the largest correlation, the maximum itself if the search was complete, and a batch."""
        chains, skipped = self._search(lam, bound, limit)
        chains = replace(chains, maximum=max(chains.maximum, skipped))
        if not self.midpoints:
            return chains
        exact = self.shallow.price(lam, bound, limit)
        padding = np.repeat(exact.features[:, 3:], self.depth - 4, axis=1)
        features = np.concatenate([chains.features, np.concatenate([exact.features, padding], axis=1)])
        features, first = np.unique(features, axis=0, return_index=True)
        correlation = np.concatenate([chains.correlations, exact.correlations])[first]
        order = np.argsort(-np.abs(correlation), kind="stable")[:limit]
        return Priced(max(chains.maximum, exact.maximum), features[order], correlation[order])

    def tight(self, lam: Array, bound: float) -> Rows:
        layers, places = self.depth - 1, self.candidates.tolist()
        size = len(places) ** layers
        rows: Iterable[tuple[int, ...]] = ((0, *row) for row in itertools.product(places, repeat=layers))
        if self.midpoints:
            size += 7 * len(places) ** 3
            shallow = (row + row[-1:] * (layers - 3) for row in self.shallow.everything() if row[0] > 0)
            rows = itertools.chain(rows, shallow)
        return walk(self, rows, size, lam, bound)

    def _search(self, lam: Array, bound: float, limit: int) -> tuple[Priced, float]:
        """Return the priced batch and the largest bound of a branch that was left out."""
        lam = np.ascontiguousarray(lam, dtype=np.float64)
        chosen = self.points[self.candidates]
        root = Branch((), self.points, lam, chosen, np.arange(chosen.size), np.inf)
        beam = max(chosen.size, VISITS // (4 * chosen.size * self.points.size))
        branches, maximum, found, skipped = [root], 0.0, [], 0.0
        # A feature of a shallower network is one of every depth (its last biases repeat): visiting all levels of the
        # same beam makes a deeper search never worse than a shallower one, complete or not.
        for level in range(self.depth - 2):
            if level:
                branches, left_out = self._grow(branches, maximum, beam)
                skipped = max(skipped, left_out)
            for branch in long_sweep(branches, "pricing"):
                if branch.bound <= maximum and branch.bound <= bound:
                    break
                best, rows = self._visit(branch, bound, limit)
                maximum = max(maximum, best)
                found += rows
        # Many chains of folds are one feature on the data; equal correlations tell, a Gram matrix would cost more.
        distinct = {round(value / maximum, 13): (row, value) for row, value in reversed(found)} if found else {}
        picked = sorted(distinct.values(), key=lambda row: -abs(row[1]))[:limit]
        return batch(maximum, picked, bound, width=self.depth), skipped if skipped > maximum else 0.0

    def _grow(self, branches: list[Branch], beaten: float, beam: int) -> tuple[list[Branch], float]:
        """Return the children of the branches with the largest bounds, and the largest bound that was left out."""
        from convexnn.kernels.reflections4 import fold, fold_bounds

        bounds = np.array([fold_bounds(parent.distance, parent.mass, parent.marks) for parent in branches])
        fresh = np.array([np.diff(parent.marks, prepend=-np.inf) > 0.0 for parent in branches])
        bounds[~fresh] = -1.0
        order = np.argsort(-bounds, axis=None, kind="stable")[: np.count_nonzero(fresh)]
        children = []
        for place in order[:beam]:
            parent, k = branches[place // bounds.shape[1]], place % bounds.shape[1]
            distance, mass = np.empty_like(parent.distance), np.empty_like(parent.mass)
            marks, names = np.empty_like(parent.marks), np.empty_like(parent.marks)
            fold(parent.distance, parent.mass, parent.marks[k], distance, mass)
            fold(parent.marks, parent.order.astype(np.float64), parent.marks[k], marks, names)
            path = (*parent.path, int(parent.order[k]))
            children.append(Branch(path, distance, mass, marks, names.astype(np.int64), float(bounds.flat[place])))
        left_out = float(bounds.flat[order[beam]]) if order.size > beam else 0.0
        return children, left_out if left_out > beaten else 0.0

    def _visit(self, branch: Branch, bound: float, limit: int) -> tuple[float, list[tuple[tuple[int, ...], float]]]:
        """Price the depth-3 dictionary of a folded line: its maximum, and rows above the bound."""
        from convexnn.kernels.hinges import hinge_sums

        hinge, slope = hinge_sums(branch.distance, branch.mass)
        extremes = reflection_families(branch.distance, branch.mass, hinge, slope, branch.marks, False)
        families = [2.0 * extreme - hinge[0] for extreme in extremes]
        maximum = max(float(np.abs(family).max()) for family in families)
        rows = []
        for family, place in spread(families, bound, min(limit, 4)):
            other, value = best_partner(family, place, branch.marks, branch.distance, hinge)
            names = [*branch.path, int(branch.order[place]), int(branch.order[other])]
            # The pre-activation of the last named point is zero already, so that naming it again adds a zero bias.
            names += names[-1:] * (self.depth - 1 - len(names))
            rows.append(((0, *(int(self.candidates[n]) for n in names)), value))
        return maximum, rows

    def biases(self, features: Rows, points: Array | None = None) -> Array:
        """Return b_1, ..., b_{L-1}."""
        points = self.points if points is None else points
        features = np.asarray(features, dtype=np.int64).reshape(-1, self.depth)
        biases = np.empty((len(features), self.depth - 1))
        for layer in range(self.depth - 1):
            h = points[features[:, layer + 1]]
            for before in range(layer):
                h = np.abs(h - biases[:, before])
            biases[:, layer] = h
        other = features[:, 0] > 0
        biases[other, :3] = self.shallow.biases(features[other, :4], points)
        biases[other, 3:] = 0.0
        return biases
