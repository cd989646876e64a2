"""The values at the knots of all inputs together: normal equations, the optimum for given signs of kinks, wrong knots out.

A row of data touches two knots of each input, so that the normal equations of 1e5 rows cost milliseconds, and their size is
the number of knots. Where inputs (nearly) depend on each other they are singular: every solve stays near the values before,
a proximal step.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import lsq_linear
from scipy.sparse import csr_array

from convexnn.duality import Problem
from convexnn.solvers.blocks import Block

Array = NDArray[np.float64]
NEAR = 1e-9
REFINEMENTS = 8


@dataclass(frozen=True)
class State:
    """The blocks, and the normal equations of their values after the free directions are projected out.

    ``ground`` are the moments of each block by which it is told from free directions: they are kept at zero.
    """

    blocks: tuple[Block, ...]
    gram: Array
    target: Array
    ground: Array

    def leaning(self, other: State) -> State:
        """Return the state with the taus of another."""
        pairs = zip(self.blocks, other.blocks, strict=True)
        return replace(self, blocks=tuple(replace(block, tau=to.tau) for block, to in pairs))

    @property
    def values(self) -> Array:
        """The values of all blocks."""
        return np.concatenate([block.values for block in self.blocks])

    def split(self, per_knot: NDArray) -> list[NDArray]:
        """Split a quantity given for the knots of all blocks."""
        sizes = [block.knots.size for block in self.blocks]
        return [per_knot[end - size : end] for size, end in zip(sizes, itertools.accumulate(sizes), strict=True)]

    def at(self, values: Array) -> State:
        """Return the state with other values."""
        parts = zip(self.blocks, self.split(values), strict=True)
        return replace(self, blocks=tuple(replace(block, values=part) for block, part in parts))

    def without(self, dropped: NDArray[np.bool_]) -> State:
        """Return the state without the kinks of some knots; the normal equations of the others follow from these."""
        blocks = tuple(block.without(part) for block, part in zip(self.blocks, self.split(dropped), strict=True))
        old = [block.kind.points[block.knots] for block in self.blocks]
        design = Design(blocks, tuple(block.locate(points) for block, points in zip(blocks, old, strict=True)))
        left, t = (np.concatenate(parts) for parts in zip(*design.rows(), strict=True))
        used = np.flatnonzero(t)  # elsewhere there may be no next unknown
        rows = np.concatenate((np.arange(t.size), used))
        entries = (np.concatenate((1.0 - t, t[used])), (rows, np.concatenate((left, left[used] + 1))))
        spread = csr_array(entries, shape=(t.size, sum(block.knots.size for block in blocks)))
        gram = spread.T @ (spread.T @ self.gram).T
        return State(blocks, gram, spread.T @ self.target, spread.T @ self.ground)


@dataclass(frozen=True)
class Design:
    """The map from the values of all blocks to the rows, located once."""

    blocks: tuple[Block, ...]
    located: tuple[tuple[NDArray[np.int64], Array], ...]

    def rows(self) -> list[tuple[NDArray[np.int64], Array]]:
        """Return for each block the unknown left of each of its points, numbered through all blocks, and t."""
        out, first = [], 0
        for block, (starts, t) in zip(self.blocks, self.located, strict=True):
            out.append((np.repeat(np.arange(first, first + starts.size), np.diff(starts, append=t.size)), t))
            first += block.knots.size
        return out

    def fitted(self, values: Array) -> Array:
        """Return the fit at the rows."""
        first, fit = 0, np.zeros(1)
        for block, (starts, t) in zip(self.blocks, self.located, strict=True):
            part = values[first : first + block.knots.size]
            fit = fit + block.kind.axis.gather(block.spread(starts, t, part))
            first += part.size
        return fit

    def collect(self, rows: Array) -> Array:
        """Apply the transpose of ``fitted``."""
        pairs = zip(self.blocks, self.located, strict=True)
        return np.concatenate([block.collect(*where, block.kind.axis.scatter(rows)) for block, where in pairs])


def design_of(blocks: tuple[Block, ...]) -> Design:
    """Return the design of all rows."""
    return Design(blocks, tuple(block.locate(block.kind.points) for block in blocks))


class Solver:
    """Solves with a state's normal equations, kept near zero along directions that they (nearly) leave free."""

    def __init__(self, state: State):
        self.scale = 1.0 / np.sqrt(state.gram.diagonal() + np.square(state.ground).sum(axis=1))
        near = NEAR
        while True:
            # of thousands of knots the matrix is what takes time: one array, which becomes its factor
            scaled = state.ground @ state.ground.T
            scaled += state.gram
            scaled *= self.scale
            scaled *= self.scale[:, None]
            np.fill_diagonal(scaled, 1.0 + near)
            try:
                self.factor = cho_factor(scaled.T, lower=True, overwrite_a=True)
                break
            except LinAlgError:
                near *= 100.0

    def __call__(self, rhs: Array) -> Array:
        """Solve for one or several right-hand sides."""
        scale = self.scale if rhs.ndim == 1 else self.scale[:, None]
        return scale * cho_solve(self.factor, np.asarray_chkfinite(scale * rhs), overwrite_b=True, check_finite=False)


def assemble(problem: Problem, basis: Array, blocks: tuple[Block, ...]) -> State:
    """Return the state with the normal equations of the blocks' values, from the rows and the free directions."""
    from convexnn.kernels.additive import gram_of_rows

    w, root, design = problem.data.w, np.sqrt(problem.data.w), design_of(blocks)
    left = np.empty((len(blocks), w.size), np.int64)
    t = np.empty(left.shape)
    for k, (block, (lefts, ts)) in enumerate(zip(blocks, design.rows(), strict=True)):
        rows = slice(None) if block.kind.axis.inverse is None else block.kind.axis.inverse
        left[k], t[k] = lefts[rows], ts[rows]
    width = np.array([block.kind.norm is not None and block.knots.size > 1 for block in blocks], np.int64)
    shares = np.column_stack([design.collect(root * direction) for direction in basis.T])
    gram = gram_of_rows(left, t, width, w, len(shares))
    gram -= shares @ shares.T
    target = design.collect(root * (root * problem.data.y - basis @ (basis.T @ (root * problem.data.y))))
    return State(blocks, gram, target, np.column_stack(_ground(problem, design)))


def _ground(problem: Problem, design: Design) -> list[Array]:
    """Return, for every block, its mean, and its moment with its input where lines are free and it can be one."""
    columns, first, size = [], 0, sum(block.knots.size for block in design.blocks)
    for j, (block, where) in enumerate(zip(design.blocks, design.located, strict=True)):
        weight, x = block.kind.axis.scatter(problem.data.w), block.kind.points
        lines = j in problem.free_inputs and block.kind.norm is not None
        for direction in (np.ones(x.size), x - np.average(x, weights=weight))[: 1 + lines]:
            column = np.zeros(size)
            column[first : first + block.knots.size] = block.collect(*where, weight * direction)
            columns.append(column / np.sqrt(np.dot(weight * direction, direction)))
        first += block.knots.size
    return columns


def settle(state: State, share: float) -> State:
    """Refit and drop knots whose kink has the wrong sign, until all are right.

    ``share`` of the wrong ones, those that cross zero first on the way from the values before, are dropped at a time.
    With share 0 it is one at a time, and the values move only as far as the crossing: then the objective never
    rises, and every call ends.
    """
    while True:
        aim = refit(state)
        pairs = [block.wrong(other) for block, other in zip(state.blocks, aim.blocks, strict=True)]
        now, then = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        wrong = then <= 0.0
        count = int(np.count_nonzero(wrong))
        if count == 0:
            return aim
        if share < 1.0:
            reach = np.full(wrong.size, np.inf)
            reach[wrong] = now[wrong] / np.maximum(now[wrong] - then[wrong], 1e-300)
            chosen = np.argsort(reach, kind="stable")[: max(1, int(share * count))]
            wrong = np.zeros(wrong.size, bool)
            wrong[chosen] = True
            if share == 0.0:
                state = state.at(state.values + float(reach[chosen[0]]) * (aim.values - state.values))
        state = state.leaning(aim).without(wrong)


def refit(state: State) -> State:
    """Minimise over all values, and over the taus of coupled norms, with the signs of kinks fixed."""
    solver = Solver(state)
    coupled = [k for k, block in enumerate(state.blocks) if block.kind.coupled]
    if coupled:
        leans = _leans(state, coupled)
        away = solver(leans)
        curvature = leans.T @ away
    last = np.inf
    for _ in range(REFINEMENTS):
        before = state.values
        force = np.concatenate([block.pull(block.forces()) for block in state.blocks])
        values = before + solver(state.target - state.gram @ before - force)
        if coupled:
            # tau = t_+ - t_-, of which at most one is not zero
            t = np.maximum(np.ravel([[state.blocks[k].tau, -state.blocks[k].tau] for k in coupled]), 0.0)
            change = _box_maximum(curvature, leans.T @ values, -t, 1.0 - t)
            values, t = values - away @ change, t + change
            taus = dict(zip(coupled, (t[::2] - t[1::2]).tolist(), strict=True))
            blocks = (replace(block, tau=taus.get(k, block.tau)) for k, block in enumerate(state.blocks))
            state = replace(state, blocks=tuple(blocks))
        state = state.at(values)
        step = float(np.abs(values - before).max())
        if step <= 1e-15 * np.abs(values).max() or step > last:
            break
        last = step
    return state


def _leans(state: State, coupled: list[int]) -> Array:
    """Return as columns how the forces change with t_+ and with t_- of each coupled norm."""
    leans = np.zeros((sum(block.knots.size for block in state.blocks), 2 * len(coupled)))
    for column, k in enumerate(coupled):
        for place, side in ((2 * column, 1.0), (2 * column + 1, -1.0)):
            state.split(leans[:, place])[k][:] = state.blocks[k].lean(side)
    return leans


def _box_maximum(curvature: Array, slope: Array, low: Array, high: Array) -> Array:
    """Maximise slope @ s - s @ curvature @ s / 2 for low <= s <= high."""
    s = np.where(slope > 0.0, high, low)
    if (np.where(slope > 0.0, 1.0, -1.0) * (slope - curvature @ s) >= 0.0).all():
        return s
    size = np.sqrt(curvature.diagonal())
    size = np.where(size > 0.0, size, 1.0)
    scaled = curvature / size / size[:, None]
    # of dependent leans rounding can make an eigenvalue negative
    squares, directions = np.linalg.eigh(scaled)
    stretch = np.sqrt(np.maximum(squares, 1e-14 * np.trace(scaled)))
    box = (low * size, high * size + 1e-300)
    rhs = (directions.T @ (slope / size)) / stretch
    options = {"tol": 1e-15, "max_iter": 20 * size.size}
    with np.errstate(divide="ignore", invalid="ignore"):
        found = lsq_linear(stretch[:, None] * directions.T, rhs, box, method="bvls", **options).x
    if not np.isfinite(found).all():  # it divides by the length of a step, which may be zero
        found = lsq_linear(stretch[:, None] * directions.T, rhs, box, method="trf", **options).x
    return np.clip(found / size, low, high)
