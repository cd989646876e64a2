"""Knot working-set solver: one input, networks whose norm is that of a linear spline (theory section 4).

The dictionary never exists. The unknowns are a set of knots among the data and the values of the fit there; between
knots the fit is linear, and with the signs of its kinks known the penalty is linear, so that the fit on given
knots is one tridiagonal solve. A sweep then prices all points: the curve F(a) = sum_n lam_n max(x_n - a, 0) must stay
in a band, touches it at the knots, and each excursion beyond it adds a knot.

The norms differ in three numbers (:class:`SplineNorm`): how much a kink costs, whether the sum of the two outer slopes is
penalised too, and whether the tails are flat. Where the outer slopes count, R(f) = max over -1 <= tau <= 1 of
(kink - |tau| (kink - 1/2)) TV(f') + tau (f'_first + f'_last) / 2, and tau beta is the first moment of the dual point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import CanonicalData
from convexnn.dictionaries.base import SplineDictionary
from convexnn.duality import Gap, Problem, Violations, bound, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers.solution import Solution, Spline, SplineSolution

Array = NDArray[np.float64]
SLACK = 1e-14
NONE, NO_RATIOS = (np.empty((0, 2), np.int64),), (np.empty(0),)


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

    def copied(self) -> State:
        """Return a state whose arrays may be used up."""
        knots, signs, sums, values, slopes, tau = self
        return State(knots.copy(), signs.copy(), sums, values.copy(), slopes.copy(), tau)

    def turns(self, flat: bool) -> Array:
        """Return the change of slope at every knot; at the ends zero, or with flat tails the change from or to them."""
        out = np.zeros(self.knots.size)
        out[1:-1] = self.slopes[1:] - self.slopes[:-1]
        if flat:
            out[0], out[-1] = self.slopes[0], -self.slopes[-1]
        return out


@dataclass(frozen=True)
class Sweep:
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
        return replace(self, places=self.places[inner], sides=self.sides[inner], peaks=self.peaks[inner], ends=ends)


@dataclass(frozen=True)
class Carry:
    """What a start on the same data need not compute again."""

    data: CanonicalData
    table: Array
    state: State


class Fitter:
    """The problem in function space: data, norm and beta, with the steps that the driver combines."""

    def __init__(self, problem: Problem, start: Solution | None):
        from convexnn.kernels.blocks import block_table

        dictionary = problem.dictionaries[0]
        assert isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None
        self.dictionary, self.norm = dictionary, dictionary.spline_norm
        self.beta = float(problem.betas[0])
        x, y, w = problem.data.axes[0].points, problem.data.y, problem.data.w
        carry = getattr(start, "carry", None)
        self.carry = carry if isinstance(carry, Carry) and carry.data is problem.data else None
        self.data = x, y, w, block_table(x, y, w) if self.carry is None else self.carry.table
        self.x = x

    def begin(self, start: Solution | None) -> State:
        """Return the best line (or, with flat tails, constant), or the best spline with kinks where ``start`` has them."""
        from convexnn.kernels.blocks import segment_sums

        if self.carry is not None:
            return self.settle(self.carry.state.copied(), 1.0)
        knots, signs, slopes = np.array([0, self.x.size - 1], np.int32), np.zeros(2, np.int8), np.zeros(1)
        sums = np.array([segment_sums(*self.data, 0, self.x.size - 1)])
        line = State(knots, signs, sums, np.zeros(2), slopes, 0.0)
        if start is not None and start.splines is not None:
            spline = start.splines[0]
            given = State(spline.knots, signs, sums, spline.values, spline.slopes[1:-1], 0.0)
            kinks = np.sign(given.turns(self.norm.flat)).astype(np.int8)
            inner = np.flatnonzero(kinks[1:-1]) + 1
            line = line._replace(signs=kinks[[0, -1]])
            return self.settle(self.insert(line, spline.knots[inner], kinks[inner]), 1.0)
        return self.settle(line, 1.0)

    def bands(self, tau: float) -> tuple[float, float]:
        """Return the bounds of F."""
        half = self.beta * (self.norm.kink - abs(tau) * (self.norm.kink - 0.5))
        return 0.5 * self.beta * tau - half, 0.5 * self.beta * tau + half

    def penalty(self, state: State) -> tuple[float, float]:
        """Return R(f), and what the dual point pairs with f over beta; equal but for rounding."""
        kink, slopes = self.norm.kink, state.slopes
        turns = float(np.abs(slopes[1:] - slopes[:-1]).sum())
        if self.norm.flat:
            turns += abs(float(slopes[0])) + abs(float(slopes[-1]))
        if not self.norm.coupled:
            return kink * turns, kink * turns
        ends = float(state.slopes[0] + state.slopes[-1])
        paired = (kink - abs(state.tau) * (kink - 0.5)) * turns + 0.5 * state.tau * ends
        return max(kink * turns, 0.5 * (turns + abs(ends))), paired

    def price(self, state: State) -> Sweep:
        """Certify a restricted optimum and find where its dual point leaves the band."""
        low, high = self.bands(state.tau)
        forces = self.forces(state, state.tau)
        tied = self.tied(state)
        if all(tied) and state.knots.size == 2:
            # no kink anchors F, which is known up to a constant: centre its range in the band
            forces[:] = 0.0
            _, least, greatest, first, *_ = self._sweep(state, forces, 0.0, 0.0)[0]
            forces[:] = -0.5 * (min(least, first) + max(greatest, first))
        slack = SLACK * self.beta
        found, places, sides, peaks = self._sweep(state, forces, low - slack, high + slack)
        _, least, greatest, first, last, squares, mismatch = found
        kink = self.norm.kink
        if self.norm.flat:
            least, greatest = min(least, first, last), max(greatest, first, last)
            ratio = (greatest - least) / (2.0 * kink * self.beta)
        else:
            shift = state.tau * self.beta
            upper = greatest + max((kink - 1.0) * shift, -kink * shift)
            lower = least + min((kink - 1.0) * shift, -kink * shift)
            ratio = max(upper, -lower) / (kink * self.beta)
        norm, paired = self.penalty(state)
        certificate = bound(Violations(ratio, NONE, NO_RATIOS), squares, mismatch, self.beta * norm, self.beta * paired)

        def beyond(f: float) -> int:
            return int(f > high + slack) - int(f < low - slack)

        ends = (beyond(first) if tied[0] else 0, beyond(last) if tied[1] else 0)
        return Sweep(certificate, places, sides, peaks, ends, (first, last))

    def _sweep(self, state: State, forces: Array, low: float, high: float):
        from convexnn.kernels.blocks import price_segments

        most = self.x.size - state.knots.size  # pages that are never touched cost nothing
        places, sides, peaks = np.empty(most, np.int32), np.empty(most, np.int8), np.empty(most)
        rest = state.values, forces, *self.tied(state), low, high, places, sides, peaks
        found = price_segments(*self.data, state.knots, state.signs, *rest)
        count = found[0]
        return found, places[:count].copy(), sides[:count].copy(), peaks[:count].copy()

    def tied(self, state: State) -> tuple[bool, bool]:
        """Return whether the ends are flat: no kink there."""
        return self.norm.flat and state.signs[0] == 0, self.norm.flat and state.signs[-1] == 0

    def insert(self, state: State, places: NDArray[np.int32], sides: NDArray[np.int8]) -> State:
        """Add knots on the spline, without a kink yet."""
        from convexnn.kernels.splines import insert_knots, insert_sums

        size = state.knots.size + places.size
        knots, signs = np.empty(size, np.int32), np.empty(size, np.int8)
        values, slopes = np.empty(size), np.empty(size - 1)
        old = state.knots, state.signs, state.values, state.slopes
        sums = np.empty((insert_knots(self.x, *old, places, sides, knots, signs, values, slopes), 5))
        insert_sums(*self.data, state.knots, state.sums, knots, sums)
        return State(knots, signs, sums, values, slopes, state.tau)

    def extend(self, state: State, sweep: Sweep) -> State:
        """Add a knot for every excursion."""
        extended = self.insert(state, sweep.places, sweep.sides)
        for end, side in zip((0, -1), sweep.ends, strict=True):
            if side:
                extended.signs[end] = side
        return extended

    def forces(self, state: State, tau: float) -> Array:
        """Return F at kinks downwards and upwards, at the first point and at the last."""
        low, high = self.bands(tau)
        if self.norm.flat:
            return np.array([low, high, high if state.signs[0] > 0 else low, high if state.signs[-1] > 0 else low])
        return np.array([low, high, self.beta * tau, 0.0])

    def refit(self, state: State, values: Array, slopes: Array) -> float:
        """Minimise over the values at the knots, and over tau, with the signs of the kinks fixed; return tau."""
        forces = self.forces(state, 0.0)
        turned = self._solve(state, forces, forces, 0.0, values, slopes)
        if not self.norm.coupled or self._excess(turned, slopes, side := _side(slopes)) <= 0.0:
            return 0.0
        # where the kinks' signed variation comes out negative it was the wrong side: the optimum has it positive
        tau, turned = self._lean(state, side, values, slopes)
        if turned < 0.0:
            tau, turned = self._lean(state, -side, values, slopes)
            if turned <= 0.0:
                tau, turned = self._lean(state, side, values, slopes)
        return tau

    def _lean(self, state: State, side: float, values: Array, slopes: Array) -> tuple[float, float]:
        """Minimise over the values, and over tau between zero and ``side``, at which the outer slopes hold it.

        Returns tau, and what the kinks turn.
        """
        # F is linear in e = 1 - |tau|, and e is small where a kink is close to an end
        forces = self.forces(state, side)
        change = self.forces(state, 0.0) - forces
        turned = self._solve(state, forces, change, 0.0, values, slopes)
        short = self._excess(turned, slopes, side)
        if short >= 0.0:
            return side, turned
        rise = self._excess(self._solve(state, forces, change, -1.0, values, slopes), slopes, side)
        e = min(1.0, -short / rise) if rise > 0.0 else 1.0
        turned = self._solve(state, forces, change, e, values, slopes)
        self._balance(state, self._excess(turned, slopes, side), side, slopes)
        return side * (1.0 - e), turned

    def _solve(self, state: State, forces: Array, change: Array, share: float, values: Array, slopes: Array) -> float:
        from convexnn.kernels.splines import fit_knots

        rest = forces, change, share, *self.tied(state), values, slopes
        return float(fit_knots(*self.data, *state[:3], *rest))

    def _excess(self, turned: float, slopes: Array, side: float) -> float:
        """Return by how much the cost of the outer slopes exceeds what the kinks pay for: zero for -1 < tau < 1."""
        return 0.5 * side * float(slopes[0] + slopes[-1]) - (self.norm.kink - 0.5) * turned

    def _balance(self, state: State, excess: float, side: float, slopes: Array) -> None:
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
        from convexnn.kernels.splines import drop_knots

        while True:
            aim, steps = state.values, state.slopes
            if share < 1.0:
                aim, steps = np.empty_like(aim), np.empty_like(steps)
            tau = self.refit(state, aim, steps)
            reach = 1.0 if share == 1.0 else self._reach(state, steps, share)
            values = state.values
            if share == 0.0:
                values = values + min(reach, 1.0) * (aim - values)
            sums = np.empty((max(1, self.x.size // 9), 5))
            rest = values, state.slopes, steps, self.norm.flat, reach, sums
            dropped, size, long = drop_knots(*self.data, *state[:3], *rest)
            if not dropped:
                return state._replace(values=aim, slopes=steps, tau=tau)
            knots, values = state.knots[:size], values[:size]
            slopes = state.slopes[: size - 1] if share == 1.0 else np.diff(values) / np.diff(self.x[knots])
            state = State(knots, state.signs[:size], sums[:long].copy(), values, slopes, tau)

    def _reach(self, state: State, steps: Array, share: float) -> float:
        """Return when on the way to ``steps`` a share of the kinks that cross zero have done so, at least one."""
        now = np.maximum(state.signs * state.turns(self.norm.flat), 0.0)
        turned = state.signs * state._replace(slopes=steps).turns(self.norm.flat)
        wrong = (turned <= 0.0) & (state.signs != 0)
        times = np.sort(now[wrong] / np.maximum(now[wrong] - turned[wrong], 1e-300))
        return float(times[max(0, int(share * times.size) - 1)]) if times.size else 0.0


def _side(slopes: Array) -> float:
    return 1.0 if slopes[0] + slopes[-1] > 0.0 else -1.0


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    fitter = Fitter(problem, start)
    best = state = fitter.begin(start)
    best_sweep = sweep = fitter.price(state)
    shares = (1.0, 0.25, 0.0)
    level, status = 0, ""
    for n_iter in range(1, max_iter + 1):
        if sweep is best_sweep or _better(sweep.gap, best_sweep.gap):
            best, best_sweep, level = state, sweep, 0
        elif level < 2:
            level += 1
        else:
            status = "rounding stopped the solver: no step lowers the objective any more; raise tol or alpha"
        reached = relative_gap(problem, best_sweep.gap)
        stop = report(problem.data, best_sweep.gap.primal, reached, best.knots.size)
        if reached <= tol:
            status = ""
            break
        if stop:
            status = INTERRUPTED
        if not best_sweep.places.size and not any(best_sweep.ends):
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
        if status:
            break
        added = best_sweep
        if shares[level] == 0.0:
            added = best_sweep.strongest(*fitter.bands(best.tau), pair=fitter.norm.flat and best.knots.size == 2)
        state = fitter.settle(fitter.extend(best, added), shares[level])
        sweep = fitter.price(state)
    else:
        status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    carry = Carry(problem.data, fitter.data[-1], best)
    spline = spline_of(problem, best.knots, best.values, best.slopes)
    return SplineSolution.represent(fitter.dictionary, spline, best_sweep.gap, n_iter, status, carry)


def _better(new: Gap, old: Gap) -> bool:
    """Return whether a fit is better: by its objective, or by its gap where the objectives are equal up to rounding."""
    return new.primal < old.primal or (new.gap < old.gap and new.primal <= old.primal * (1.0 + 1e-13))


def spline_of(problem: Problem, knots: NDArray[np.int32], values: Array, slopes: Array) -> Spline:
    """Return the spline with these values and slopes at the knots, and with the tails that its network has."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SplineDictionary)
    left, right = dictionary.tails(slopes)
    return Spline(knots, values, np.concatenate(([left], slopes, [right])))
