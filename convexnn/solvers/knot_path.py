"""The whole solution path of a linear spline: a homotopy in beta from the critical one down, kink by kink.

For the networks of :mod:`convexnn.solvers.spline`, in the notation of :mod:`convexnn.solvers.knots`. As long as the knots,
the signs of their kinks and the form of tau stay as they are, the fit and the curve F are linear in beta, and two or three
tridiagonal solves say how. That ends at the largest beta below at which a kink vanishes, F meets its band at another
point, or tau changes form:

    tau = 0 (``LEVEL``), while the outer slopes cost less than the kinks, ``excess`` < 0;
    0 < |tau| < 1 (``BALANCED``), ``excess`` = 0, and e = beta (1 - |tau|) is linear in beta;
    |tau| = 1 (``FULL``), ``excess`` > 0.

At such a beta the direction in which the path leaves is a strictly convex problem: the fit moves at the least rate among
those for which new kinks have their sign. Its conditions are complementary pairs: a kink grows, or F leaves the bound. They
are solved by exchanging all pairs that are wrong, and, where that goes on for long, one at a time (block principal
pivoting, Judice and Pires 1994). Several events at one beta, as of data on a grid, need no rule of their own.

On a grid kinks may also crowd towards a beta geometrically, closer than rounding can tell, and between inputs that nearly
are ties their order is rounding. Where the exchange does not end, or the fit that it ends at has a gap, the path goes on
from the optimum at a beta a little below, found by the solver for one beta.

Importing this module loads the compiled loops.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import SplineDictionary
from convexnn.dictionaries.sums import ramp_sums
from convexnn.duality import Problem
from convexnn.kernels.blocks import segment_sums
from convexnn.kernels.contacts import contacts
from convexnn.kernels.settling import balance, excess
from convexnn.kernels.splines import fit_knots_alone, insert_sums_alone
from convexnn.solvers import spline
from convexnn.solvers.knots import Fitter, State
from convexnn.solvers.solution import Solution, SplineSolution
from convexnn.solvers.spline import Carry, spline_of

Array = NDArray[np.float64]
LEVEL, BALANCED, FULL = range(3)
TIE = 1e-12  # events within this part of beta are one
STILL = 1e-10  # rates below this part of what they are made of are rounding
SAME = 1e-11  # a change of direction below this part of it is none: only the representation of the fit has changed
PATIENCE = 10  # exchanges of all wrong pairs that may pass without there being fewer than ever
EXCHANGES = 100
JUMP = 1e-10  # where rounding hides a kink this part of beta is jumped over; ten times more each time, up to FAR
FAR = 1e-5
NOISE = 1e-9  # a change of slope below this part of the fit over the distance is rounding
GOOD = 1e-9  # a gap over the objective that rounding may leave


@dataclass(frozen=True)
class Pattern:
    """What stays between two kinks.

    ``fresh`` marks kinks that are new at the present beta, ``form`` is that of tau, ``side`` its sign, and ``came`` the form
    that tau had before at the present beta, -1 if the same.
    """

    knots: NDArray[np.int32]
    signs: NDArray[np.int8]
    fresh: NDArray[np.bool_]
    form: int
    side: float
    came: int = -1

    def settled(self) -> Pattern:
        """Return the pattern once beta has fallen."""
        return replace(self, fresh=np.zeros(self.knots.size, bool), came=-1)

    def exchanged(self, events: Events) -> Pattern:
        """Return the pattern after events: kinks that vanish go, points that meet the band come."""
        signs, fresh = np.where(events.vanished, 0, self.signs), self.fresh & ~events.vanished
        ends = (events.places == 0) | (events.places == self.knots[-1])
        for place, side in zip(events.places[ends], events.sides[ends], strict=True):
            end = 0 if place == 0 else -1
            signs[end], fresh[end] = side, True
        kept = signs != 0
        kept[[0, -1]] = True
        knots = np.concatenate((self.knots[kept], events.places[~ends])).astype(np.int32)
        order = np.argsort(knots)
        signs = np.concatenate((signs[kept], events.sides[~ends])).astype(np.int8)
        fresh = np.concatenate((fresh[kept], np.ones(knots.size - fresh[kept].size, bool)))
        form, side, came = (self.form, self.side, self.came) if events.tau is None else (*events.tau, self.form)
        return Pattern(knots[order], signs[order], fresh[order], form, side, came)


class Line(NamedTuple):
    """The fit at the present beta (row 0) and its derivative by beta (row 1): values, slopes, what kinks turn, and e."""

    values: Array
    slopes: Array
    turned: Array
    e: Array

    def at(self, step: float) -> Line:
        """Return the line at beta + step."""
        return Line(*(np.array([part[0] + step * part[1], part[1]]) for part in self))


class Events(NamedTuple):
    """Kinks that vanish, points that meet the band with their sides, and the new form and side of tau, if any."""

    vanished: NDArray[np.bool_]
    places: NDArray[np.int64]
    sides: NDArray[np.int8]
    tau: tuple[int, float] | None

    def __len__(self) -> int:
        return int(self.vanished.sum()) + self.places.size + (self.tau is not None)

    def last(self) -> Events:
        """Return the last of the events alone."""
        none = np.zeros_like(self.vanished)
        if self.tau is not None:
            return Events(none, self.places[:0], self.sides[:0], self.tau)
        dropped = int(np.flatnonzero(self.vanished)[-1]) if self.vanished.any() else -1
        if self.places.size:
            return Events(none, self.places[-1:], self.sides[-1:], None)
        none[dropped] = True
        return Events(none, self.places[:0], self.sides[:0], None)


@dataclass(frozen=True)
class Ahead:
    """When events come on a line: for every knot, for every point, and for tau."""

    kinks: Array
    points: Array
    sides: NDArray[np.int8]
    tau: list[tuple[float, tuple[int, float]]]
    direction: Array

    def next(self) -> float:
        """Return the largest beta of an event."""
        return max(float(self.kinks.max()), float(self.points.max()), *(time for time, _ in self.tau), 0.0)

    def events(self, beta: float) -> Events:
        """Return the events at beta."""
        bound = beta * (1.0 - TIE)
        places = np.flatnonzero(self.points >= bound)
        tau = [change for time, change in self.tau if time >= bound]
        return Events(self.kinks >= bound, places, self.sides[places], tau[0] if tau else None)


class KnotPath:
    """The problem, and the steps along its path."""

    def __init__(self, unit: Problem):
        self.unit = unit
        self.fitter = Fitter(replace(unit, betas=np.ones(1)))
        self.norm = self.fitter.norm
        dictionary = unit.dictionaries[0]
        assert isinstance(dictionary, SplineDictionary)
        self.dictionary = dictionary
        self.root = np.sqrt(unit.data.w)
        self.sweeps = 0

    def null(self, beta: float) -> Solution:
        """Return the certified optimum at the critical beta: the mean, or the best line with a skip connection."""
        pattern = self.ends(beta)
        line = self.line(pattern, beta)
        if self.norm.flat or self.norm.coupled:
            mean = float(np.average(self.unit.data.y, weights=self.unit.data.w))
            line = line._replace(values=np.full((2, 2), mean), slopes=np.zeros((2, 1)))
        return self.solution(pattern, line, beta, np.zeros(2, bool))

    def ends(self, beta: float) -> Pattern:
        """Return the pattern of the critical beta: the ends of the data alone, and the form that tau has there."""
        x = self.fitter.x
        none = np.zeros(2, np.int8)
        pattern = Pattern(np.array([0, x.size - 1], np.int32), none, np.zeros(2, bool), LEVEL, 1.0)
        if not self.norm.coupled:
            return pattern
        moment = float(self.curve()[0])
        form = FULL if abs(moment) >= beta * (1.0 - TIE) else BALANCED
        if abs(moment) <= beta * TIE and self.norm.kink > 0.5:
            form = LEVEL
        return replace(pattern, form=form, side=-1.0 if moment < 0.0 else 1.0, came=-1 if form == BALANCED else BALANCED)

    def start(self, beta: float) -> Pattern:
        """Return the first pattern of the path; where tails are flat, with kinks, which come in pairs."""
        pattern = self.ends(beta)
        if not self.norm.flat:
            return pattern
        # F is known up to a constant that the kinks will fix: all of its extremes
        curve = self.curve()
        high, low = curve >= curve.max() - beta * TIE, curve <= curve.min() + beta * TIE
        places = np.flatnonzero(high | low)
        sides = np.where(high[places], 1, -1).astype(np.int8)
        return pattern.exchanged(Events(np.zeros(2, bool), places, sides, None))

    def curve(self) -> Array:
        """Return F of the constant fit, zero at the last point."""
        x, y, w, _ = self.fitter.data
        return ramp_sums(x, w * (y - np.average(y, weights=w)))

    def line(self, pattern: Pattern, beta: float) -> Line:
        """Return the optimum for a pattern as a function of beta."""
        state = self._state(pattern)
        zero, full = self.unit_forces(state, pattern.side)
        free = self._solve(state, np.zeros(4), 0.0)
        pulled = self._solve(state, zero if pattern.form == LEVEL else full, -1.0)
        if pattern.form != BALANCED:
            e = np.array([beta, 1.0]) if pattern.form == LEVEL else np.zeros(2)
            values, slopes, turned = (np.array([a + beta * b, b]) for a, b in zip(free, pulled, strict=True))
            return Line(values, slopes, turned, e)
        eased = self._solve(state, zero - full, -1.0)
        base, rate, gain = (self._excess(slopes, turned, pattern.side) for _, slopes, turned in (free, pulled, eased))
        e = np.array([-(base + beta * rate) / gain, -rate / gain])
        parts = zip(free, pulled, eased, strict=True)
        values, slopes, turned = (np.array([a + beta * b + e[0] * c, b + e[1] * c]) for a, b, c in parts)
        off = self._excess(slopes[0], turned[0], pattern.side)
        balance(self.fitter.x, state.knots.size, self.norm.kink, state.knots, state.signs, off, pattern.side, slopes[0])
        return Line(values, slopes, turned, e)

    def _state(self, pattern: Pattern) -> State:
        """Return knots, signs and segment sums in the form of the solver for one beta."""
        data, ends = self.fitter.data, pattern.knots[[0, -1]]
        sums = np.empty((self.fitter.most_sums, 5))
        insert_sums_alone(*data, ends, np.array([segment_sums(*data, *ends)]), pattern.knots, sums)
        return State(pattern.knots, pattern.signs, sums, np.empty(0), np.empty(0), 0.0)

    def _solve(self, state: State, forces: Array, share: float) -> tuple[Array, Array, Array]:
        """Return values, slopes and what kinks turn, of the data (share 0) or of forces alone (share -1)."""
        values, slopes = np.empty(state.knots.size), np.empty(state.knots.size - 1)
        given = state.knots.size, *state[:3], np.array([forces, forces]), share, *self.fitter.tied(state)
        turned, _, _ = fit_knots_alone(*self.fitter.data, *given, np.nan, slopes, values, values, slopes)
        return values, slopes, np.array(turned)

    def unit_forces(self, state: State, side: float) -> tuple[Array, Array]:
        """Return F at the knots over beta at tau = 0 and at |tau| = 1."""
        return self.fitter.forces(state, 0.0), self.fitter.forces(state, side)

    def _excess(self, slopes: Array, turned: Array, side: float) -> float:
        return excess(self.norm.kink, float(turned), float(slopes[0] + slopes[-1]), side)

    def ahead(self, pattern: Pattern, line: Line, beta: float) -> Ahead:
        """Return when events come on a line."""
        x, y, w, _ = self.fitter.data
        state = State(pattern.knots, pattern.signs, np.empty(0), np.empty(0), np.empty(0), 0.0)
        zero, full = self.unit_forces(state, pattern.side)
        wide, narrow = np.array(self.fitter.bands(0.0)), np.array(self.fitter.bands(pattern.side))
        shares = (beta, float(line.e[0])), (1.0, float(line.e[1]))
        forces = np.array([whole * full + e * (zero - full) for whole, e in shares])
        bands = np.array([whole * narrow + e * (wide - narrow) for whole, e in shares])
        times, sides, direction = np.empty(x.size), np.empty(x.size, np.int8), np.empty(x.size)
        self.sweeps += 1
        idle = STILL * float(np.abs(bands[1]).max())
        rest = forces, *self.fitter.tied(state), bands, beta, idle, times, sides, direction
        contacts(x, y, w, pattern.knots, pattern.signs, line.values, *rest)
        return Ahead(self._kinks(pattern, line, beta), times, sides, self._tau(pattern, line, beta), direction)

    def _kinks(self, pattern: Pattern, line: Line, beta: float) -> Array:
        """Return when each kink vanishes."""
        pad = (0.0, 0.0) if self.norm.flat else (np.nan, np.nan)
        now, rates = (np.concatenate((pad[:1], slopes, pad[1:])) for slopes in line.slopes)
        turn, rate = pattern.signs * np.diff(now), pattern.signs * np.diff(rates)
        still = STILL * float(np.abs(line.slopes[1]).max())
        # a kink that took the place of one nearby is not zero
        lengths = np.diff(self.fitter.x[pattern.knots])
        noise = NOISE * float(np.abs(line.values[0]).max()) / np.minimum(np.append(lengths, 1.0), np.append(1.0, lengths))
        fresh = pattern.fresh & (np.abs(turn) <= noise)
        times = np.zeros(turn.size)
        falling = (pattern.signs != 0) & (rate > np.where(fresh, still, 0.0))
        turn = np.where(fresh, 0.0, np.maximum(turn, 0.0))
        times[falling] = beta - turn[falling] / rate[falling]
        return times

    def _tau(self, pattern: Pattern, line: Line, beta: float) -> list[tuple[float, tuple[int, float]]]:
        """Return when tau takes another form, and which."""
        if not self.norm.coupled:
            return []
        side = pattern.side

        def excess(toward: float) -> tuple[float, float]:
            now, rate = (self._excess(s, t, toward) for s, t in zip(line.slopes, line.turned, strict=True))
            return now, rate

        size = STILL * (abs(line.slopes[1, 0]) + abs(line.slopes[1, -1]) + abs(line.turned[1]))
        # what must stay positive and its rate, from where it would be zero now, and what follows
        if pattern.form == LEVEL:
            slacks = [(*(-part for part in excess(toward)), size, BALANCED, (BALANCED, toward)) for toward in (1.0, -1.0)]
        elif pattern.form == FULL:
            slacks = [(*excess(side), size, BALANCED, (BALANCED, side))]
        else:
            e, rate = float(line.e[0]), float(line.e[1])
            # where the kinks' cost does not depend on tau it passes zero, and e is then counted from the other side
            after = (LEVEL, side) if self.norm.kink > 0.5 else (BALANCED, -side)
            slacks = [(e, rate, STILL, FULL, (FULL, side)), (beta - e, 1.0 - rate, STILL, after[0], after)]
        out = []
        for slack, rate, still, zero_after, form in slacks:
            fresh = pattern.came == zero_after
            if rate > (still if fresh else 0.0):
                out.append((beta - (0.0 if fresh else max(slack, 0.0) / rate), form))
        return out

    def leave(self, pattern: Pattern, beta: float) -> tuple[Pattern, Line, Ahead] | None:
        """Return the pattern with which the path leaves beta, or None if rounding hides it."""
        fewest, patience = 1 << 60, PATIENCE
        for _ in range(EXCHANGES):
            if self.norm.flat and not pattern.signs.any():
                return None  # without kinks F is known up to a constant only
            line = self.line(pattern, beta)
            ahead = self.ahead(pattern, line, beta)
            events = ahead.events(beta)
            if not len(events):
                gap = self.solution(pattern, line, beta, np.zeros(pattern.knots.size, bool)).gap
                return (pattern, line, ahead) if gap.gap <= GOOD * gap.primal else None
            if len(events) < fewest:
                fewest, patience = len(events), PATIENCE
            else:
                patience -= 1
            pattern = pattern.exchanged(events if patience > 0 else events.last())
        return None

    def turns(self, direction: Array, other: Array) -> bool:
        """Return whether two directions of the fit differ."""
        change = float(np.linalg.norm(self.root * (direction - other)))
        return change > SAME * float(np.linalg.norm(self.root * direction))

    def solved(self, beta: float) -> tuple[Pattern, Solution]:
        """Return the pattern of a beta and the optimum, by the solver for one beta."""
        solution = spline.solve(replace(self.unit, betas=np.array([beta])), tol=0.0, max_iter=200)
        assert isinstance(solution.carry, Carry)
        state = solution.carry.state
        tau = state.tau if self.norm.coupled else 0.0
        level = tau == 0.0 and self.norm.kink > 0.5
        form = LEVEL if level or not self.norm.coupled else FULL if abs(tau) == 1.0 else BALANCED
        fresh, side = np.zeros(state.knots.size, bool), -1.0 if tau < 0.0 else 1.0
        return Pattern(state.knots, state.signs, fresh, form, side), solution

    def solution(self, pattern: Pattern, line: Line, beta: float, gone: NDArray[np.bool_]) -> Solution:
        """Return the certified optimum at beta, without the kinks that vanish there."""
        signs = np.where(gone, 0, pattern.signs).astype(np.int8)
        kept = signs != 0
        kept[[0, -1]] = True
        knots, values, signs = pattern.knots[kept], line.values[0][kept], signs[kept]
        slopes = line.slopes[0].copy() if kept.all() else np.diff(values) / np.diff(self.fitter.x[knots])
        tau = pattern.side * (1.0 - line.e[0] / beta) if self.norm.coupled and pattern.form != LEVEL else 0.0
        state = State(knots, signs, np.empty((0, 5)), values, slopes, float(tau))
        fitter = copy.copy(self.fitter)
        fitter.beta = beta
        gap = fitter.price(state).gap
        n_iter, self.sweeps = max(1, self.sweeps), 0
        fit = spline_of(self.unit, knots, values, slopes)
        return SplineSolution.represent(self.dictionary, fit, gap, n_iter)


def trace(unit: Problem, alpha_max: float, alpha_min: float) -> tuple[list[tuple[float, Solution]], str]:
    """Return (alpha, solution) at the critical alpha, at every kink of the fit below it, and at ``alpha_min``; and a status.

    As :func:`convexnn.solvers.homotopy.trace`, in function space.
    """
    path, scale = KnotPath(unit), float(unit.betas[0])
    beta, least = alpha_max * scale, alpha_min * scale
    nodes = [(alpha_max, path.null(beta))]
    pattern, above, jump = path.start(beta), None, JUMP
    while True:
        found = path.leave(pattern, beta)
        if above is not None and (found is None or path.turns(found[-1].direction, above[-1])):
            nodes.append((beta / scale, path.solution(*above[:-1])))
        if found is None:
            if jump > FAR:
                return nodes, "rounding stopped the exact path: raise eps"
            beta, jump, above = max(beta * (1.0 - jump), least), 10.0 * jump, None
            pattern, solution = path.solved(beta)
            nodes.append((beta / scale, solution))
            if beta == least:
                return nodes, ""
            continue
        pattern, line, ahead = found
        below = max(ahead.next(), least)
        line, events, jump = line.at(below - beta), ahead.events(below), JUMP
        above = pattern, line, below, events.vanished, ahead.direction
        if below == least:
            return [*nodes, (alpha_min, path.solution(*above[:-1]))], ""
        pattern, beta = pattern.settled().exchanged(events), below
