"""Primal value, dual point, duality gap and the critical beta: the only copy (theory section 3).

Everything is in canonical units. Minus the derivative of the loss at a fit (for the squared loss: the residual), times the
weights, is a dual point once it is orthogonal to the directions that carry no penalty (the constant; with a skip connection
the inputs); scaled into the dual ball {lam : |lam @ g| <= beta for all features g} it bounds the optimum from below, by
-sum w l*(-lam / w), with l* the conjugate of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from convexnn.canonical import EPSILON, Axis, CanonicalData, repeated
from convexnn.dictionaries.base import Atoms, Dictionary, Rows
from convexnn.extended import is_extended, orthonormal

Array = NDArray[np.float64]
RESOLUTION = 1e-13  # relative differences of objectives below are rounding


@dataclass(frozen=True)
class Problem:
    """min over z, xi (and omega): sum_n w_n loss(f_n, y_n) + sum_j beta_j ||z_j||_1, in canonical units.

    Attributes
    ----------
    data : CanonicalData
        The merged rows, and the loss.
    dictionaries : tuple of Dictionary
        One for each input.
    betas : ndarray of shape (n_inputs,)
        The penalty of a unit on each input. They differ by the scales of the inputs only.
    free_inputs : tuple of int
        The inputs that are free directions themselves, as a skip connection reads them.
    network : tuple of Dictionary or None
        The units that represent a fit, where a shape constraint makes the features that are priced others than these.
    """

    data: CanonicalData
    dictionaries: tuple[Atoms, ...]
    betas: Array
    free_inputs: tuple[int, ...]
    network: tuple[Dictionary, ...] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up a pickle; the first ones said only whether there is a skip connection."""
        vars(self).update(state)
        if "free_inputs" not in state:
            vars(self)["free_inputs"] = self.data.independent_inputs if vars(self).pop("skip") else ()

    @property
    def skip(self) -> bool:
        """Whether there is a skip connection that reads anything."""
        return bool(self.free_inputs)

    @property
    def units(self) -> tuple[Dictionary, ...]:
        """The dictionaries of the features of a fit."""
        return cast("tuple[Dictionary, ...]", self.dictionaries) if self.network is None else self.network

    def free_columns(self) -> Array:
        """Return the unpenalised directions as columns: the constant and, with a skip connection, independent inputs."""
        return np.column_stack([np.ones(self.data.y.size), *self.free_lines()])

    def free_lines(self) -> Iterator[Array]:
        """Return free inputs at the rows."""
        return (axis.gather(axis.points) for axis in (self.data.axes[j] for j in self.free_inputs))

    def free_coefficients(self, fit: Array) -> tuple[float, Array]:
        """Read intercept and skip slopes off a combination of the free directions."""
        if not self.skip:
            return float(fit[0]), np.zeros(len(self.data.axes))
        columns, slopes = self.free_columns(), np.zeros(len(self.data.axes))
        middles = np.append(0.0, columns[:, 1:].mean(axis=0))
        columns -= middles
        sizes = np.maximum(np.linalg.norm(columns, axis=0), np.finfo(np.float64).tiny)
        columns /= sizes
        coef = np.zeros(sizes.size)
        # slopes that are large and cancel miss the fit by more than their rounding
        for _ in range(3 if is_extended(fit) else 1):
            rest = fit - columns.astype(fit.dtype, copy=False) @ coef
            coef += np.linalg.lstsq(columns, rest.astype(np.float64, copy=False), rcond=1e-15)[0]
        coef /= sizes
        slopes[list(self.free_inputs)] = coef[1:]
        return float(coef[0] - np.dot(middles, coef)), slopes

    def free_basis(self, precision: type = np.float64) -> Array:
        """Return an orthonormal basis (rows, r) of the unpenalised directions, each times sqrt(w)."""
        root = np.sqrt(self.data.w.astype(precision, copy=False))
        if is_extended(root):
            return orthonormal(self.free_columns() * root[:, None], 1e-13)
        constant = root / np.linalg.norm(root)
        if not self.skip:
            return constant[:, None]
        inputs = self.free_columns()[:, 1:] * root[:, None]
        inputs /= np.maximum(np.linalg.norm(inputs, axis=0), np.finfo(np.float64).tiny)
        for _ in range(2):
            inputs -= np.outer(constant, constant @ inputs)
        # weights may leave nothing of them: keep what has rank
        if inputs.shape[1] == 1:
            size = np.linalg.norm(inputs)
            lines = inputs / size if size > 1e-13 else inputs[:, :0]
        else:
            directions, sizes, _ = np.linalg.svd(inputs, full_matrices=False)
            lines = directions[:, sizes > 1e-13]
        for _ in range(2):
            lines -= np.outer(constant, constant @ lines)
        return np.column_stack((constant, lines))


@dataclass  # not frozen, as every round makes some; nor a tuple, which could not be read from a release's pickles
class Violations:
    """Features whose correlation exceeds their beta: for each input its rows and signed correlations over beta."""

    maximum: float
    features: tuple[Rows, ...]
    ratios: tuple[Array, ...]


@dataclass
class Gap:
    """A primal value, the dual value that certifies it, and where the dual constraint is tightest (max_ratio <= 1)."""

    primal: float
    dual: float
    gap: float
    violations: Violations


def price(problem: Problem, lam: Array, *, limit: int, slack: float = 0.0) -> Violations:
    """Return the largest |lam @ g| / beta over all features of all inputs, and a batch of those above 1 + slack."""
    rows, ratios, maximum = [], [], 0.0
    inputs = zip(problem.data.axes, problem.dictionaries, problem.betas, strict=True)
    for j, (axis, dictionary, beta) in enumerate(inputs):
        pooled = axis.scatter(lam)
        # on so few points every function is a free direction, and what is priced is rounding
        idle = axis.points.size <= 1 + (j in problem.free_inputs)
        priced = dictionary.price(pooled, np.inf if idle else beta * (1.0 + slack), limit)
        if priced.maximum > 0.0 and not idle and not _cancels(axis, pooled, lam):
            maximum = max(maximum, priced.maximum / beta if beta > 0.0 else np.inf)
        rows.append(priced.features)
        ratios.append(priced.correlations / beta if beta > 0.0 else priced.correlations)
    return Violations(float(maximum), tuple(rows), tuple(ratios))


def _cancels(axis: Axis, pooled: Array, lam: Array) -> bool:
    """Return whether rows of equal inputs take each other away at every point, but for rounding: then no feature gains.

    Not so a small correlation by itself: points may be as close to each other as that.
    """
    if axis.inverse is None:
        return False
    sizes, left = np.abs(lam), np.abs(pooled)
    if left.max() > 4.0 * EPSILON * (sizes.sum() + sizes.max()):
        return False  # as nearly always, without the sums at all points
    return bool((left <= 2.0 * EPSILON * (axis.scatter(sizes) + sizes.max())).all())


def bound(violations: Violations, squares: float, mismatch: float, penalty: float, paired: float) -> Gap:
    """Turn a dual point lam of the squared loss into a duality gap, from sums alone.

    With r the residuals (``squares`` = sum w r^2), ``mismatch`` = sum (lam - w r)^2 / w, f the fit and ``paired`` = lam @ f,
    theta = 1 / max(1, max ratio) makes theta lam feasible, and the gap
    penalty - theta paired + sum (w r - theta lam)^2 / (2 w) is bounded without large numbers that cancel.
    """
    theta = 1.0 / max(1.0, violations.maximum)
    distance = (1.0 - theta) * math.sqrt(squares) + theta * math.sqrt(mismatch)
    gap = max(penalty - theta * paired + 0.5 * distance * distance, 0.0)
    primal = 0.5 * squares + penalty
    return Gap(float(primal), float(primal - gap), float(gap), violations)


def evaluate_gap(
    problem: Problem,
    fit: Array,
    penalty: float,
    *,
    lam: Array | None = None,
    paired: float | None = None,
    limit: int,
    slack: float = 0.0,
) -> Gap:
    """Certify a fit by a dual point, which must be orthogonal to the free directions.

    The dual point is that of the fit itself, after :func:`refit`; or a solver that knows which constraints are tight may
    give one in which they are so to the last digits, ``lam``, and ``paired`` = lam @ fit. At tiny alpha that is far more
    accurate than derivatives, which are differences of large numbers.

    With theta <= 1 such that theta lam is feasible, the gap is penalty - theta lam @ f + sum w excess(f, theta lam / w), a
    sum of terms that are not negative.
    """
    data = problem.data
    if lam is None:
        lam = data.w * data.loss.dual(fit, data.y)
    if paired is None:
        paired = float(np.dot(lam, fit))
    violations = price(problem, lam, limit=limit, slack=slack)
    if data.loss.quadratic:  # the same in fewer passes
        errors = data.y - fit
        off = lam / data.w
        off -= errors
        squares, mismatch = _weighted(data.w, errors, errors), _weighted(data.w, off, off)
        return bound(violations, squares, mismatch, penalty, paired)
    low, high = data.loss.interval(data.y)
    v = lam / data.w
    theta = 1.0 / max(1.0, violations.maximum, _reach(v, low, high))
    excess = float(np.dot(data.w, data.loss.excess(fit, np.clip(theta * v, low, high), data.y)))
    gap = max(penalty - theta * paired + excess, 0.0)
    primal = float(np.dot(data.w, data.loss.value(fit, data.y))) + penalty
    return Gap(primal, primal - gap, gap, violations)


def _reach(v: Array, low: Array | float, high: Array | float) -> float:
    """Return how many times too large v is for its interval, which holds zero; not counting rounding."""
    bounds = np.where(v > 0.0, high, low)
    beyond = np.abs(v) > np.abs(bounds) + 4.0 * EPSILON
    if not beyond.any():
        return 1.0
    with np.errstate(divide="ignore"):
        return float(np.max(v[beyond] / bounds[beyond]))


def feasible(problem: Problem, lam: Array) -> Array:
    """Return lam orthogonal to the free directions, and in the domain of the conjugates if it has room there.

    The correction is spread over the rows by the room that they have inside the domain: none for a row at its bound. Where
    that is not enough, as with the absolute loss if the fit meets no target, the rest is projected away: no bound holds for
    a point that is not orthogonal, while one outside the domain is scaled into it by :func:`evaluate_gap`.
    """
    data = problem.data
    if not data.loss.quadratic:
        low, high = data.loss.interval(data.y)
        lam = data.w * np.clip(lam.astype(np.float64, copy=False) / data.w, low, high)
        free = problem.free_columns()
        for _ in range(2):
            v = lam / data.w
            room = np.minimum(v - low, high - v)
            share = data.w * np.minimum(np.maximum(room, 0.0), 1.0)
            steps = np.linalg.lstsq(free.T @ (share[:, None] * free), free.T @ lam, rcond=1e-13)[0]
            lam = lam - share * (free @ steps)
    root, basis = np.sqrt(data.w.astype(lam.dtype, copy=False)), problem.free_basis(lam.dtype.type)
    return root * (lam / root - basis @ (basis.T @ (lam / root)))


def refit(problem: Problem, fit: Array) -> Array:
    """Return the fit with the best combination of the free directions added, if the loss is smooth.

    Its derivatives are then a dual point. One weighted projection for the squared loss; else Newton's method on the few
    coefficients, with the curvature raised towards the loss's majorizer while a step does not go down.
    """
    data = problem.data
    loss, w, y = data.loss, data.w, data.y
    if not loss.smooth:
        return fit
    if loss.quadratic:
        root, basis = np.sqrt(w), problem.free_basis()
        return fit + basis @ (basis.T @ (root * (y - fit))) / root
    free, damping = problem.free_columns(), 0.0
    now = float(np.dot(w, loss.value(fit, y)))
    for _ in range(100):
        slope = w * loss.dual(fit, y)
        pull = free.T @ slope
        if (np.abs(pull) <= 16.0 * EPSILON * (np.abs(free).T @ np.abs(slope))).all():
            break
        weight = w * np.maximum(loss.curvature(fit, y), damping * loss.majorizer(fit, y))
        aim = fit + free @ np.linalg.lstsq(free.T @ (weight[:, None] * free), pull, rcond=1e-13)[0]
        then = float(np.dot(w, loss.value(aim, y)))
        if then < now:
            fit, now, damping = aim, then, 0.01 * damping
        elif damping >= 1.0:
            break  # with the majorizer only rounding can go up
        else:
            damping = min(max(0.01, 10.0 * damping), 1.0)
    return fit


def better(new: Gap, old: Gap) -> bool:
    """Return whether a fit is better: by its objective, or by its gap where the objectives are equal up to rounding.

    If rounding counted as progress, two fits that are equally good could follow each other for ever.
    """
    if abs(new.primal - old.primal) > RESOLUTION * old.primal:
        return new.primal < old.primal
    return new.gap < old.gap


def relative_gap(problem: Problem, gap: Gap) -> float:
    """Return the gap relative to the objective on the original rows, or to 1e-8 of the constant fit's if that is more.

    Below that a gap cannot be told from rounding.
    """
    reference = max(gap.primal + problem.data.constant, 1e-8 * problem.data.null_objective)
    return gap.gap / reference if gap.gap > 0.0 else 0.0


@dataclass(frozen=True)
class Null:
    """The best network without units: its fit, the dual point that certifies it, and beta_max / beta, the largest ratio."""

    fit: Array
    lam: Array
    ratio: float


def null_point(problem: Problem) -> Null:
    """Return the mean (for another smooth loss: its best constant), or the best line with a skip connection.

    The ratio is the largest |lam @ g| / beta_j at its dual point: from that multiple of beta on it is the best network.
    """
    data = problem.data
    if data.loss.quadratic:
        return _null_of_squares(problem)
    constant = 0.0 if data.loss.shifts else data.loss.best_constant(data.y, data.w)
    fit = refit(problem, np.full(data.y.size, constant))
    v = data.loss.dual(fit, data.y)
    lam = feasible(problem, data.w * v)
    if (np.abs(v) <= 64.0 * EPSILON * data.loss.majorizer(fit, data.y)).all():
        return Null(fit, lam, 0.0)  # an exact fit up to rounding (targets are of order one): there is nothing to explain
    return Null(fit, lam, float(price(problem, lam, limit=0).maximum))


def _null_of_squares(problem: Problem) -> Null:
    """Return the null fit of the squared loss, with few arrays of the size of the data at a time."""
    data = problem.data
    residual = _orthogonal(data.y, data.w, _free_lines(problem))
    fit = data.y - residual if problem.skip else repeated(data.y[0] - residual[0], data.y.size)
    if np.abs(residual).max() <= 64.0 * EPSILON:
        return Null(fit, data.w * residual, 0.0)  # an exact fit up to rounding: there is nothing to explain
    residual *= data.w
    return Null(fit, residual, float(price(problem, residual, limit=0).maximum))


def _free_lines(problem: Problem) -> list[tuple[Array, Array, float]]:
    """Return the inputs, if they are free directions, orthogonal to the constant and each other, as below."""
    data = problem.data
    lines: list[tuple[Array, Array, float]] = []
    for column in problem.free_lines():
        free = _orthogonal(column, data.w, lines)
        pull = data.w * free
        size = float(np.dot(pull, free))
        # weights may leave nothing of them: keep what has rank
        if size > 1e-26 * _weighted(data.w, column, column):
            lines.append((free, pull, size))
    return lines


def _orthogonal(vector: Array, w: Array, lines: list[tuple[Array, Array, float]]) -> Array:
    """Return the vector without its mean and its components along lines, twice, so that rounding leaves none.

    Of each line there are also w times it, and its size squared.
    """
    vector, total = vector.copy(), float(w.sum())
    for _ in range(2):
        vector -= np.dot(w, vector) / total
        for free, pull, size in lines:
            daxpy(free, vector, a=-np.dot(pull, vector) / size)  # in place
    return vector


def _weighted(w: Array, a: Array, b: Array) -> float:
    return float(np.einsum("i,i,i->", w, a, b))
