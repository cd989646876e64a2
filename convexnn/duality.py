"""Primal value, dual point, duality gap and the critical beta: the only copy (theory section 3).

Everything is in canonical units. The residual of a fit, times the weights, is a dual point once it is orthogonal to the
directions that carry no penalty (the constant; with a skip connection the inputs); scaled into the dual ball
{lam : |lam @ g| <= beta for all features g} it bounds the optimum from below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import EPSILON, CanonicalData
from convexnn.dictionaries.base import Dictionary, Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """min over z, xi (and omega): sum_n w_n (y_n - f_n)^2 / 2 + sum_j beta_j ||z_j||_1, in canonical units.

    Attributes
    ----------
    data : CanonicalData
        The merged rows.
    dictionaries : tuple of Dictionary
        One for each input.
    betas : ndarray of shape (n_inputs,)
        The penalty of a unit on each input. They differ by the scales of the inputs only.
    skip : bool
        Whether the inputs themselves are free directions.
    """

    data: CanonicalData
    dictionaries: tuple[Dictionary, ...]
    betas: Array
    skip: bool

    def free_columns(self) -> Array:
        """Return the unpenalised directions as columns: the constant and, with a skip connection, the inputs."""
        inputs = [axis.gather(axis.points) for axis in self.data.axes] if self.skip else []
        return np.column_stack([np.ones(self.data.y.size), *inputs])

    def free_coefficients(self, fit: Array) -> tuple[float, Array]:
        """Read intercept and skip slopes off a combination of the free directions."""
        if not self.skip:
            return float(fit[0]), np.zeros(len(self.data.axes))
        coef = np.linalg.lstsq(self.free_columns(), fit, rcond=1e-13)[0]
        return float(coef[0]), np.asarray(coef[1:], dtype=np.float64)

    def free_basis(self) -> Array:
        """Return an orthonormal basis (rows, r) of the unpenalised directions, each times sqrt(w)."""
        root = np.sqrt(self.data.w)
        vectors = [root / np.linalg.norm(root)]
        for axis in self.data.axes if self.skip else ():
            vector = axis.gather(axis.points) * root
            size = np.linalg.norm(vector)
            for _ in range(2):
                for other in vectors:
                    vector -= np.dot(other, vector) * other
            rest = np.linalg.norm(vector)
            # inputs may be constant or depend on each other: keep what has rank
            if rest > 1e-13 * size:
                vectors.append(vector / rest)
        return np.array(vectors).T


@dataclass(frozen=True)
class Violations:
    """Features whose correlation exceeds their beta: for each input its rows and signed correlations over beta."""

    maximum: float
    features: tuple[Rows, ...]
    ratios: tuple[Array, ...]


@dataclass(frozen=True)
class Gap:
    """A primal value, the dual value that certifies it, and where the dual constraint is tightest (max_ratio <= 1)."""

    primal: float
    dual: float
    gap: float
    violations: Violations


def price(problem: Problem, lam: Array, *, limit: int, slack: float = 0.0) -> Violations:
    """Return the largest |lam @ g| / beta over all features of all inputs, and a batch of those above 1 + slack."""
    rows, ratios, maximum = [], [], 0.0
    for axis, dictionary, beta in zip(problem.data.axes, problem.dictionaries, problem.betas, strict=True):
        priced = dictionary.price(axis.scatter(lam), beta * (1.0 + slack), limit)
        if priced.maximum > 0.0:
            maximum = max(maximum, priced.maximum / beta if beta > 0.0 else np.inf)
        rows.append(priced.features)
        ratios.append(priced.correlations / beta if beta > 0.0 else priced.correlations)
    return Violations(float(maximum), tuple(rows), tuple(ratios))


def bound(violations: Violations, squares: float, mismatch: float, penalty: float, paired: float) -> Gap:
    """Turn a dual point lam into a duality gap.

    With r the residuals (``squares`` = sum w r^2), ``mismatch`` = sum (lam - w r)^2 / w, f the fit and ``paired`` = lam @ f,
    theta = 1 / max(1, max ratio) makes theta lam feasible, and the gap
    penalty - theta paired + sum (w r - theta lam)^2 / (2 w) is bounded without large numbers that cancel.
    """
    theta = 1.0 / max(1.0, violations.maximum)
    distance = (1.0 - theta) * math.sqrt(squares) + theta * math.sqrt(mismatch)
    gap = max(penalty - theta * paired + 0.5 * distance * distance, 0.0)
    primal = 0.5 * squares + penalty
    return Gap(float(primal), float(primal - gap), float(gap), violations)


def refitted_residual(problem: Problem, basis: Array, fit: Array) -> Array:
    """Return y - fit after refitting the free directions: times w, a dual point before scaling."""
    root = np.sqrt(problem.data.w)
    weighted = root * (problem.data.y - fit)
    return (weighted - basis @ (basis.T @ weighted)) / root


def evaluate_gap(
    problem: Problem,
    residual: Array,
    penalty: float,
    *,
    lam: Array | None = None,
    paired: float | None = None,
    limit: int,
    slack: float = 0.0,
) -> Gap:
    """Certify a fit from its residuals, which must be orthogonal, times w, to the free directions.

    A solver that knows which constraints are tight may give a dual point ``lam`` in which they are so to the last digits,
    and ``paired`` = lam @ fit. At tiny alpha it is far more accurate than the residuals, which are differences of
    large numbers.
    """
    w = problem.data.w
    if lam is None:
        lam = w * residual
    if paired is None:
        paired = float(np.dot(lam, problem.data.y - residual))
    squares = float(np.dot(w * residual, residual))
    off = lam - w * residual
    return bound(price(problem, lam, limit=limit, slack=slack), squares, float(np.dot(off / w, off)), penalty, paired)


def relative_gap(problem: Problem, gap: Gap) -> float:
    """Return the gap relative to the objective on the original rows, or to 1e-8 of the constant fit's if that is more.

    Below that a gap cannot be told from rounding.
    """
    reference = max(gap.primal + problem.data.constant, 1e-8 * problem.data.null_objective)
    return gap.gap / reference if gap.gap > 0.0 else 0.0


def null_fit(problem: Problem, basis: Array) -> Array:
    """Return the fitted values of the best network without units: the mean, or the line with a skip connection."""
    root = np.sqrt(problem.data.w)
    return basis @ (basis.T @ (root * problem.data.y)) / root


def critical_ratio(problem: Problem, basis: Array) -> float:
    """Return beta_max / beta: the largest |lam @ g| / beta_j at the residual of the null fit."""
    residual = problem.data.y - null_fit(problem, basis)
    if np.abs(residual).max() <= 16.0 * EPSILON:
        return 0.0  # an exact fit up to rounding (targets are of order one): there is nothing to explain
    return float(price(problem, problem.data.w * residual, limit=0).maximum)
