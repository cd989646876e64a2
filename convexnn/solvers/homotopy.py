"""The whole solution path of the squared loss: a homotopy in alpha from the critical one down, kink by kink.

Between two kinks the support A and its signs s stay as they are, and with target t and columns C_A (weighted, free
directions projected out, beta at alpha = 1 divided out) the optimum is linear in alpha:

    C_A z = Q Q' t - alpha u,    r = t - C_A z = (t - Q Q' t) + alpha u,    u = Q R'^-1 s,    C_A = Q R.

It ends at the largest alpha at which a coefficient vanishes or a feature outside, of which there may be billions, becomes
tight: |c'r| = alpha. The latter is found by pricing: where the residual at a trial alpha violates features, the largest
alpha at which one of these is tight is the next trial, and the trials rise until nothing is violated.

At a kink the direction in which the path leaves is itself a small convex problem, on the tight features E:
min |C_E d - r / alpha| with d of sign s where z = 0 (the right derivative of the optimum). After projecting out the columns
that stay it is non-negative least squares. So several events at one alpha, and columns that depend on each other exactly,
need no rule of their own: a dependent column has no projection left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from convexnn.canonical import EPSILON
from convexnn.dictionaries.base import Rows
from convexnn.duality import Problem, evaluate_gap, price
from convexnn.solvers.coordinate_descent import make_solution
from convexnn.solvers.solution import Solution
from convexnn.solvers.working_set import Frame, evaluate_columns, make_frame

Array = NDArray[np.float64]
BATCH = 20
EXCESS = 1e-12  # violations below this part of alpha are rounding; ten times more after each step that goes nowhere
ROUNDING = 32.0 * EPSILON
GAIN = 1e-12  # a gain below this part of the aim is rounding
DEPENDENT = 1e-7  # the rest of a column that depends on others is below this part of it
SAME = 1e-8  # a change of direction below this part of it is none: only the representation of the fit has changed
IDLE = 5


@dataclass(frozen=True)
class Support:
    """Independent active columns with their signs and QR factors; ``inputs`` and ``rows`` say which features they are."""

    inputs: tuple[int, ...]
    rows: tuple[NDArray[np.int64], ...]
    signs: Array
    q: Array
    r: Array

    def without(self, dropped: NDArray[np.bool_]) -> Support:
        """Drop the columns at some places."""
        q, r = self.q, self.r
        kept = np.flatnonzero(~dropped)
        if kept.size < dropped.size:
            first = int(np.argmax(dropped))
            turned, triangle = np.linalg.qr(r[first:, kept[first:]])
            q = np.column_stack((q[:, :first], q[:, first:] @ turned))
            r = np.block([[r[:first, kept]], [np.zeros((len(triangle), first)), triangle]])
        return Support(
            tuple(self.inputs[k] for k in kept), tuple(self.rows[k] for k in kept), self.signs[kept], q, r
        )

    def extended(self, entering: list[tuple[int, NDArray[np.int64]]], signs: Array, columns: Array) -> Support:
        """Append columns."""
        q, r = self.q, self.r
        for column in columns.T:
            rest, top = column, np.zeros(len(r))
            for _ in range(2):
                step = q.T @ rest
                rest, top = rest - q @ step, top + step
            size = np.linalg.norm(rest)
            r = np.block([[r, top[:, None]], [np.zeros((1, len(r))), np.full((1, 1), size)]])
            q = np.column_stack((q, rest / size))
        inputs, rows = (j for j, _ in entering), (row for _, row in entering)
        return Support((*self.inputs, *inputs), (*self.rows, *rows), np.append(self.signs, signs), q, r)

    def features(self, problem: Problem, kept: NDArray[np.bool_]) -> tuple[tuple[Rows, ...], NDArray[np.int64]]:
        """Return the features kept, input by input, and their places."""
        none = [dictionary.price(np.zeros(dictionary.points.size), 1.0, 0).features for dictionary in problem.dictionaries]
        places = [[k for k in np.flatnonzero(kept) if self.inputs[k] == j] for j in range(len(none))]
        features = tuple(
            np.array([self.rows[k] for k in group], dtype=np.int64) if group else empty[:0]
            for group, empty in zip(places, none, strict=True)
        )
        return features, np.concatenate([np.array(group, dtype=np.int64) for group in places])


@dataclass(frozen=True)
class Line:
    """The optimum between two kinks: z = p - alpha q, residual r = rest + alpha pull."""

    p: Array
    q: Array
    rest: Array
    pull: Array

    def residual(self, alpha: float) -> Array:
        """Return the residual at alpha."""
        return self.rest + alpha * self.pull


class Homotopy:
    """The problem at alpha = 1, and the steps along its path."""

    def __init__(self, unit: Problem, alpha_max: float):
        self.unit = unit
        self.frame: Frame = make_frame(unit)
        self.largest = alpha_max / max(float(np.linalg.norm(self.frame.target)), 1e-300)
        self.sweeps = 0

    def slack(self, alpha: float, idle: int) -> float:
        """Return by how much a correlation may exceed alpha; residuals are differences of large numbers."""
        rounding = ROUNDING * self.largest * float(np.linalg.norm(self.frame.target))
        return (EXCESS * alpha + rounding) * 10.0**idle

    def columns(self, features: tuple[Rows, ...]) -> Array:
        """Return the columns of features."""
        columns = evaluate_columns(self.unit, self.frame, features)
        self.largest = max(self.largest, float(np.linalg.norm(columns, axis=0).max(initial=0.0)))
        return columns

    def line(self, support: Support) -> Line:
        """Return the optimum for a support as a function of alpha."""
        target, q, r = self.frame.target, support.q, support.r
        if not support.signs.size:
            return Line(np.empty(0), np.empty(0), target, np.zeros(target.size))
        weights = solve_triangular(r, support.signs, trans="T")
        fitted = q.T @ target
        rest = target - q @ fitted
        # again: what rounding has left along the columns
        rest -= q @ (q.T @ rest)
        return Line(solve_triangular(r, fitted), solve_triangular(r, weights), rest, q @ weights)

    def next_kink(
        self, support: Support, line: Line, alpha: float, alpha_min: float, idle: int
    ) -> tuple[float, NDArray[np.bool_]]:
        """Return the alpha where the line ends, and which coefficients vanish there."""
        falling = support.signs * line.q < 0.0
        zeros = np.full(falling.size, -np.inf)
        zeros[falling] = np.minimum(line.p[falling] / line.q[falling], alpha)
        trial = max(alpha_min, float(zeros.max(initial=0.0)))
        while trial < alpha:
            slack = self.slack(trial, idle) / trial
            problem = replace(self.unit, betas=trial * self.unit.betas)
            self.sweeps += 1
            found = price(problem, self.frame.root * line.residual(trial), limit=BATCH, slack=slack)
            if found.maximum <= 1.0 + slack or not any(map(len, found.features)):
                break
            columns = self.columns(found.features)
            sides = np.sign(np.concatenate(found.ratios))
            # where side c'r - alpha meets the slack: between the trial and the last kink, at which it was within
            here = sides * (columns.T @ line.residual(trial)) - trial
            there = sides * (columns.T @ line.residual(alpha)) - alpha
            part = (self.slack(trial, idle) - here) / np.where(there < here, there - here, -1e-300)
            higher = min(trial + float(np.clip(part, 0.0, 1.0).max()) * (alpha - trial), alpha)
            if higher <= trial:
                break
            trial = higher
        return trial, zeros >= trial - 1e-12 * alpha

    def turn(self, support: Support, alpha: float, residual: Array, vanished: NDArray[np.bool_], idle: int) -> Support:
        """Return the support with which the path leaves a kink."""
        support = support.without(vanished)
        tight = self._tight(support, alpha - 2.0 * self.slack(alpha, idle), residual)
        columns = self.columns(tight)
        signs = np.sign(columns.T @ residual)
        sizes = np.linalg.norm(columns, axis=0)
        apart = columns.copy()
        for _ in range(2):
            apart -= support.q @ (support.q.T @ apart)
        free = np.flatnonzero(np.linalg.norm(apart, axis=0) > DEPENDENT * sizes)
        if not free.size:
            return support
        aim = residual / alpha
        aim = aim - support.q @ (support.q.T @ aim)
        entering = free[_cone_projection(apart[:, free] * (signs[free] / sizes[free]), aim)]
        named = [(j, row) for j, rows in enumerate(tight) for row in rows]
        return support.extended([named[k] for k in entering], signs[entering], columns[:, entering])

    def _tight(self, support: Support, bound: float, residual: Array) -> tuple[Rows, ...]:
        """Return the features outside the support whose correlation is at least the bound."""
        lam = self.frame.root * residual
        known = {(j, row.tobytes()) for j, row in zip(support.inputs, support.rows, strict=True)}
        out = []
        for j, (axis, dictionary) in enumerate(zip(self.unit.data.axes, self.unit.units, strict=True)):
            rows = dictionary.tight(axis.scatter(lam), float(self.unit.betas[j]) * bound)
            out.append(rows[[(j, row.tobytes()) not in known for row in rows]] if len(rows) else rows)
        return tuple(out)

    def solution(self, support: Support, line: Line, alpha: float) -> Solution:
        """Return the certified optimum at alpha; its number of iterations is that of the sweeps since the last."""
        z = line.p - alpha * line.q
        kept = support.signs * z > 0.0
        features, places = support.features(self.unit, kept)
        residual = line.residual(alpha)
        problem = replace(self.unit, betas=alpha * self.unit.betas)
        penalty = alpha * float(np.abs(z[places]).sum())
        fit, lam = problem.data.y - residual / self.frame.root, self.frame.root * residual
        gap = evaluate_gap(problem, fit, penalty, lam=lam, limit=0)
        n_iter, self.sweeps = max(self.sweeps, 1), 0
        return make_solution(self.unit, features, z[places], gap, n_iter)


def _cone_projection(columns: Array, aim: Array) -> NDArray[np.int64]:
    """Return independent columns whose non-negative combination is as close to ``aim`` as one of all columns can be.

    The method of Lawson and Hanson. Among the columns are many that are equal on the data up to rounding: one enters only if
    what it gains is more than that, and if it is independent of those chosen.
    """
    least = GAIN * float(np.linalg.norm(aim))
    chosen, barred = np.empty(0, np.int64), np.zeros(columns.shape[1], bool)
    weights: Array = np.empty(0)
    for _ in range(sum(columns.shape)):
        gains = columns.T @ (aim - columns[:, chosen] @ weights)
        gains[chosen], gains[barred] = 0.0, 0.0
        new = int(np.argmax(gains))
        if gains[new] <= least:
            break
        trial, start = np.append(chosen, new), np.append(weights, 0.0)
        solved, _, rank, _ = np.linalg.lstsq(columns[:, trial], aim, rcond=DEPENDENT)
        if rank < trial.size or solved[-1] <= 0.0:
            barred[new] = True
            continue
        while (falling := solved <= 0.0).any():
            # as far as all stay non-negative; the first that would not goes
            reach = np.where(falling, start / np.maximum(start - solved, 1e-300), np.inf)
            kept = np.arange(trial.size) != np.argmin(reach)
            start, trial = (start + reach.min() * (solved - start))[kept], trial[kept]
            solved, barred[:] = np.linalg.lstsq(columns[:, trial], aim, rcond=None)[0], False
        chosen, weights = trial, solved.astype(np.float64)
    return chosen


def trace(unit: Problem, alpha_max: float, alpha_min: float) -> tuple[list[tuple[float, Solution]], str]:
    """Return (alpha, solution) at the critical alpha, at every kink of the fit below it, and at ``alpha_min``; and a status.

    Between them the linear interpolation of the coefficients is optimal too. The status is "" where the path is complete,
    else it says what happened.
    """
    homotopy = Homotopy(unit, alpha_max)
    empty = np.empty((homotopy.frame.root.size, 0))
    support = Support((), (), np.empty(0), empty, np.empty((0, 0)))
    line, alpha = homotopy.line(support), alpha_max
    nodes = [(alpha, homotopy.solution(support, line, alpha))]
    above, vanished, idle = (support, line), np.zeros(0, bool), 0
    while alpha > alpha_min:
        support = homotopy.turn(support, alpha, line.residual(alpha), vanished, idle)
        line = homotopy.line(support)
        below, vanished = homotopy.next_kink(support, line, alpha, alpha_min, idle)
        if below >= alpha * (1.0 - 1e-12):
            idle += 1
            if idle == IDLE:
                return nodes, "rounding stopped the exact path: raise eps"
            continue
        change = np.linalg.norm(line.pull - above[1].pull)
        if alpha < alpha_max and change > SAME * np.linalg.norm(line.pull):
            nodes.append((alpha, homotopy.solution(*above, alpha)))
        above, alpha, idle = (support, line), below, 0
    return [*nodes, (alpha, homotopy.solution(support, line, alpha))], ""
