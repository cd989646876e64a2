"""The best linear spline with kinks at given knots, and what its dual point says of all other points (theory section 4).

Between knots the fit is linear, and with the signs of its kinks known the penalty is linear, so that the fit on given
knots is one tridiagonal solve. A sweep then prices all points: the curve F(a) = sum_n lam_n max(x_n - a, 0) must stay
in a band, touches it at the knots, and each excursion beyond it may add a knot.

The norms differ in three numbers (:class:`SplineNorm`): how much a kink costs, whether the sum of the two outer slopes is
penalised too, and whether the tails are flat. Where the outer slopes count, R(f) = max over -1 <= tau <= 1 of
(kink - |tau| (kink - 1/2)) TV(f') + tau (f'_first + f'_last) / 2, and tau beta is the first moment of the dual point.

Importing this module loads the compiled loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import SplineDictionary
from convexnn.duality import Gap, Problem, Violations, bound
from convexnn.kernels.blocks import block_table, price_segments, segment_sums
from convexnn.kernels.splines import SHORT, crossings, drop_knots, fit_knots, insert_knots
from convexnn.solvers.solution import Spline

Array = NDArray[np.float64]
SLACK = 1e-14
NOTHING = np.empty(0)
NONE, NO_RATIOS = (np.empty((0, 2), np.int64),), (NOTHING,)


class State(NamedTuple):
    """Knots, the signs of their kinks (0: a flat end), segment sums, values at the knots, slopes between them, and tau.

    The slopes are kept beside the values: across a tiny gap they cannot be told from these.
    """

    knots: NDArray[np.int32]
    signs: NDArray[np.int8]
    sums: Array
    values: Array
    slopes: Array
    tau: float

    def bare(self) -> State:
        """Return what a restricted optimum follows from: the state without its values and slopes."""
        return State(self.knots, self.signs, self.sums, NOTHING, NOTHING, self.tau)


class Sweep(NamedTuple):
    """What pricing found: the certificate, and the places and sides of excursions; sides of the ends if they leave."""

    gap: Gap
    places: NDArray[np.int32]
    sides: NDArray[np.int8]
    peaks: Array
    ends: tuple[int, int]
    end_peaks: tuple[float, float]

    def strongest(self, low: float, high: float, pair: bool) -> Sweep:
        """Return the sweep with its farthest excursion alone: enough to go down, and nothing in the way.

        A flat fit, which has no kinks yet, needs a ``pair``: the farthest of each side.
        """
        peaks = np.concatenate((self.peaks, self.end_peaks))
        sides = np.concatenate((self.sides, self.ends))
        beyond = np.where(sides > 0, peaks - high, np.where(sides < 0, low - peaks, -np.inf))
        kept = np.zeros(peaks.size, bool)
        kept[np.argmax(beyond)] = True
        if pair and (sides == -sides[kept]).any():
            kept[np.argmax(np.where(sides == -sides[kept], beyond, -np.inf))] = True
        ends = (self.ends[0] if kept[-2] else 0, self.ends[1] if kept[-1] else 0)
        inner = kept[:-2]
        return self._replace(places=self.places[inner], sides=self.sides[inner], peaks=self.peaks[inner], ends=ends)


class Fitter:
    """The problem in function space: data, norm and beta, with the steps that the driver combines.

    ``table`` is what an earlier fitter made of the same data.
    """

    def __init__(self, problem: Problem, table: Array | None = None):
        dictionary = problem.dictionaries[0]
        assert isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None
        self.norm = dictionary.spline_norm
        self.beta = float(problem.betas[0])
        self.x, y, w = problem.data.axes[0].points, problem.data.y, problem.data.w
        self.table: Array = block_table(self.x, y, w) if table is None else table
        self.data = self.x, y, w, self.table
        self.most_sums = self.x.size // (SHORT + 1) + 1

    def begin(self, start: Spline | None) -> State:
        """Return the best line (or, with flat tails, constant), or the best spline with kinks where ``start`` has them."""
        knots, signs, slopes = np.array([0, self.x.size - 1], np.int32), np.zeros(2, np.int8), np.zeros(1)
        sums = np.array([segment_sums(*self.data, *knots)])  # of their type, for which it is compiled anyway
        line = State(knots, signs, sums, np.zeros(2), slopes, 0.0)
        if start is None:
            return self.settle(line, 1.0)
        turns = np.diff(start.slopes[1:-1], prepend=0.0, append=0.0)
        kinks = np.sign(turns).astype(np.int8)
        if self.norm.flat:
            signs[:] = kinks[[0, -1]]
        inner = np.flatnonzero(kinks[1:-1]) + 1
        return self.settle(self.insert(line, start.knots[inner], kinks[inner]), 1.0)

    def again(self, state: State) -> State:
        """Return the restricted optimum that a bare state was."""
        if state.values.size:
            return state
        values, slopes = np.empty(state.knots.size), np.empty(state.knots.size - 1)
        return state._replace(values=values, slopes=slopes, tau=self.refit(state, values, slopes)[0])

    def resettle(self, state: State) -> State:
        """Return the best spline with kinks where the state of another fitter for the same data has them."""
        values, slopes = np.empty(state.knots.size), np.empty(state.knots.size - 1)
        return self.settle(State(state.knots.copy(), state.signs.copy(), state.sums, values, slopes, 0.0), 1.0)

    def bands(self, tau: float) -> tuple[float, float]:
        """Return the bounds of F."""
        half = self.beta * (self.norm.kink - abs(tau) * (self.norm.kink - 0.5))
        return 0.5 * self.beta * tau - half, 0.5 * self.beta * tau + half

    def penalty(self, state: State, turns: float) -> tuple[float, float]:
        """Return R(f), and what the dual point pairs with f over beta; equal but for rounding.

        ``turns`` is the variation of the slopes.
        """
        kink, first, last = self.norm.kink, float(state.slopes[0]), float(state.slopes[-1])
        if self.norm.flat:
            turns += abs(first) + abs(last)
        if not self.norm.coupled:
            return kink * turns, kink * turns
        paired = (kink - abs(state.tau) * (kink - 0.5)) * turns + 0.5 * state.tau * (first + last)
        return max(kink * turns, 0.5 * (turns + abs(first + last))), paired

    def price(self, state: State) -> Sweep:
        """Certify a restricted optimum and find where its dual point leaves the band."""
        low, high = self.bands(state.tau)
        forces = self.forces(state, state.tau)
        tied = self.tied(state)
        if state.knots.size == 2 and all(tied):
            # no kink anchors F, which is known up to a constant: centre its range in the band
            forces[:] = 0.0
            _, least, greatest, first, *_ = self._sweep(state, forces, 0.0, 0.0)[0]
            forces[:] = -0.5 * (min(least, first) + max(greatest, first))
        slack = SLACK * self.beta
        low, high = low - slack, high + slack
        found, places, sides, peaks = self._sweep(state, forces, low, high)
        _, least, greatest, first, last, squares, mismatch, turns = found
        kink = self.norm.kink
        if self.norm.flat:
            least, greatest = min(least, first, last), max(greatest, first, last)
            ratio = (greatest - least) / (2.0 * kink * self.beta)
        else:
            shift = state.tau * self.beta
            upper = greatest + max((kink - 1.0) * shift, -kink * shift)
            lower = least + min((kink - 1.0) * shift, -kink * shift)
            ratio = max(upper, -lower) / (kink * self.beta)
        norm, paired = self.penalty(state, turns)
        certificate = bound(Violations(ratio, NONE, NO_RATIOS), squares, mismatch, self.beta * norm, self.beta * paired)
        left = int(first > high) - int(first < low) if tied[0] else 0
        right = int(last > high) - int(last < low) if tied[1] else 0
        return Sweep(certificate, places, sides, peaks, (left, right), (first, last))

    def _sweep(self, state: State, forces: Array, low: float, high: float):
        most = self.x.size - state.knots.size  # pages that are never touched cost nothing
        places, sides, peaks = np.empty(most, np.int32), np.empty(most, np.int8), np.empty(most)
        curve = state.knots, state.signs, state.values, state.slopes, forces, *self.tied(state)
        found = price_segments(*self.data, *curve, low, high, places, sides, peaks)
        count = found[0]
        return found, places[:count].copy(), sides[:count].copy(), peaks[:count].copy()

    def tied(self, state: State) -> tuple[bool, bool]:
        """Return whether the ends are flat: no kink there."""
        return self.norm.flat and state.signs[0] == 0, self.norm.flat and state.signs[-1] == 0

    def insert(self, state: State, places: NDArray[np.int32], sides: NDArray[np.int8]) -> State:
        """Add knots on the spline, without a kink yet."""
        size = state.knots.size + places.size
        knots, signs = np.empty(size, np.int32), np.empty(size, np.int8)
        sums, values, slopes = np.empty((min(size, self.most_sums), 5)), np.empty(size), np.empty(size - 1)
        long = insert_knots(*self.data, *state[:5], places, sides, knots, signs, sums, values, slopes)
        return State(knots, signs, sums[:long], values, slopes, state.tau)

    def extend(self, state: State, sweep: Sweep) -> State:
        """Add a knot for every excursion."""
        extended = self.insert(state, sweep.places, sweep.sides)
        for end in (0, -1):
            if sweep.ends[end]:
                extended.signs[end] = sweep.ends[end]
        return extended

    def forces(self, state: State, tau: float) -> Array:
        """Return F at kinks downwards and upwards, at the first point and at the last."""
        low, high = self.bands(tau)
        if self.norm.flat:
            return np.array([low, high, high if state.signs[0] > 0 else low, high if state.signs[-1] > 0 else low])
        return np.array([low, high, self.beta * tau, 0.0])

    def refit(self, state: State, values: Array, slopes: Array) -> tuple[float, bool]:
        """Minimise over the values at the knots, and over tau, with the signs of the kinks fixed.

        Returns tau, and whether all kinks are known to have come out with their signs.
        """
        forces = self.forces(state, 0.0)
        turned, right = self.fit(state, forces, forces, 0.0, values, slopes)
        if not self.norm.coupled or self.excess(turned, slopes, side := _side(slopes)) <= 0.0:
            return 0.0, right
        # where the kinks' signed variation comes out negative it was the wrong side: the optimum has it positive
        tau, turned = self._lean(state, side, values, slopes)
        if turned < 0.0:
            tau, turned = self._lean(state, -side, values, slopes)
            if turned <= 0.0:
                tau, turned = self._lean(state, side, values, slopes)
        return tau, False

    def _lean(self, state: State, side: float, values: Array, slopes: Array) -> tuple[float, float]:
        """Minimise over the values, and over tau between zero and ``side``, at which the outer slopes hold it.

        Returns tau, and what the kinks turn.
        """
        # F is linear in e = 1 - |tau|, and e is small where a kink is close to an end
        forces = self.forces(state, side)
        change = self.forces(state, 0.0) - forces
        turned, _ = self.fit(state, forces, change, 0.0, values, slopes)
        short = self.excess(turned, slopes, side)
        if short >= 0.0:
            return side, turned
        rise = self.excess(self.fit(state, forces, change, -1.0, values, slopes)[0], slopes, side)
        e = min(1.0, -short / rise) if rise > 0.0 else 1.0
        turned, _ = self.fit(state, forces, change, e, values, slopes)
        self.balance(state, self.excess(turned, slopes, side), side, slopes)
        return side * (1.0 - e), turned

    def fit(
        self, state: State, forces: Array, change: Array, share: float, values: Array, slopes: Array
    ) -> tuple[float, bool]:
        """Write the values and slopes that answer to these forces: see :func:`convexnn.kernels.splines.fit_knots`."""
        return fit_knots(*self.data, *state[:3], forces, change, share, *self.tied(state), values, slopes)

    def excess(self, turned: float, slopes: Array, side: float) -> float:
        """Return by how much the cost of the outer slopes exceeds what the kinks pay for: zero for -1 < tau < 1."""
        return 0.5 * side * float(slopes[0] + slopes[-1]) - (self.norm.kink - 0.5) * turned

    def balance(self, state: State, excess: float, side: float, slopes: Array) -> None:
        """Make the excess zero to the last digit by an outer slope, the one that rounding has hit if there is one."""
        if slopes.size == 1:
            slopes[0] = 0.0
            return
        rates = [0.5 * side + (self.norm.kink - 0.5) * sign for sign in (int(state.signs[1]), -int(state.signs[-2]))]
        gaps = [self.x[state.knots[1]] - self.x[state.knots[0]], self.x[state.knots[-1]] - self.x[state.knots[-2]]]
        end = 0 if abs(rates[0]) / gaps[0] >= abs(rates[1]) / gaps[1] else 1
        if rates[end] != 0.0:
            slopes[-end] -= excess / rates[end]

    def settle(self, state: State, share: float) -> State:
        """Refit and drop knots whose kink has the wrong sign, until all are right; the arrays of the state are used up.

        ``share`` of the wrong ones, those that cross zero first on the way from the values before, are dropped at a time.
        With share 0 it is the first, and the values move only as far as its crossing: then the objective never rises,
        and every call ends.
        """
        flat, (aim, steps) = self.norm.flat, (state.values, state.slopes)
        if share < 1.0:
            aim, steps = np.empty_like(aim), np.empty_like(steps)
        while True:
            tau, right = self.refit(state, aim, steps)
            if right:
                return State(state.knots, state.signs, state.sums, aim, steps, tau)
            reach = 1.0
            if share < 1.0:
                times = crossings(state.signs, state.slopes, steps, flat)
                if times.size:
                    rank = max(0, int(share * times.size) - 1)
                    times.partition(rank)
                    reach = float(times[rank])
                    if share == 0.0:
                        state.values[:] += min(reach, 1.0) * (aim - state.values)
            sums = np.empty((min(state.knots.size, self.most_sums), 5))
            dropped, size, long = drop_knots(
                *self.data, state.knots, state.signs, state.sums, state.values, state.slopes, steps, flat, reach, sums
            )
            if not dropped:
                return state._replace(values=aim, slopes=steps, tau=tau)
            aim, steps = aim[:size], steps[: size - 1]
            kept = state.values[:size], state.slopes[: size - 1]
            state = State(state.knots[:size], state.signs[:size], sums[:long].copy(), *kept, tau)


def _side(slopes: Array) -> float:
    return 1.0 if slopes[0] + slopes[-1] > 0.0 else -1.0
