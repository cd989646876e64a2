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
from convexnn.dictionaries.sums import ramp_sums
from convexnn.duality import RESOLUTION, Gap, Problem, Violations, better, bound
from convexnn.kernels.blocks import BLOCK, describe_blocks, price_segments, segment_sums
from convexnn.kernels.settling import BOLD, CAREFUL, SAFE, STILL, anchor, band, settle_knots
from convexnn.kernels.splines import SHORT, insert_knots
from convexnn.solvers.solution import Spline

Array = NDArray[np.float64]
SLACK = 1e-14
BEGINNING = 24  # knots
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


def block_table(x: Array, y: Array, w: Array) -> Array:
    """Return what is known of the data block by block."""
    table = np.empty((x.size // BLOCK, 9))
    describe_blocks(x, y, w, table, np.empty(BLOCK))
    return table


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
        self.room = np.empty((3, 4))  # for multipliers
        self.most_sums = self.x.size // (SHORT + 1) + 1

    def begin(self, start: Spline | None) -> State:
        """Return the best spline with kinks where ``start`` has them, else where one without penalty, on few knots, has."""
        knots = np.array([0, self.x.size - 1], np.int32)
        sums = np.array([segment_sums(*self.data, *knots)])  # of their type, for which it is compiled anyway
        line = State(knots, np.ones(2, np.int8), sums, np.zeros(2), np.zeros(1), 0.0)
        if start is not None:
            kinks = self._kinks(start.slopes[1:-1])
            return self.settle(self.insert(line._replace(signs=kinks[[0, -1]]), start.knots[1:-1], kinks[1:-1]), BOLD)
        count = min(self.x.size // 4, BEGINNING)
        places = (np.arange(1, count + 1) * (self.x.size - 1) // (count + 1)).astype(np.int32)
        state = self.insert(line, places, np.ones(count, np.int8))
        fit, free = (state.values, state.slopes), (0.0, self.norm.kink, False, self.norm.flat)
        settle_knots(*self.data, *state[:3], state.sums, *free, *fit, *fit, *fit[::-1], self.room, STILL)
        return self.settle(state._replace(signs=self._kinks(state.slopes)), CAREFUL)

    def _kinks(self, slopes: Array) -> NDArray[np.int8]:
        """Return the signs of the kinks at the knots, zero at ends that have none."""
        kinks = np.zeros(slopes.size + 1, np.int8)
        kinks[1:-1] = np.where(slopes[1:] > slopes[:-1], 1, -1)
        if self.norm.flat:
            kinks[0], kinks[-1] = np.sign(slopes[0]), -np.sign(slopes[-1])
        return kinks

    def again(self, state: State) -> State:
        """Return the restricted optimum that a bare state was."""
        if state.values.size:
            return state
        values, slopes = np.empty(state.knots.size), np.empty(state.knots.size - 1)
        fit = values, slopes
        tau, _, _ = settle_knots(*self.data, *state[:3], state.sums, *self.costs, *fit, *fit, *fit[::-1], self.room, STILL)
        return state._replace(values=values, slopes=slopes, tau=tau)

    def resettle(self, state: State) -> State:
        """Return the best spline with kinks where the state of another fitter for the same data has them."""
        values, slopes = np.empty(state.knots.size), np.empty(state.knots.size - 1)
        return self.settle(State(state.knots.copy(), state.signs.copy(), state.sums.copy(), values, slopes, 0.0), BOLD)

    @property
    def costs(self) -> tuple[float, float, bool, bool]:
        """The penalty and the norm, as numbers."""
        return self.beta, self.norm.kink, self.norm.coupled, self.norm.flat

    def bands(self, tau: float) -> tuple[float, float]:
        """Return the bounds of F."""
        return band(self.beta, self.norm.kink, tau, 0.5 * self.beta * tau)

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
            x, y, w, _ = self.data
            curve = ramp_sums(x, w * (y - state.values[0]))
            forces[:] = -0.5 * (float(curve.min()) + float(curve.max()))
        slack = SLACK * self.beta
        low, high = low - slack, high + slack
        found, places, sides, peaks = self._sweep(state, forces, tied, low, high)
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

    def _sweep(self, state: State, forces: Array, tied: tuple[bool, bool], low: float, high: float):
        most = self.x.size - state.knots.size  # pages that are never touched cost nothing
        places, sides, peaks = np.empty(most, np.int32), np.empty(most, np.int8), np.empty(most)
        knots, signs, _, values, slopes, _ = state
        curve = knots, signs, values, slopes, forces, *tied
        found = price_segments(*self.data, *curve, low, high, places, sides, peaks)
        count = found[0]
        return found, places[:count].copy(), sides[:count].copy(), peaks[:count].copy()

    def tied(self, state: State) -> tuple[bool, bool]:
        """Return whether the ends are flat: no kink there."""
        return self.norm.flat and state.signs[0] == 0, self.norm.flat and state.signs[-1] == 0

    def better(self, state: State, sweep: Sweep, old: State, old_sweep: Sweep) -> bool:
        """Return whether a restricted optimum is better than an old one: :func:`better`, where objectives can tell.

        Of noise the best network may explain a part in 1e12: then what the two explain is compared.
        """
        new, best = sweep.gap, old_sweep.gap
        if abs(new.primal - best.primal) <= RESOLUTION * best.primal:
            gain, least = self._gain(state), self._gain(self.again(old))
            if abs(gain - least) > 1e-10 * abs(least):
                return gain > least
        return better(new, best)

    def _gain(self, state: State) -> float:
        """Return by how much the objective is below that of zero, without the squares of the targets, which cancel."""
        x, y, w, _ = self.data
        fit = np.interp(x, x[state.knots], state.values)
        norm, _ = self.penalty(state, float(np.abs(np.diff(state.slopes)).sum()))
        return float(np.einsum("i,i,i->", w, fit, y - 0.5 * fit)) - self.beta * norm

    def insert(self, state: State, places: NDArray[np.int32], sides: NDArray[np.int8]) -> State:
        """Add knots on the spline, without a kink yet."""
        size = state.knots.size + places.size
        knots, signs = np.empty(size, np.int32), np.empty(size, np.int8)
        sums, values, slopes = np.empty((min(size, self.most_sums), 5)), np.empty(size), np.empty(size - 1)
        insert_knots(*self.data, *state[:5], places, sides, knots, signs, sums, values, slopes)
        return State(knots, signs, sums, values, slopes, state.tau)

    def extend(self, state: State, sweep: Sweep) -> State:
        """Add a knot for every excursion."""
        extended = self.insert(state, sweep.places, sweep.sides)
        for end in (0, -1):
            if sweep.ends[end]:
                extended.signs[end] = sweep.ends[end]
        return extended

    def forces(self, state: State, tau: float) -> Array:
        """Return F at kinks downwards and upwards, at the first point and at the last."""
        forces = np.empty((1, 4))
        norm, middle = self.norm, 0.5 * self.beta * tau
        anchor(self.beta, norm.kink, norm.flat, state.signs[0], state.signs[-1], tau, middle, forces, 0)
        return forces[0]

    def tries(self, state: State, sweep: Sweep) -> list[float]:
        """Return how patient to be in the rounds that follow a state, until one is better than it.

        Patience spares rounds, but with many knots its fits take longer than those.
        """
        knots = state.knots.size + sweep.places.size
        return [CAREFUL, SAFE] if knots * knots < self.x.size else [BOLD, CAREFUL, SAFE]

    def settle(self, state: State, patience: float) -> State:
        """Refit and drop knots whose kink has the wrong sign, until all are right; the arrays of the state are used up.

        At a time those go that cross zero, on the way from the values before, within ``patience`` times the time of the
        first of them: the first and the next (``CAREFUL``); or only the first, and the values move no farther (``SAFE``):
        then the objective never rises, and every call ends. ``BOLD``, for which there need be no values, all go at once.
        """
        knots, signs, sums, values, slopes, _ = state
        spare = np.empty((min(knots.size, self.most_sums), 5))
        more, fewer = np.empty(knots.size), np.empty(slopes.size)
        # bold, the fit takes the place of the values before: then all crossings are at once
        aim, steps = (values, slopes) if patience == BOLD else (more, fewer)
        tau, rounds, size = settle_knots(
            *self.data, knots, signs, sums, spare, *self.costs, values, slopes, aim, steps, fewer, more, self.room, patience
        )
        return State(knots[:size], signs[:size], spare if rounds % 2 else sums, aim[:size], steps[: size - 1], tau)
