"""The gap of a fit in rational arithmetic, for the fits of benchmarks/fuzz.py that long double cannot tell from rounding.

What is certified are the numbers that a fit delivers, each taken as the rational number that it is: its predictions; its
exact function, of which predictions have to be the rounded values; or the function of its network. A bound from below
comes from any dual point that is exactly orthogonal to the free directions; the best of some counts, and where they come
from does not matter: what the optimality conditions say at the knots of a spline or on the levels of steps, and residuals
(or targets) corrected so that the active features have exactly the correlation beta, by a solve with far more digits than
doubles could lose.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from rationals import dual_point, spline_forces

from benchmarks.fuzz_cases import Case
from benchmarks.fuzz_gap import active_columns, free_basis, largest_correlation, long, merged_rows

Exact = NDArray[np.object_]
GRID = 1 << 480  # dual points and means of targets are rounded to multiples of its inverse, which is allowed
BITS = 420  # of the fixed-point numbers of a solve
DEPENDENT = 200  # bits that a column may lose to those before it
ROWS, FEATURES = 400, 500  # with more than these, no solve
ROUNDING = (1e-11, 1e-9)  # parts of the largest coefficient
EPSILON = Fraction(float(np.finfo(float).eps))

exact = np.vectorize(Fraction, otypes=[object])
on_grid = np.vectorize(lambda value: Fraction(math.floor(value * GRID), GRID), otypes=[object])
as_int = np.vectorize(lambda value: math.floor(value * (1 << BITS)), otypes=[object])


def dual_value(lam: Exact, y: Exact, w: Exact, ratio: Fraction) -> Fraction:
    """Return the best bound of the multiples of a dual point whose largest correlation is ``ratio`` times beta."""
    paired, squares = abs(np.dot(lam, y)), sum(on_grid(lam * lam / w), Fraction(0))  # minus a dual point is one too
    if not squares:
        return Fraction(0)
    theta = paired / squares if not ratio else min(paired / squares, 1 / ratio)
    return theta * paired - theta * theta * squares / 2


def orthogonal(lam: Exact, free: Exact) -> Exact:
    """Return a dual point on the grid that is exactly orthogonal to the free directions, by moving as few of its entries."""
    lam, reduced = on_grid(lam), []
    for row in free:
        for place, other in reduced:
            row = row - row[place] * other
        place = int(np.argmax(np.abs(row)))
        if row[place]:
            row = row / row[place]
            reduced = [(there, other - other[place] * row) for there, other in reduced] + [(place, row)]
    for (place, _), off in zip(reduced, [np.dot(row, lam) for _, row in reduced], strict=True):
        lam[place] -= off
    return lam


class Corrector:
    """Moves dual points by the least (over w) to wanted correlations with some columns."""

    def __init__(self, columns: Exact, w: Exact):
        self.columns, self.w = columns, w
        scales = [Fraction(2) ** math.frexp(float(np.abs(row).max()))[1] if row.any() else Fraction(1) for row in columns]
        self.scales = np.array(scales, dtype=object)
        self.rows, weights = as_int(columns / self.scales[:, None]), as_int(w / w.max())
        gram = np.dot((self.rows * weights) >> BITS, self.rows.T) >> BITS
        self._factorise(gram)

    def _factorise(self, gram: Exact) -> None:
        """Factorise with diagonal pivots; columns that depend on those before them stay out."""
        first, self.order, self.lower, self.pivots = gram.diagonal().copy(), [], [], []
        left = np.arange(len(gram))
        while left.size:
            diagonal = gram.diagonal()[left]
            pivot = int(left[np.argmax(diagonal)])
            value = gram[pivot, pivot]
            if value <= 0 or value << DEPENDENT < first[pivot]:
                break
            left = left[left != pivot]
            multiples = (gram[left, pivot] << BITS) // value
            gram[np.ix_(left, left)] -= np.outer(multiples, gram[pivot, left]) >> BITS
            self.order.append(pivot)
            self.lower.append((left, multiples))
            self.pivots.append(value)

    def __call__(self, lam: Exact, wanted: Exact) -> Exact:
        """Return the moved dual point."""
        largest = self.w.max()
        for _ in range(2):
            rest = as_int((wanted - np.dot(self.columns, lam)) / self.scales / largest)
            for pivot, (left, multiples) in zip(self.order, self.lower, strict=True):
                rest[left] -= (multiples * rest[pivot]) >> BITS
            found = np.zeros(len(rest), dtype=object)
            steps = list(zip(self.order, self.lower, self.pivots, strict=True))
            for pivot, (left, multiples), value in reversed(steps):
                found[pivot] = (rest[pivot] << BITS) // value - (int(np.dot(multiples, found[left])) >> BITS)
            step = np.dot(found, self.rows)
            lam = on_grid(lam + exact(step) / (1 << (2 * BITS)) * self.w)
        return lam


def primals(model, network: str, rows: NDArray[np.float64], X: Exact) -> Iterator[tuple[str, Exact]]:
    """Yield what a fit delivers as its function, at the rows; raise where predictions are not rounded values of it."""
    predicted = exact(model.predict(rows))
    yield "predictions", predicted
    offset = Fraction(float(model._model.offset))
    f, size = offset + 0 * X[:, 0], abs(offset) + 0 * X[:, 0]
    for x, at, piece in zip(X.T, rows.T, model._model.pieces, strict=True):
        where = np.searchsorted(piece.breakpoints, at, side="right")
        value, rise = exact(piece.values)[where], exact(piece.slopes)[where] * (x - exact(piece.anchors)[where])
        f, size = f + value + rise, size + np.abs(value) + np.abs(rise)
    if (np.abs(predicted - f) > (4 + X.shape[1]) * EPSILON * size).any():
        raise ArithmeticError("predictions are not those of the fitted function")
    yield "function", f
    if model.coef_.size <= FEATURES:
        f = np.dot(exact(model.coef_), active_columns(model, network, X, exact)) + Fraction(model.intercept_)
        yield "network", f + np.dot(X, exact(model.skip_coef_)) if network.endswith("_skip") else f


def steps_point(model, network: str, x: Exact, w: Exact, lam: Exact, beta: Fraction) -> Exact:
    """Return weighted residuals at sorted x moved level by level, so that their sums from a step on are what a step wants.

    With a skip connection their moment is made to vanish inside the levels.
    """
    starts = model._training.solution.features[0][:, 0] + 1
    order = np.argsort(starts)
    sides = beta * exact(np.sign(model.coef_[order])) / (1 if network.startswith("threshold") else 2)
    tails, starts = np.concatenate((exact([0]), sides, exact([0]))), np.concatenate(([0], starts[order]))
    sizes, weight = np.diff(starts, append=len(x)), np.add.reduceat(w, starts)
    off = tails[:-1] - tails[1:] - np.add.reduceat(lam, starts)
    lam = lam + w * np.repeat(on_grid(off / weight), sizes)
    if network.endswith("_skip"):
        inside = x - np.repeat(on_grid(np.add.reduceat(w * x, starts) / weight), sizes)
        curvature = np.dot(w * inside, inside)
        if curvature:
            lam = lam - w * inside * on_grid([np.dot(lam, x) / curvature])
    return lam


def duals(model, network: str, X: Exact, pull: Exact, y: Exact, w: Exact, beta: Fraction, free: Exact) -> Iterator[Exact]:
    """Yield dual points; ``pull`` are the weighted residuals."""
    training = model._training
    state = getattr(getattr(training.solution, "carry", None), "state", None)
    order, lam = np.argsort(X[:, 0]), np.empty_like(pull)
    if X.shape[1] == 1 and model.coef_.size and network.startswith(("threshold", "sign")):
        lam[order] = steps_point(model, network, X[order, 0], w[order], pull[order], beta)
        yield lam
    if X.shape[1] == 1 and state is not None:
        forces, tied = spline_forces(state, training.problem.dictionaries[0].spline_norm, beta)
        lam[order] = dual_point(X[order, 0], w[order], (pull / w)[order], [int(k) for k in state.knots], forces, tied)
        yield lam
    if len(y) <= ROWS and model.coef_.size <= FEATURES:
        for part in ROUNDING:  # a coefficient of rounding size says nothing of its correlation
            used = np.abs(model.coef_) > part * np.abs(model.coef_).max(initial=0.0)
            columns = np.concatenate((free, active_columns(model, network, X, exact)[used]))
            wanted = np.concatenate((exact(np.zeros(len(free))), beta * exact(np.sign(model.coef_[used]))))
            correct = Corrector(columns, w)
            yield correct(pull, wanted)
            yield correct(w * y, wanted)
    yield pull


def certify(model, case: Case, alpha: float, enough: float) -> tuple[float, str]:
    """Return the gap over the tolerance, the least of what the fit delivers, and of what it is.

    The search for dual points ends where it is not above ``enough``. It can be below zero by the rounding of a norm.
    """
    rows, y, w, constant = merged_rows(case, exact)
    X, y, constant = exact(rows), on_grid(y), Fraction(constant)
    beta, null = Fraction(float(alpha)) * w.sum(), y - np.dot(w, y) / w.sum()
    penalty = beta * sum((abs(Fraction(z)) for z in model.coef_.tolist()), Fraction(0))
    least = max((np.dot(w * null, null) / 2 + constant) / 10**8, Fraction(1, 10**300))
    every = np.concatenate((exact(np.ones((1, len(y)))), X.T))
    free = every[free_basis(long(rows), np.sqrt(long(w)), case.network.endswith("_skip"))[1]]
    found, best, bound = [], (math.inf, ""), None
    for name, f in primals(model, case.network, rows, X):
        found.append((name, f, np.dot(w * (y - f), y - f) / 2 + penalty))
    for lam in duals(model, case.network, X, w * (y - found[1][1]), y, w, beta, free):
        lam = orthogonal(lam, free)
        value = dual_value(lam, y, w, largest_correlation(case.network, X, lam) / beta)
        bound = value if bound is None else max(value, bound)
        gaps = [(float((p - bound) / max(p + constant, least) / Fraction(case.tol)), name) for name, _, p in found]
        best = min(gaps, key=lambda pair: abs(pair[0]))
        if abs(best[0]) <= enough:
            break
    return best
