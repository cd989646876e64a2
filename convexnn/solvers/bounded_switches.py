"""The least squares problem of functions with a bounded number of switches, in function space: an interior point method.

A sum of units with at most K switches that all start low is, times its sign, a function h of 0 <= h <= H that starts at 0
(the mass of units that are high), whose falls, with the last one to 0 if K is even, add up to at most floor(K / 2) H. The
converse holds too: let the units that have switched least switch first, then their numbers of falls never differ by more
than one (``dictionaries.chains``). So the norm of f is the least (H_0 + H_1) / height over f = xi - h_0 + h_1 with two
such functions, a quadratic programme in O(M) variables for every K:

    min  sum w (y - f)^2 / 2 + penalty (H_0 + H_1)   over h, falls d >= 0, H, xi (and a skip slope)
    with h >= 0,  H - h >= 0,  d >= 0,  d + (steps of h) >= 0,  floor(K / 2) H - sum d - [K even] h_last >= 0.

Mehrotra's predictor-corrector method; the falls are eliminated, what is left is a ladder of two chains with a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Residuals = tuple[Array, Array, Array]
SIGNS = np.array([-1.0, 1.0])
ITERATIONS = 100
PATIENCE = 10
# Where the pair h is not unique its common part has no curvature but that of the barrier: a proximal term, which moves no
# solution, keeps rounding from driving it about.
PROXIMAL = 1e-6
DOUBT = 1e4


@dataclass(frozen=True)
class Stretches:
    """Weighted means over stretches: targets ``y`` and ``free`` columns (M, f); ``spread`` and ``moment`` are what the free
    columns' squares and products with y lose by that.
    """

    w: Array
    y: Array
    free: Array
    spread: Array
    moment: Array


@dataclass(frozen=True)
class Chains:
    """A point of the interior: ``x`` = (h, falls, H), free coefficients, slacks of the five constraints, multipliers."""

    x: tuple[Array, Array, Array]
    free: Array
    slacks: tuple[Array, ...]
    prices: tuple[Array, ...]

    @property
    def steps(self) -> Array:
        """The function without its free part."""
        return self.x[0] @ SIGNS

    @property
    def products(self) -> Array:
        """The products of slacks and multipliers: they add up to the duality gap of a feasible point."""
        return np.concatenate([(s * p).ravel() for s, p in zip(self.slacks, self.prices, strict=True)])

    def moved(self, step: Chains, length: float) -> Chains:
        """Return the point some way along a step."""

        def add(a: tuple, b: tuple) -> tuple:
            return tuple(one + length * other for one, other in zip(a, b, strict=True))

        free = self.free + length * step.free
        return Chains(add(self.x, step.x), free, add(self.slacks, step.slacks), add(self.prices, step.prices))

    def longest(self, step: Chains, part: float) -> float:
        """Return this part of how far along a step slacks and multipliers stay non-negative, at most 1."""
        length = 1.0
        for now, then in zip((*self.slacks, *self.prices), (*step.slacks, *step.prices), strict=True):
            length = min(length, part / max(float(np.max(-then / now, initial=0.0)), part))
        return length


@dataclass(frozen=True)
class Programme:
    """The problem: data of the stretches, the penalty of H, and K."""

    data: Stretches
    penalty: float
    switches: int

    @property
    def budget(self) -> int:
        """The falls of a unit."""
        return self.switches // 2

    @property
    def last(self) -> float:
        """What the last level counts among the falls."""
        return 1.0 - self.switches % 2

    def slacks(self, h: Array, falls: Array, high: Array) -> tuple[Array, ...]:
        """Apply the constraints."""
        room = self.budget * high - falls.sum(axis=0) - self.last * h[-1]
        return h, high - h, falls, falls + np.diff(h, axis=0), room

    def pull(self, low: Array, top: Array, fall: Array, rise: Array, room: Array) -> tuple[Array, Array, Array]:
        """Apply the transposed constraints."""
        on_h = low - top
        on_h[1:] += rise
        on_h[:-1] -= rise
        on_h[-1] -= self.last * room
        return on_h, fall + rise - room, top.sum(axis=0) + self.budget * room

    def heights(self, h: Array) -> Array:
        """Return the least H for two functions."""
        falls = np.maximum(-np.diff(h, axis=0), 0.0).sum(axis=0) + self.last * h[-1]
        return np.maximum(h.max(axis=0), falls / self.budget)

    def start(self) -> Chains:
        """Return a point with equal products of slacks and multipliers, up to small factors."""
        data, size = self.data, self.data.y.size
        high = np.full(2, max(float(np.ptp(data.y)), 1e-300))
        h = np.full((size, 2), 0.5 * high)
        room = self.budget * high / (2 * size)
        falls = np.tile((self.budget * high - room - self.last * h[-1]) / max(size - 1, 1), (size - 1, 1))
        end, price = np.full((size, 2), self.penalty / (2 * size)), np.full(2, self.penalty / (2 * self.budget))
        free = np.zeros(data.free.shape[1])
        free[0] = np.average(data.y, weights=data.w)
        half = np.tile(0.5 * price, (size - 1, 1))
        return Chains((h, falls, high), free, self.slacks(h, falls, high), (end, end, half, half, price))

    def dual_point(self, point: Chains) -> Array:
        """Return w (y - f)."""
        return self.data.w * (self.data.y - self.data.free @ point.free - point.steps)

    def objective(self, point: Chains) -> float:
        """Return the objective, up to a constant."""
        lam = self.dual_point(point)
        return 0.5 * float(np.dot(lam / self.data.w, lam)) + self.penalty * float(point.x[2].sum())


class Newton:
    """The Newton system at a point: its factor, and steps towards given products of slacks and multipliers."""

    def __init__(self, programme: Programme, point: Chains) -> None:
        from convexnn.kernels.ladder import factor

        self.programme, self.point = programme, point
        data = programme.data
        (h, falls, high), room = point.x, point.slacks[4]
        lam = programme.dual_point(point)
        on_h, on_falls, on_high = programme.pull(*point.prices)
        self.residuals = on_h + lam[:, None] * SIGNS, on_falls, on_high - programme.penalty
        self.free_residual = data.free.T @ lam + data.moment - data.spread @ point.free
        self.missing = [x - s for x, s in zip(programme.slacks(h, falls, high), point.slacks, strict=True)]
        low_ratio, top_ratio, fall_ratio, self.rise_ratio, _ = (
            p / s for p, s in zip(point.prices, point.slacks, strict=True)
        )
        self.sum_ratio = fall_ratio + self.rise_ratio
        self.share = self.rise_ratio / self.sum_ratio
        ground = low_ratio + top_ratio + PROXIMAL * programme.penalty / high
        self.factor = factor(ground.ravel(), data.w, (self.share * fall_ratio).ravel())
        # the border: H, multiplier of the falls, free coefficients
        size, width = data.free.shape
        border = np.zeros((size, 2, 4 + width))
        corner = np.zeros((4 + width, 4 + width))
        for j in range(2):
            border[:, j, j] = -top_ratio[:, j]
            border[1:, j, 2 + j] -= self.share[:, j]
            border[:-1, j, 2 + j] += self.share[:, j]
            border[-1, j, 2 + j] += programme.last
            border[:, j, 4:] = SIGNS[j] * (data.w[:, None] * data.free)
            corner[j, j] = top_ratio[:, j].sum()
            corner[j, 2 + j] = corner[2 + j, j] = -programme.budget
            corner[2 + j, 2 + j] = -(1.0 / self.sum_ratio[:, j]).sum() - room[j] / point.prices[4][j]
        corner[4:, 4:] = data.free.T @ (data.w[:, None] * data.free) + data.spread
        self.border = border.reshape(2 * size, -1)
        self.solved = self._substitute(self.border)
        self.schur = corner - self.border.T @ self.solved

    def _substitute(self, columns: Array) -> Array:
        from convexnn.kernels.ladder import substitute

        return np.asarray(substitute(*self.factor, columns))

    def step(self, products: list[Array], *, refined: bool = False) -> Chains:
        """Return the step after which slack times multiplier changes by ``products``, to first order."""
        step = self._solve(self.residuals, self.free_residual, self.missing, products)
        return step.moved(self._solve(*self._left(step, products)), 1.0) if refined else step

    def _left(self, step: Chains, products: list[Array]) -> tuple[Residuals, Array, list[Array], list[Array]]:
        """Return what rounding has left of the equations: it is large where a slack is tiny, and its multiplier is not."""
        programme, data, point = self.programme, self.programme.data, self.point
        lam = -data.w * (data.free @ step.free + step.steps)
        on_h, on_falls, on_high = (a + b for a, b in zip(self.residuals, programme.pull(*step.prices), strict=True))
        free = self.free_residual + data.free.T @ lam - data.spread @ step.free
        room = products[4] - point.prices[4] * step.slacks[4] - point.slacks[4] * step.prices[4]
        nothing = [np.zeros_like(s) for s in point.slacks]
        return (on_h + lam[:, None] * SIGNS, on_falls, on_high), free, nothing, [*nothing[:4], room]

    def _solve(self, residuals: Residuals, free_residual: Array, missing: list[Array], products: list[Array]) -> Chains:
        programme, prices, slacks = self.programme, self.point.prices, self.point.slacks
        wanted = [(c - p * m) / s for c, p, m, s in zip(products, prices, missing, slacks, strict=True)]
        wanted[4] = np.zeros(2)
        on_h, on_falls, on_high = (a + b for a, b in zip(residuals, programme.pull(*wanted), strict=True))
        on_h[1:] -= self.share * on_falls
        on_h[:-1] += self.share * on_falls
        on_room = missing[4] - products[4] / prices[4] - (on_falls / self.sum_ratio).sum(axis=0)
        right: Array = self._substitute(on_h.reshape(-1, 1))[:, 0]
        at_border = np.concatenate([on_high, on_room, free_residual]) - self.border.T @ right
        at_border = np.asarray(np.linalg.solve(self.schur, at_border), dtype=np.float64)
        h = (right - self.solved @ at_border).reshape(-1, 2)
        high, price, free = at_border[:2], at_border[2:4], at_border[4:]
        falls = (on_falls - price - self.rise_ratio * np.diff(h, axis=0)) / self.sum_ratio
        moves = tuple(x + m for x, m in zip(programme.slacks(h, falls, high), missing, strict=True))
        changes = [(c - p * x) / s for c, p, x, s in zip(products, prices, moves, slacks, strict=True)]
        changes[4] = price
        return Chains((h, falls, high), free, moves, tuple(changes))


def minimise(programme: Programme, tol: float) -> list[Chains]:
    """Return a point whose duality gap is ``tol`` of the objective; if rounding prevents that the best and those after it.

    What rounding leaves of the dual constraints is bounded, generously: a point after the best may be better.
    """
    point = programme.start()
    least, points = np.inf, [point]
    for _ in range(ITERATIONS):
        newton, products = Newton(programme, point), point.products
        # each product as large as the largest, and what the multipliers leave of the dual constraints
        unmet = float(point.x[2].sum()) * max(float(np.abs(r).max(initial=0.0)) for r in newton.residuals)
        merit = max(float(products.max()) * products.size, unmet) / programme.objective(point)
        far = products.sum() > 1e-6 * programme.objective(point)
        least, points = (merit, [point]) if far or merit < least else (least, [*points, point])
        if least <= tol or len(points) > PATIENCE:
            break
        mean = float(products.mean())
        aims = [-s * p for s, p in zip(point.slacks, point.prices, strict=True)]
        ahead = newton.step(aims)
        reached = float(point.moved(ahead, point.longest(ahead, 1.0)).products.mean())
        centre = mean * (reached / mean) ** 3
        wanted = [a + centre - s * p for a, s, p in zip(aims, ahead.slacks, ahead.prices, strict=True)]
        step = newton.step(wanted, refined=not far)
        length = point.longest(step, 0.995)
        if not length > 1e-9:
            break
        point = point.moved(step, length)
    return points


def cleaned(programme: Programme, point: Chains) -> Array:
    """Return h without steps that are there only because the point is inside.

    Of a slack and its multiplier the one that is larger, in its unit, is there in the solution; where that is not clear
    the slack stays, because a lost step would move f.
    """
    h, _, high = point.x
    low, top, fall, rise, _ = (
        DOUBT * s * programme.penalty > p * high for s, p in zip(point.slacks, point.prices, strict=True)
    )
    out = np.empty_like(h)
    for j in range(2):
        starts = np.concatenate(([0], np.flatnonzero(fall[:, j] | rise[:, j]) + 1))
        means = np.add.reduceat(h[:, j], starts) / np.diff(np.append(starts, len(h)))
        means[~np.logical_and.reduceat(low[:, j], starts)] = 0.0
        means[~np.logical_and.reduceat(top[:, j], starts)] = high[j]
        out[:, j] = np.repeat(means, np.diff(np.append(starts, len(h))))
    return out
