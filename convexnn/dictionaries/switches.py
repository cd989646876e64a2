"""Deep sign and threshold networks, parallel and tree: all two-valued vectors with a bounded number of switches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Array, Origin, Pieces, Priced, Rows, SwitchDictionary, Units
from convexnn.dictionaries.selection import spread

# Entries of one table of the dynamic programme; beyond it runs are merged greedily, in O(N log N) and O(N) memory.
TABLE_LIMIT = 4_000_000
# Vectors that a list of all tight ones may hold.
VECTORS = 20_000
# Table entries that tilted dual vectors may cost in one pricing: about a tenth of a second.
WAVES = 8_000_000


class Switches(SwitchDictionary):
    """Functions with two values and at most K switches, K = min(N - 1, m_1 m_2 ... m_{L-2}).

    A unit of a sign or threshold network of depth L >= 3 sees x only through the thresholds of its first layer, so it
    switches at most once per neuron there: at most m times in a parallel unit of first width m, and at most the product
    of the widths in a tree unit, whose every neuron has children of its own. Conversely every such function is a unit
    (theory section 5), so that the dictionary is exact.

    Parameters
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    widths : tuple of int
        m_1, ..., m_{L-2}; a parallel network of first width m has widths (m, 1, ..., 1).
    low : float
        The lower value: -1 for sign, 0 for threshold; the upper one is 1.
    candidates : ndarray of int, optional
        Indices i such that a switch between points i and i + 1 is allowed; ``exact`` is then False.

    Notes
    -----
    A row holds the switches in order, i meaning between points i and i + 1, and -1 beyond the last one. The function is
    low left of the first switch. Switches are placed midway between the points, where the value is already the new one.
    """

    homogeneous = False
    kind = "switches"
    first_place = 0

    def __init__(
        self, points: Array, *, widths: tuple[int, ...], low: float, candidates: NDArray[np.int64] | None = None
    ) -> None:
        if len(widths) < 1 or min(widths) < 1:
            raise ValueError(f"Switches need at least one width, all positive, got {widths}.")
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.widths = tuple(int(width) for width in widths)
        self.low = float(low)
        self.height = 1.0 - self.low
        self.exact = candidates is None
        gaps = np.arange(self.points.size - 1)
        self.gaps = gaps if candidates is None else np.intersect1d(candidates, gaps)
        self.switches = min(self.gaps.size, math.prod(self.widths))

    def adopt(self, features: Rows) -> Rows:
        """Return the rows with room for as many switches as these candidates allow."""
        return np.pad(features, ((0, 0), (0, self.switches)), constant_values=-1)[:, : self.switches]

    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum and a batch of distinct vectors that switch at different places.

        O(N K) by dynamic programming; O(N) if every pattern is allowed (K = N - 1), O(N log N) for very large K.
        """
        lam = np.asarray(lam, dtype=np.float64)
        if self.switches == 0:
            return Priced(0.0, np.empty((0, 0), dtype=np.int64), np.empty(0))
        sums = np.add.reduceat(lam, np.concatenate([[0], self.gaps + 1]))
        if self.switches == self.gaps.size:
            levels = self._all_patterns(sums, limit)
            rows = [self.gaps[np.flatnonzero(np.diff(level))] for level in levels]
        else:
            rows = self._few_switches(sums, bound, limit)
        return self._priced(sums, rows, bound, limit)

    def tight(self, lam: Array, bound: float) -> Rows:
        """Return every vector above the bound by depth-first search; what the tables promise prunes it exactly."""
        from convexnn.kernels.switches import switch_tables

        if self.switches == 0:
            return np.empty((0, 0), dtype=np.int64)
        lam = np.asarray(lam, dtype=np.float64)
        sums = np.add.reduceat(lam, np.concatenate([[0], self.gaps + 1]))
        if sums.size * (self.switches + 1) > TABLE_LIMIT:
            raise ValueError(f"{self.switches} switches among {sums.size} places: too many to list those that are tight")
        # lam sums to zero: a vector of low and 1 scores (1 - low) / 2 of what its signs score
        floor = bound * 2.0 / (1.0 - self.low)
        before, (_, backward) = np.concatenate([[0.0], np.cumsum(sums)]), switch_tables(sums, self.switches)
        rows: list[tuple[int, ...]] = []
        pending: list[tuple[tuple[int, ...], int, int, float]] = [((), -1, level, 0.0) for level in (0, 1)]
        while pending:
            row, start, level, score = pending.pop()
            sign, left = 2 * level - 1, self.switches - len(row)
            if row and score + sign * (before[-1] - before[start + 1]) >= floor:
                rows.append(row + (-1,) * left)
            if len(rows) + len(pending) > VECTORS:
                raise ValueError(f"More than {VECTORS} vectors are tight: the optimal set is too large to describe")
            if left:
                ends = np.arange(start + 1, sums.size - 1)
                stay = score + sign * (before[ends + 1] - before[start + 1])
                able = ends[stay + backward[ends + 1, left - 1, 1 - level] >= floor].tolist()
                pending += [((*row, int(self.gaps[end])), end, 1 - level, float(stay[end - start - 1])) for end in able]
        return np.unique(np.array(rows, dtype=np.int64).reshape(-1, self.switches), axis=0)

    def _priced(self, sums: Array, rows: list[NDArray[np.int64]], bound: float, limit: int) -> Priced:
        features = np.full((len(rows), self.switches), -1, dtype=np.int64)
        for feature, row in zip(features, rows, strict=True):
            feature[: row.size] = row
        features = np.unique(features, axis=0)
        correlation = np.empty(len(features))
        # Between group sums the vectors are exact, and a constant does not matter: lam sums to zero.
        starts = np.concatenate([self.gaps, [-1]])
        for k, feature in enumerate(features):
            cuts = np.searchsorted(self.gaps, feature[feature >= 0]) + 1
            level = np.zeros(starts.size, dtype=np.int64)
            level[cuts] = 1
            level = np.cumsum(level) % 2
            correlation[k] = self.height * np.sum(sums[level == 1])
        order = np.argsort(-np.abs(correlation), kind="stable")
        maximum = float(np.abs(correlation[order[0]]))
        order = order[np.abs(correlation[order]) > bound][:limit]
        return Priced(maximum, features[order], correlation[order])

    def _all_patterns(self, sums: Array, limit: int) -> list[NDArray[np.int64]]:
        """Return sum > t for levels t around zero: t = 0 is the maximum, and an optimum is made of such patterns."""
        count = min(limit, sums.size)
        cuts = np.quantile(sums, (np.arange(count) + 0.5) / count) if count else np.empty(0)
        return [np.asarray(sums > cut, dtype=np.int64) for cut in np.concatenate([[0.0], cuts])]

    def _few_switches(self, sums: Array, bound: float, limit: int) -> list[NDArray[np.int64]]:
        """Return the best vector and, if it is above the bound, variants of it.

        The best vectors through each boundary share all switches but one with the very best. An optimum needs vectors
        that differ in all of them: the best ones for the dual vector tilted by waves, slightly.
        """
        from convexnn.kernels.switches import best_through, switch_tables, switches_through

        ends, runs = _runs(sums)
        budget = min(self.switches, ends.size)
        if budget == 0:
            return [self.gaps[:0]]
        if runs.size * (budget + 1) > TABLE_LIMIT:
            return self._merged(ends, runs, budget)
        tables = switch_tables(runs, budget)
        value, left, level = best_through(*tables, budget)
        best = int(np.argmax(value))
        places = [best]
        # A level difference of 1 - low is half of what the +-1 vectors of the tables score at low = 0.
        if 0.5 * self.height * value[best] > bound:
            places += [place for _, place in spread([value], 0.0, limit // 2) if place != best]
        found = [switches_through(place, left[place], level[place], *tables, budget) for place in places]
        rows = [self.gaps[ends[row[row >= 0]]] for row in found]
        waves = min(limit, sums.size, max(4, WAVES // tables[0].size))
        for tilt in range(waves if len(places) > 1 else 0):
            ends, runs = _runs(sums + _wave(sums, tilt))
            budget = min(self.switches, ends.size)
            if budget:
                tables = switch_tables(runs, budget)
                value, left, level = best_through(*tables, budget)
                best = int(np.argmax(value))
                row = switches_through(best, left[best], level[best], *tables, budget)
                rows.append(self.gaps[ends[row[row >= 0]]])
        return rows

    def _merged(self, ends: NDArray[np.int64], runs: Array, budget: int) -> list[NDArray[np.int64]]:
        """Return the best vectors for budgets from ``budget`` down, for each pair of outer levels."""
        from convexnn.kernels.switches import merge_runs

        rows = []
        for first, last in ((-1, -1), (1, 1), (-1, 1), (1, -1)):
            most = budget - (budget + (first != last)) % 2
            for allowed in range(most, -1, -2 * max(1, most // 8)):
                level = merge_runs(runs, allowed, first, last)
                rows.append(self.gaps[ends[np.flatnonzero(np.diff(level))]])
        return rows

    def steps_at(self, features: Rows, points: Array | None) -> Array:
        """Return the places of the switches, in order; inf beyond the last."""
        points = self.points if points is None else points
        left = np.asarray(points)[np.maximum(features, 0)]
        right = np.asarray(points)[np.minimum(features + 1, len(points) - 1)]
        middle = 0.5 * left + 0.5 * right
        # Between neighbouring floats there is no number: the switch is then at the right one.
        return np.where(features < 0, np.inf, np.where(middle > left, middle, right))

    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the value low or 1 by the parity of the number of switches at or before x."""
        out = np.empty((len(x), len(features)))
        for k, steps in enumerate(self.steps_at(features, points)):
            out[:, k] = np.where(np.searchsorted(steps, x, side="right") % 2 == 1, 1.0, self.low)
        return out

    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return as many breakpoints as the longest feature has switches; shorter ones repeat their last."""
        steps = self.steps_at(features, points)[:, : self._longest(features)]
        used = np.maximum(np.sum(np.isfinite(steps), axis=1), 1)
        column = np.minimum(np.arange(steps.shape[1]), used[:, None] - 1)
        steps = np.where(np.isfinite(steps), steps, np.take_along_axis(steps, column, axis=1))
        parity = np.concatenate([np.zeros_like(column[:, :1]), column + 1], axis=1) % 2
        values = np.where(parity == 1, 1.0, self.low)
        return Pieces(steps, values, np.zeros(values.shape))

    def represent(self, levels: Array) -> tuple[Rows, Array]:
        jumps = np.diff(levels)
        places = np.flatnonzero(jumps)
        features = np.full((places.size, self.switches), -1, dtype=np.int64)
        features[:, 0] = places
        return features, jumps[places] / self.height

    def level_starts(self, features: Rows) -> NDArray[np.int64]:
        return np.unique(np.concatenate(([0], features[features >= 0] + 1)))

    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return ("midpoint", (i, i + 1)) per feature and breakpoint of ``pieces``."""
        described: list[list[Origin]] = []
        for row in features[:, : self._longest(features)]:
            used = [int(i) for i in row if i >= 0]
            used += used[-1:] * (row.size - len(used))
            described.append([("midpoint", (i, i + 1)) for i in used])
        return described

    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return networks no wider than the features need.

        Consecutive switches share a parent. A neuron that sees its children equal to the function on their own stretch,
        constant before and after, sees the function plus a constant, because each child ends at the value at which the
        next one starts; its bias takes the constant away and puts the two levels on both sides of zero.
        """
        steps = self.steps_at(features, points)[:, : self._longest(features)]
        used = np.isfinite(steps)
        widths = self._trimmed_widths(steps.shape[1])
        leaves = math.prod(widths)
        steps = np.pad(steps, ((0, 0), (0, leaves - steps.shape[1])), constant_values=np.inf)
        used = np.pad(used, ((0, 0), (0, leaves - used.shape[1])))
        shift = 0.0 if self.low < 0 else -0.5
        # A neuron without a switch is constant and has no weight to its parent.
        weights = [np.asarray(used, dtype=np.float64)[:, None, :]]
        biases = [np.where(used, -np.where(used, steps, 0.0), 1.0)]
        count = used.sum(axis=1, keepdims=True)
        parent = leaves // widths[0]
        rising = np.where(np.arange(leaves) % 2 == 0, 1.0, -1.0) * used
        weights.append(_block_diagonal(rising, widths[0]))
        level = self._level(np.minimum(np.arange(parent) * widths[0], count))
        jumps = rising.reshape(len(steps), parent, widths[0]).sum(axis=2) if self.low < 0 else 0.0
        biases.append(level + jumps + shift)
        for width in widths[1:]:
            weights.append(_block_diagonal(np.ones_like(level), width))
            level = level.reshape(len(steps), level.shape[1] // width, width)
            biases.append(shift - level[:, :, 1:].sum(axis=2))
            level = level[:, :, 0]
        return Units(tuple(weights), tuple(biases))

    def _level(self, switches: NDArray[np.int64]) -> Array:
        return np.where(switches % 2 == 1, 1.0, self.low)

    def _longest(self, features: Rows) -> int:
        return max(1, int(np.sum(features >= 0, axis=1).max(initial=0)))

    def _trimmed_widths(self, leaves: int) -> list[int]:
        widths = []
        for width in self.widths:
            widths.append(max(1, min(width, leaves)))
            leaves = -(-leaves // widths[-1])
        return widths


def _block_diagonal(children: Array, width: int) -> Array:
    """Arrange the outgoing weights (k, n) of children, ``width`` to a parent, as (k, n, n / width)."""
    count, size = children.shape
    out = np.zeros((count, size, size // width))
    out[:, np.arange(size), np.arange(size) // width] = children
    return out


def _runs(sums: Array) -> tuple[NDArray[np.int64], Array]:
    """Return where the sign of the sums changes, and the sums of the runs between.

    An optimal vector never switches between two groups of one sign: it would not lose by moving the switch.
    """
    ends = np.flatnonzero(np.diff(np.sign(sums)) != 0)
    return ends, np.add.reduceat(sums, np.concatenate([[0], ends + 1]))


def _wave(sums: Array, number: int) -> Array:
    """Return the tilt of this number: cosines and sines of either sign, slowly rising frequency and three sizes."""
    phase = np.pi * (number // 4 + 1) * (np.arange(sums.size) + 0.5) / sums.size
    size = 0.3 * 0.25 ** (number // 2 % 3) * np.abs(sums).mean()
    return size * (1 - number // 2 % 2 * 2) * (np.sin(phase) if number % 2 else np.cos(phase))
