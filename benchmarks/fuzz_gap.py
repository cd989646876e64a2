"""The gap of a fit by code that shares nothing with the package, in numbers of any kind: long double, or rational.

The check does not scale. Any dual point gives a bound, and the best of three counts: the residuals of the predictions,
those corrected so that the active features, read off the fitted description, have exactly the correlation beta, and the
solver's where it keeps one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.fuzz_cases import Case
from benchmarks.gap import hinge_sums

Array = NDArray
Long = np.longdouble
Number = Callable[[ArrayLike], Array]  # how numbers are made

RAMPS = {"relu": 0.0, "leaky_relu": 0.3, "abs": -1.0}  # slope for negative arguments


def long(values: ArrayLike) -> Array:
    """Return numbers as long doubles."""
    return np.asarray(values, dtype=Long)


def largest_correlation(network: str, X: Array, lam: Array) -> float:
    """Return the largest |lam @ g| over the features of all inputs, of numbers of any kind; lam is orthogonal to the free
    directions.
    """
    worst, name = 0 * lam[0], network.removesuffix("_skip")
    for x in X.T:
        order = np.argsort(x, kind="stable")
        x, pull = x[order], lam[order]
        if x[0] == x[-1]:
            continue
        if name in ("threshold", "sign"):
            sums = np.cumsum(pull)[:-1][x[1:] > x[:-1]]
            worst = max(worst, (1 if name == "threshold" else 2) * np.abs(sums).max())
            continue
        sums = hinge_sums(x, pull)
        if name == "narrow_relu":
            worst = max(worst, max(sums.max(), 0) - min(sums.min(), 0))
            continue
        slope = RAMPS[name] + 0 * lam[0] if lam.dtype != object else Fraction(RAMPS[name])
        right, left = (1 - slope) * sums + slope * sums[0], (1 - slope) * sums - sums[0]
        worst = max(worst, np.abs(right).max(), np.abs(left).max())
    return worst


def free_basis(X: Array, root: Array, skip: bool) -> tuple[Array, list[int]]:
    """Return the free directions times sqrt(w), orthonormal, and which columns they come from: 0 is the constant.

    A skip connection does not read inputs of which others leave a millionth; the most independent ones come first, of
    equal ones the first.
    """
    vectors, kept = [root / np.sqrt(np.dot(root, root))], [0]
    left = {}
    for place, x in enumerate(X.T if skip else (), start=1):
        line = root * (x - np.dot(root * root, x) / np.dot(root, root))
        size = np.sqrt(np.dot(line, line)) * (1 + 1e-9 * place)
        if size > 0:
            left[place] = line / size
    while left:
        for place, line in left.items():
            for other in vectors * 2:
                line = line - other * np.dot(other, line)
            left[place] = line
        best = max(left, key=lambda place: np.dot(left[place], left[place]))
        line = left.pop(best)
        rest = np.sqrt(np.dot(line, line))
        if rest <= 1e-6:
            break
        vectors.append(line / rest)
        kept.append(best)
    return np.array(vectors), kept


def active_columns(model, network: str, X: Array, number: Number) -> Array:
    """Return the active features at the rows, from their description."""
    name, out = network.removesuffix("_skip"), []
    for feature in model.features_:
        x, places = X[:, feature.input], number(feature.breakpoints)
        if name in ("threshold", "sign"):
            out.append(number(np.where(x >= places[0], 1, 0 if name == "threshold" else -1)))
        elif name == "narrow_relu":
            out.append(np.minimum(np.maximum(x - places[0], 0 * x), places[-1] - places[0]))
        else:
            u = (x - places[0]) * feature.signs[0]
            out.append(np.where(u >= 0, u, number([RAMPS[name]]) * u))
    return np.array(out, dtype=X.dtype).reshape(-1, len(X))


def merged_rows(case: Case, number: Number) -> tuple[Array, Array, Array, Array]:
    """Return distinct rows, means and weights of their targets, and half the squares about these means."""
    kept = np.ones(len(case.y), bool) if case.w is None else case.w > 0
    y, weight = number(case.y[kept]), number((np.ones(len(case.y)) if case.w is None else case.w)[kept])
    rows, group = np.unique(case.X[kept], axis=0, return_inverse=True)
    group, w, mean = group.ravel(), number(np.zeros(len(rows))), number(np.zeros(len(rows)))
    np.add.at(w, group, weight)
    np.add.at(mean, group, weight * y)
    mean /= w
    return rows, mean, w, np.dot(weight * (y - mean[group]), y - mean[group]) / 2


def true_gap(model, case: Case, alpha: float) -> tuple[float, float]:
    """Return gap and objective of the predictions, by the best of three dual points, in long double."""
    rows, y, w, constant = merged_rows(case, long)
    X = long(rows)
    X = X - X.min(axis=0)
    beta, root = Long(alpha) * w.sum(), np.sqrt(w)
    f = np.asarray(model.predict(rows), dtype=Long)
    norm = Long(np.abs(model.coef_).sum())
    center = np.dot(w, y) / w.sum()
    f, y = f - center, y - center
    basis, _ = free_basis(X, root, case.network.endswith("_skip"))

    def gap(lam: Array) -> float:
        ratio = largest_correlation(case.network, X, lam) / beta if beta > 0 else Long(0)
        theta = 1 / max(Long(1), ratio)
        off = w * (y - f) - theta * lam
        return float(beta * norm - theta * np.dot(lam, f) + np.dot(off / w, off) / 2)

    scaled = root * (y - f)
    scaled = scaled - basis.T @ (basis @ scaled)
    best = gap(root * scaled)
    given, data = model._training.solution.lam, model._training.problem.data
    if given is not None and given.size == y.size:
        # the solver's own dual point: whatever it is, the bound that it gives here holds
        own = given.astype(Long) * data.w_scale * data.y_scale / root
        best = min(best, gap(root * (own - basis.T @ (basis @ own))))
    if 0 < model.coef_.size <= 500 and y.size <= 400 and best > 0:
        columns = active_columns(model, case.network, long(rows), long) * root
        columns = columns - (columns @ basis.T) @ basis
        wanted = beta * np.sign(model.coef_)
        for _ in range(4):
            miss = (wanted - columns @ scaled).astype(float)
            scaled = scaled + np.linalg.lstsq(columns.astype(float), miss, rcond=1e-14)[0]
            scaled = scaled - basis.T @ (basis @ scaled)
            best = min(best, gap(root * scaled))
    return best, float(np.dot(w * (y - f), y - f) / 2 + beta * norm + constant)
