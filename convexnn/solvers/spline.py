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

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import SplineDictionary
from convexnn.duality import Gap, Problem, Violations, bound, relative_gap
from convexnn.solvers.solution import Solution, Spline

Array = NDArray[np.float64]
SLACK = 1e-14


@dataclass(frozen=True)
class State:
    """Knots, the signs of their kinks (0: a flat end), segment sums, values at the knots, slopes between them, and tau.

    The slopes are kept beside the values: across a tiny gap they cannot be told from these.
    """

    knots: NDArray[np.int64]
    signs: Array
    sums: Array
    values: Array
    slopes: Array
    tau: float

    def turns(self, flat: bool) -> Array:
        """Return the change of slope at every knot; at the ends zero, or with flat tails the change from or to them."""
        outer = (0.0, 0.0) if flat else (self.slopes[0], self.slopes[-1])
        return np.diff(self.slopes, prepend=outer[0], append=outer[1])


@dataclass(frozen=True)
class Sweep:
    """What pricing found: the certificate, and the places and sides of excursions; sides of the ends if they leave."""

    gap: Gap
    places: NDArray[np.int64]
    sides: NDArray[np.int64]
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


class Fitter:
    """The problem in function space: data, norm and beta, with the steps that the driver combines."""

    def __init__(self, problem: Problem):
        axis = problem.data.axes[0]
        self.problem = problem
        self.x, self.y, self.w = axis.points, problem.data.y, problem.data.w
        self.beta = float(problem.betas[0])
        dictionary = problem.dictionaries[0]
        assert isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None
        self.norm = dictionary.spline_norm
        self.table = self._table()
        self.places = np.empty(self.x.size, np.int64)
        self.sides = np.empty(self.x.size, np.int64)
        self.peaks = np.empty(self.x.size)

    def _table(self) -> Array:
        from convexnn.kernels.splines import block_table

        return block_table(self.x, self.y, self.w)

    def begin(self, start: Solution | None) -> State:
        """Return the best line (or, with flat tails, constant), or the best spline with kinks where ``start`` has them."""
        knots, signs = np.array([0, self.x.size - 1]), np.zeros(2)
        if start is not None and start.splines is not None:
            spline = start.splines[0]
            outer = (0.0, 0.0) if self.norm.flat else (spline.slopes[1], spline.slopes[-2])
            signs = np.sign(np.diff(spline.slopes[1:-1], prepend=outer[0], append=outer[1]))
            kept = signs != 0.0
            kept[[0, -1]] = True
            knots, signs = spline.knots[kept], signs[kept]
        size = knots.size - 1
        sums = self.summed(knots, np.empty((size, 5)), np.ones(size, bool))
        return self.settle(State(knots, signs, sums, np.zeros(size + 1), np.zeros(size), 0.0), 1.0)

    def summed(self, knots: NDArray[np.int64], sums: Array, stale: NDArray[np.bool_]) -> Array:
        """Fill in the sums of stale segments."""
        from convexnn.kernels.splines import segment_sums

        segment_sums(self.x, self.y, self.w, self.table, knots, sums, stale)
        return sums

    def bands(self, tau: float) -> tuple[float, float]:
        """Return the bounds of F."""
        half = self.beta * (self.norm.kink - abs(tau) * (self.norm.kink - 0.5))
        return 0.5 * self.beta * tau - half, 0.5 * self.beta * tau + half

    def forces(self, signs: Array, tau: float) -> Array:
        """Return F at the knots of a restricted optimum: its bound on the side of the kink, and the outer moments."""
        low, high = self.bands(tau)
        forces = np.where(signs > 0.0, high, low)
        if not self.norm.flat:
            forces[0], forces[-1] = self.beta * tau, 0.0
        return forces

    def tied(self, state: State) -> tuple[bool, bool]:
        """Return whether the ends are flat: no kink there."""
        return self.norm.flat and state.signs[0] == 0.0, self.norm.flat and state.signs[-1] == 0.0

    def refit(self, state: State) -> State:
        """Minimise over the values at the knots, and over tau, with the signs of the kinks fixed."""
        values, slopes = self._solve(state, self.forces(state.signs, 0.0))
        if not self.norm.coupled:
            return replace(state, values=values, slopes=slopes)
        side = 1.0 if slopes[0] + slopes[-1] > 0.0 else -1.0
        if self._excess(state, slopes, side) <= 0.0:
            return replace(state, values=values, slopes=slopes, tau=0.0)
        # where the kinks' signed variation comes out negative it was the wrong side: the optimum has it positive
        leant = self._lean(state, side)
        if np.dot(np.diff(leant.slopes), state.signs[1:-1]) < 0.0:
            other = self._lean(state, -side)
            if np.dot(np.diff(other.slopes), state.signs[1:-1]) > 0.0:
                return other
        return leant

    def _lean(self, state: State, side: float) -> State:
        """Minimise over the values, and over tau between zero and ``side``, at which the outer slopes hold it."""
        # F is linear in e = 1 - |tau|, and e is small where a kink is close to an end
        at_side = self.forces(state.signs, side)
        values, slopes = self._solve(state, at_side)
        short = self._excess(state, slopes, side)
        if short >= 0.0:
            return replace(state, values=values, slopes=slopes, tau=side)
        more, steeper = self._solve(state, self.forces(state.signs, 0.0) - at_side, data=False)
        rise = self._excess(state, steeper, side)
        e = min(1.0, -short / rise) if rise > 0.0 else 1.0
        slopes = self._balance(state, slopes + e * steeper, side)
        return replace(state, values=values + e * more, slopes=slopes, tau=side * (1.0 - e))

    def _solve(self, state: State, forces: Array, data: bool = True) -> tuple[Array, Array]:
        from convexnn.kernels.splines import fit_knots

        values = fit_knots(self.x, self.y, self.w, state.knots, state.sums, forces, data, *self.tied(state))
        return values, np.diff(values) / np.diff(self.x[state.knots])

    def _excess(self, state: State, slopes: Array, side: float) -> float:
        """Return by how much the cost of the outer slopes exceeds what the kinks pay for: zero for -1 < tau < 1."""
        variation = float(np.dot(np.diff(slopes), state.signs[1:-1]))
        return 0.5 * side * float(slopes[0] + slopes[-1]) - (self.norm.kink - 0.5) * variation

    def _balance(self, state: State, slopes: Array, side: float) -> Array:
        """Make the excess zero to the last digit by an outer slope, the one that rounding has hit if there is one."""
        excess = self._excess(state, slopes, side)
        if slopes.size == 1:
            return np.zeros(1)
        rates = 0.5 * side + (self.norm.kink - 0.5) * np.array([state.signs[1], -state.signs[-2]])
        gaps = np.diff(self.x[state.knots])[[0, -1]]
        end = int(np.argmax(np.abs(rates) / gaps))
        if rates[end] != 0.0:
            slopes[-end] -= excess / rates[end]
        return slopes

    def penalty(self, state: State) -> tuple[float, float]:
        """Return R(f), and what the dual point pairs with f to over beta; equal but for rounding."""
        turns = float(np.abs(state.turns(self.norm.flat)).sum())
        if not self.norm.coupled:
            return self.norm.kink * turns, self.norm.kink * turns
        ends = float(state.slopes[0] + state.slopes[-1])
        paired = (self.norm.kink - abs(state.tau) * (self.norm.kink - 0.5)) * turns + 0.5 * state.tau * ends
        return max(self.norm.kink * turns, 0.5 * (turns + abs(ends))), paired

    def price(self, state: State) -> Sweep:
        """Certify a restricted optimum and find where its dual point leaves the band."""
        tied = self.tied(state)
        forces = self.forces(state.signs, state.tau)
        low, high = self.bands(state.tau)
        if all(tied) and state.knots.size == 2:
            # no kink anchors F, which is known up to a constant: centre its range in the band
            forces[:] = 0.0
            _, least, greatest, first, *_ = self._sweep(state, forces, tied, 0.0, 0.0)
            least, greatest = min(least, first), max(greatest, first)
            forces[:] = -0.5 * (least + greatest)
        slack = SLACK * self.beta
        count, least, greatest, first, last, squares, mismatch = self._sweep(
            state, forces, tied, low - slack, high + slack
        )
        if self.norm.flat:
            least, greatest = min(least, first, last), max(greatest, first, last)
            ratio = (greatest - least) / (2.0 * self.norm.kink * self.beta)
        else:
            shift, kink = state.tau * self.beta, self.norm.kink
            upper = greatest + max((kink - 1.0) * shift, -kink * shift)
            lower = least + min((kink - 1.0) * shift, -kink * shift)
            ratio = max(upper, -lower) / (kink * self.beta)
        norm, paired = self.penalty(state)
        none = np.empty((0, 2), np.int64)
        violations = Violations(ratio, (none,), (np.empty(0),))
        certificate = bound(violations, squares, mismatch, self.beta * norm, self.beta * paired)

        def beyond(f: float) -> int:
            return int(f > high + slack) - int(f < low - slack)

        ends = (beyond(first) if tied[0] else 0, beyond(last) if tied[1] else 0)
        parts = (self.places[:count].copy(), self.sides[:count].copy(), self.peaks[:count].copy())
        return Sweep(certificate, *parts, ends, (first, last))

    def _sweep(self, state: State, forces: Array, tied: tuple[bool, bool], low: float, high: float):
        from convexnn.kernels.splines import price_segments

        return price_segments(
            self.x, self.y, self.w, self.table, state.knots, state.values, forces, *tied, low, high,
            self.places, self.sides, self.peaks,
        )

    def insert(self, state: State, sweep: Sweep) -> State:
        """Add a knot, without a kink yet, for every excursion."""
        knots = np.concatenate((state.knots, sweep.places))
        order = np.argsort(knots, kind="stable")
        segments = np.searchsorted(state.knots, sweep.places) - 1
        values = state.values[segments] + state.slopes[segments] * (
            self.x[sweep.places] - self.x[state.knots[segments]]
        )
        slopes = np.repeat(state.slopes, 1 + np.bincount(segments, minlength=state.slopes.size))
        old = np.concatenate((np.arange(state.knots.size), np.full(sweep.places.size, -1)))[order]
        stale = (old[:-1] < 0) | (old[1:] < 0)
        sums = state.sums[np.where(stale, 0, old[:-1])]
        signs = np.concatenate((state.signs, sweep.sides.astype(np.float64)))[order]
        for end, side in zip((0, -1), sweep.ends, strict=True):
            signs[end] = side if side else signs[end]
        knots = knots[order]
        values = np.concatenate((state.values, values))[order]
        return State(knots, signs, self.summed(knots, sums, stale), values, slopes, state.tau)

    def settle(self, state: State, share: float) -> State:
        """Refit and drop knots whose kink has the wrong sign, until all are right.

        ``share`` of the wrong ones, those that cross zero first on the way from the values before, are dropped at a time.
        With share 0 it is one at a time, and the values move only as far as the crossing: then the objective never
        rises, and every call ends.
        """
        from convexnn.kernels.splines import drop_knots

        while True:
            aim = self.refit(state)
            turned = state.signs * aim.turns(self.norm.flat)
            wrong = (turned <= 0.0) & (state.signs != 0.0)
            count = int(np.count_nonzero(wrong))
            if count == 0:
                return aim
            values = aim.values.copy()
            if share < 1.0:
                now = np.maximum(state.signs * state.turns(self.norm.flat), 0.0)
                reach = np.where(wrong, now / np.maximum(now - turned, 1e-300), np.inf)
                chosen = np.argsort(reach, kind="stable")[: max(1, int(share * count))]
                wrong = np.zeros(wrong.size, bool)
                wrong[chosen] = True
                step = float(reach[chosen[0]]) if share == 0.0 else 0.0
                values = state.values + step * (aim.values - state.values)
            knots, signs, sums = state.knots, np.where(wrong, 0.0, state.signs), state.sums
            wrong[0] = wrong[-1] = False
            size = drop_knots(self.x, self.y, self.w, knots, signs, values, sums, wrong)
            knots, values = knots[:size], values[:size]
            slopes = np.diff(values) / np.diff(self.x[knots])
            state = State(knots, signs[:size], sums[: size - 1], values, slopes, aim.tau)


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    fitter = Fitter(problem)
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
        if relative_gap(problem, best_sweep.gap) <= tol:
            status = ""
            break
        if not best_sweep.places.size and not any(best_sweep.ends):
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
        if status:
            break
        added = best_sweep
        if shares[level] == 0.0:
            added = best_sweep.strongest(*fitter.bands(best.tau), pair=fitter.norm.flat and best.knots.size == 2)
        state = fitter.settle(fitter.insert(best, added), shares[level])
        sweep = fitter.price(state)
    else:
        status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    return represent_spline(problem, best.knots, best.values, best.slopes, best_sweep.gap, n_iter, status)


def _better(new: Gap, old: Gap) -> bool:
    """Return whether a fit is better: by its objective, or by its gap where the objectives are equal up to rounding."""
    return new.primal < old.primal or (new.gap < old.gap and new.primal <= old.primal * (1.0 + 1e-13))


def represent_spline(
    problem: Problem, knots: NDArray[np.int64], values: Array, slopes: Array, gap: Gap, n_iter: int, status: str
) -> Solution:
    """Represent a spline by features, at the least norm."""
    x, dictionary = problem.data.axes[0].points, problem.dictionaries[0]
    assert isinstance(dictionary, SplineDictionary)
    features, coef, skip, left, right = dictionary.represent(knots, slopes)
    at_first = float(dictionary.evaluate(features, x[:1])[0] @ coef)
    intercept = float(values[0]) - at_first - skip * float(x[0])
    spline = Spline(knots, values, np.concatenate(([left], slopes, [right])))
    return Solution((features,), (coef,), intercept, np.array([skip]), gap, n_iter, status, (spline,))
