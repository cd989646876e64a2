"""Which features an optimal network may have: those that the duality gap does not exclude (theory section 6).

All optimal networks of the squared loss share one dual point, and a feature of any of them is tight there. Of an approximate
dual point the gap bounds the distance to that one, so that a feature whose correlation is farther below beta is
excluded for certain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows
from convexnn.duality import Problem, evaluate_gap
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]
NOISE = 1e-13  # coefficients below this part of their sum are rounding
RANK = 1e-11  # singular values below this part of the largest are zero
ENTRIES = 50_000_000


def columns_over_beta(problem: Problem, rows: tuple[Rows, ...]) -> Array:
    """Return the features' values, times the roots of the weights, without free directions, over beta."""
    if problem.data.y.size * sum(len(part) for part in rows) > ENTRIES:
        raise ValueError("There are too many tight features to describe the optimal set: raise alpha or thin the data")
    root, basis = np.sqrt(problem.data.w), problem.free_basis()
    columns = np.concatenate(
        [
            axis.gather(dictionary.evaluate(part, dictionary.points)) / beta
            for axis, dictionary, part, beta in zip(
                problem.data.axes, problem.dictionaries, rows, problem.betas, strict=True
            )
        ],
        axis=1,
    )
    columns = columns * root[:, None]
    for _ in range(2):
        columns -= basis @ (basis.T @ columns)
    return columns


def dual_point(problem: Problem, columns: Array, weights: Array) -> tuple[Array, float]:
    """Return the dual point over the roots of the weights, its active constraints met exactly, and the gap."""
    root, basis = np.sqrt(problem.data.w), problem.free_basis()
    target = root * problem.data.y
    target = target - basis @ (basis.T @ target)
    residual = target - columns @ weights
    lam, used = residual, weights != 0.0
    for _ in range(2):
        off = np.sign(weights[used]) - columns[:, used].T @ lam
        lam = lam + np.linalg.lstsq(columns[:, used].T, off, rcond=RANK)[0]
        lam = lam - basis @ (basis.T @ lam)
    paired, penalty = float(lam @ columns @ weights), float(np.abs(weights).sum())
    fit = problem.data.y - residual / root
    gap = evaluate_gap(problem, fit, penalty, lam=root * lam, paired=paired, limit=0)
    return lam / max(1.0, gap.violations.maximum), gap.gap


def allowed_features(problem: Problem, solution: Solution) -> tuple[tuple[Rows, ...], Array, Array, Array]:
    """Return all features that the gap does not exclude: rows, columns, signs, and |z| beta of the solution."""
    z = np.concatenate([c * beta for c, beta in zip(solution.coef, problem.betas, strict=True)])
    # a feature that rounding has left need not be tight, nor have its sign
    z[np.abs(z) <= NOISE * np.abs(z).sum()] = 0.0
    lam, gap = dual_point(problem, columns_over_beta(problem, solution.features), z)
    # the dual objective is strongly concave: the optimal dual point is within this distance
    radius = float(np.sqrt(2.0 * gap)) + 1e-12 * float(np.linalg.norm(lam))
    rows, kept_columns, signs, weights = [], [], [], []
    starts = np.cumsum([0, *(len(used) for used in solution.features)])
    for j, (used, start) in enumerate(zip(solution.features, starts, strict=False)):
        found = _tight(problem, j, lam, radius)
        here = np.concatenate([used, found])
        parts = tuple(here if i == j else part[:0] for i, part in enumerate(solution.features))
        columns = columns_over_beta(problem, parts)
        correlations = lam @ columns
        size = np.zeros(len(here))
        size[: len(used)] = np.abs(z[start : start + len(used)])
        allowed = np.abs(correlations) >= 1.0 - radius * np.linalg.norm(columns, axis=0)
        allowed |= size > 0.0
        here, columns, correlations, size = here[allowed], columns[:, allowed], correlations[allowed], size[allowed]
        first = _merge(columns * np.sign(correlations), size)
        rows.append(here[first])
        kept_columns.append(columns[:, first])
        signs.append(np.sign(correlations[first]))
        weights.append(size[first])
    return tuple(rows), np.concatenate(kept_columns, axis=1), np.concatenate(signs), np.concatenate(weights)


def _tight(problem: Problem, j: int, lam: Array, radius: float) -> Rows:
    """Return the features of input j that may be tight at a dual point within ``radius`` of ``lam``, and some more."""
    data, dictionary = problem.data, problem.units[j]
    span = float(np.ptp(dictionary.points)) if dictionary.homogeneous else 1.0
    # no feature's slope or height is above two
    reach = 2.0 * span * float(np.sqrt(data.w.sum())) * radius
    return dictionary.tight(data.axes[j].scatter(np.sqrt(data.w) * lam), float(problem.betas[j]) - reach)


def _merge(columns: Array, weights: Array) -> NDArray[np.bool_]:
    """Return which columns are not equal to an earlier one; the weights of those that are go over to it, in place."""
    unit = columns / np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    first = np.ones(columns.shape[1], dtype=bool)
    for i, k in zip(*np.nonzero(np.triu(unit.T @ unit >= 1.0 - 1e-14, 1)), strict=True):
        if first[i] and np.abs(unit[:, i] - unit[:, k]).max() <= 1e-12:
            first[k] = False
            weights[i] += weights[k]
            weights[k] = 0.0
    return first
