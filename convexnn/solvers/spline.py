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

from convexnn.dictionaries.base import SplineNorm
from convexnn.duality import Gap, Problem, Violations, bound, relative_gap
from convexnn.solvers.solution import Solution, Spline

Array = NDArray[np.float64]
SLACK = 1e-14
END = 1e-8


@dataclass(frozen=True)
class State:
    """Knots, the signs of their kinks (0: a flat end), segment sums, values at the knots, and tau."""

    knots: NDArray[np.int64]
    signs: Array
    sums: Array
    values: Array
    tau: float

    def turns(self, x: Array, flat: bool) -> Array:
        """Return the change of slope at every knot; at the ends zero, or with flat tails the change from or to them."""
        slopes = np.diff(self.values) / np.diff(x[self.knots])
        return np.diff(slopes, prepend=0.0 if flat else slopes[0], append=0.0 if flat else slopes[-1])

    def take(self, size: int) -> State:
        """Return the first ``size`` knots, after others were dropped in place."""
        return State(
            self.knots[:size], self.signs[:size], self.sums[: size - 1], self.values[:size], self.tau
        )


@dataclass(frozen=True)
class Sweep:
    """What pricing found: the certificate, and the places and sides of excursions; sides of the ends if they leave."""

    gap: Gap
    places: NDArray[np.int64]
    sides: NDArray[np.int64]
    ends: tuple[int, int]


class Fitter:
    """The problem in function space: data, norm and beta, with the steps that the driver combines."""

    def __init__(self, problem: Problem):
        axis = problem.data.axes[0]
        self.problem = problem
        self.x, self.y, self.w = axis.points, problem.data.y, problem.data.w
        self.beta = float(problem.betas[0])
        self.norm: SplineNorm = problem.dictionaries[0].spline_norm
        self.places = np.empty(self.x.size, np.int64)
        self.sides = np.empty(self.x.size, np.int64)

    def begin(self) -> State:
        """Return the best line (or, with flat tails, constant)."""
        knots = np.array([0, self.x.size - 1])
        empty = State(knots, np.zeros(2), np.empty((1, 5)), np.zeros(2), 0.0)
        return self.refit(replace(empty, sums=self.summed(knots, empty.sums, np.array([True]))))

    def summed(self, knots: NDArray[np.int64], sums: Array, stale: NDArray[np.bool_]) -> Array:
        """Fill in the sums of stale segments."""
        from convexnn.kernels.splines import segment_sums

        segment_sums(self.x, self.y, self.w, knots, sums, stale)
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
        from convexnn.kernels.splines import fit_knots

        at_zero = self.forces(state.signs, 0.0)
        if not self.norm.coupled:
            values = fit_knots(self.x, self.y, self.w, state.knots, state.sums, at_zero[None], *self.tied(state))[0]
            return replace(state, values=values)
        # F is linear in tau on either side of zero: base, and directions for tau > 0 and tau < 0
        forces = np.stack([at_zero, self.forces(state.signs, 1.0) - at_zero, self.forces(state.signs, -1.0) - at_zero])
        base, up, down = fit_knots(self.x, self.y, self.w, state.knots, state.sums, forces, False, False)
        ends, variation = self.linear_parts(state, base)
        direction, side = (up, 1.0) if ends > 0.0 else (down, -1.0)
        rise = 0.5 * side * ends - (self.norm.kink - 0.5) * variation
        if rise <= 0.0:
            return replace(state, values=base, tau=0.0)
        ends, variation = self.linear_parts(state, direction)
        fall = (self.norm.kink - 0.5) * variation - 0.5 * side * ends
        length = min(1.0, rise / fall) if fall > 0.0 else 1.0
        return replace(state, values=base + length * direction, tau=side * length)

    def linear_parts(self, state: State, values: Array) -> tuple[float, float]:
        """Return the sum of the outer slopes, and the signed sum of the kinks."""
        slopes = np.diff(values) / np.diff(self.x[state.knots])
        return float(slopes[0] + slopes[-1]), float(np.dot(np.diff(slopes), state.signs[1:-1]))

    def penalty(self, state: State) -> tuple[float, float]:
        """Return R(f), and what the dual point pairs with f to over beta; equal but for rounding."""
        turns = np.abs(state.turns(self.x, self.norm.flat)).sum()
        if not self.norm.coupled:
            return self.norm.kink * turns, self.norm.kink * turns
        ends, _ = self.linear_parts(state, state.values)
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
            ratio = (greatest - least) / self.beta
        else:
            shift, kink = state.tau * self.beta, self.norm.kink
            upper = greatest + max((kink - 1.0) * shift, -kink * shift)
            lower = least + min((kink - 1.0) * shift, -kink * shift)
            ratio = max(upper, -lower) / (kink * self.beta)
        norm, paired = self.penalty(state)
        none = np.empty((0, 2), np.int64)
        violations = Violations(ratio, (none,), (np.empty(0),))
        certificate = bound(violations, squares, mismatch, self.beta * norm, self.beta * paired)
        ends = tuple(
            int(f > high + slack) - int(f < low - slack) if tie else 0 for f, tie in zip((first, last), tied, strict=True)
        )
        places, sides = self.places[:count].copy(), self.sides[:count].copy()
        if self.norm.coupled:
            # beside an end a kink is the same as an outer slope, up to the distance, but its equations lose all digits
            inside = (self.x[places] - self.x[0] > END) & (self.x[-1] - self.x[places] > END)
            places, sides = places[inside], sides[inside]
        return Sweep(certificate, places, sides, ends)

    def _sweep(self, state: State, forces: Array, tied: tuple[bool, bool], low: float, high: float):
        from convexnn.kernels.splines import price_segments

        return price_segments(
            self.x, self.y, self.w, state.knots, state.values, forces, *tied, low, high, self.places, self.sides
        )

    def insert(self, state: State, sweep: Sweep) -> State:
        """Add a knot, without a kink yet, for every excursion."""
        knots = np.concatenate((state.knots, sweep.places))
        order = np.argsort(knots, kind="stable")
        values = np.interp(self.x[sweep.places], self.x[state.knots], state.values)
        old = np.concatenate((np.arange(state.knots.size), np.full(sweep.places.size, -1)))[order]
        stale = (old[:-1] < 0) | (old[1:] < 0)
        sums = state.sums[np.where(stale, 0, old[:-1])]
        signs = np.concatenate((state.signs, sweep.sides.astype(np.float64)))[order]
        for end, side in zip((0, -1), sweep.ends, strict=True):
            signs[end] = side if side else signs[end]
        knots = knots[order]
        return State(knots, signs, self.summed(knots, sums, stale), np.concatenate((state.values, values))[order], state.tau)

    def settle(self, state: State, share: float) -> State:
        """Refit and drop knots whose kink has the wrong sign, until all are right.

        ``share`` of the wrong ones, those that cross zero first on the way from the values before, are dropped at a time.
        With share 0 it is one at a time, and the values move only as far as the crossing: then the objective never
        rises, and every call ends.
        """
        from convexnn.kernels.splines import drop_knots

        while True:
            aim = self.refit(state)
            turned = state.signs * aim.turns(self.x, self.norm.flat)
            wrong = (turned <= 0.0) & (state.signs != 0.0)
            count = int(np.count_nonzero(wrong))
            if count == 0:
                return aim
            moved = aim
            if share < 1.0:
                now = np.maximum(state.signs * state.turns(self.x, self.norm.flat), 0.0)
                reach = np.where(wrong, now / np.maximum(now - turned, 1e-300), np.inf)
                chosen = np.argsort(reach, kind="stable")[: max(1, int(share * count))]
                wrong = np.zeros(wrong.size, bool)
                wrong[chosen] = True
                step = float(reach[chosen[0]]) if share == 0.0 else 0.0
                moved = replace(aim, values=state.values + step * (aim.values - state.values))
            signs = np.where(wrong, 0.0, state.signs)
            wrong[0] = wrong[-1] = False
            moved = replace(moved, signs=signs)
            size = drop_knots(
                self.x, self.y, self.w, moved.knots, moved.signs, moved.values, moved.sums, wrong
            )
            state = moved.take(size)


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` pricing sweeps."""
    fitter = Fitter(problem)
    best = state = fitter.begin()
    best_sweep: Sweep | None = None
    sweep = fitter.price(state)
    shares = (1.0, 0.25, 0.0)
    level, status = 0, ""
    for n_iter in range(1, max_iter + 1):
        if best_sweep is None or _better(sweep.gap, best_sweep.gap):
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
        state = fitter.settle(fitter.insert(best, best_sweep), shares[level])
        sweep = fitter.price(state)
    else:
        status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    return represent_spline(problem, best.knots, best.values, best_sweep.gap, n_iter, status)


def _better(new: Gap, old: Gap) -> bool:
    """Return whether a fit is better: by its objective, or by its gap where the objectives are equal up to rounding."""
    return new.primal < old.primal or (new.gap < old.gap and new.primal <= old.primal * (1.0 + 1e-13))


def represent_spline(
    problem: Problem, knots: NDArray[np.int64], values: Array, gap: Gap, n_iter: int, status: str
) -> Solution:
    """Represent a spline by features, at the least norm."""
    x, dictionary = problem.data.axes[0].points, problem.dictionaries[0]
    features, coef, skip, left, right = dictionary.represent(knots, np.diff(values) / np.diff(x[knots]))
    at_first = float(dictionary.evaluate(features, x[:1])[0] @ coef)
    intercept = float(values[0]) - at_first - skip * float(x[0])
    spline = Spline(knots, values, left, right)
    return Solution((features,), (coef,), intercept, np.array([skip]), gap, n_iter, status, (spline,))
