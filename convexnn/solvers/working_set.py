"""Columns of a dictionary, added when pricing names them, and the Lasso over them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from convexnn.dictionaries.base import Rows
from convexnn.duality import Problem
from convexnn.solvers import active_set, orthogonal

Array = NDArray[np.float64]
REFINEMENTS = 3


@dataclass(frozen=True)
class Frame:
    """What columns are measured in: the roots of the weights, the free directions, the targets orthogonal to them.

    ``places`` says for each input where its features are evaluated, before they are gathered for the rows, and ``positive``
    whether its coefficients may not be negative. ``orthogonal`` asks for an orthonormal basis of the support.
    """

    root: Array
    basis: Array
    target: Array
    places: tuple[Array, ...]
    positive: tuple[bool, ...]
    orthogonal: bool


def make_frame(
    problem: Problem,
    places: tuple[Array, ...] | None = None,
    orthogonal: bool = False,
    precision: type = np.float64,
) -> Frame:
    """Return the frame of a problem, with features evaluated at the points of their dictionaries by default."""
    if places is None:
        places = tuple(dictionary.points.astype(precision, copy=False) for dictionary in problem.dictionaries)
    root, basis = np.sqrt(problem.data.w.astype(precision, copy=False)), problem.free_basis(precision)
    target = root * problem.data.y
    positive = tuple(dictionary.positive for dictionary in problem.dictionaries)
    return Frame(root, basis, target - basis @ (basis.T @ target), places, positive, orthogonal)


@dataclass(frozen=True)
class WorkingSet:
    """Columns of the dictionary: weighted, free directions projected out, divided by beta; and their Gram matrix."""

    frame: Frame
    features: tuple[Rows, ...]
    columns: Array
    gram: Array
    z: Array

    def split(self, values: NDArray) -> list[NDArray]:
        """Return the parts of a quantity given by columns that belong to each input."""
        return np.split(values, np.cumsum([len(rows) for rows in self.features])[:-1])

    def keep(self, kept: NDArray[np.bool_]) -> WorkingSet:
        """Return the working set without some columns."""
        places = np.flatnonzero(kept)
        features = tuple(rows[part] for rows, part in zip(self.features, self.split(kept), strict=True))
        return WorkingSet(
            self.frame, features, self.columns[:, places], self.gram[np.ix_(places, places)], self.z[places]
        )

    def solved(self) -> WorkingSet:
        """Return it with the optimal z, and without most of its idle columns if these are many."""
        positive = np.repeat(self.frame.positive, [len(rows) for rows in self.features])
        solve_lasso = orthogonal.solve_lasso if self.frame.orthogonal else active_set.solve_lasso
        z = solve_lasso(self.columns, self.gram, self.frame.target, self.z, positive=positive)
        work = replace(self, z=z)
        return work.keep(z != 0.0) if np.count_nonzero(z) * 4 + 200 < z.size else work

    def dual_point(self) -> tuple[Array, Array, float]:
        """Return the residuals, a dual point beside them that meets the active constraints to the last digits (both over
        the roots of the weights), and that dual point's product with the fit.
        """
        basis, residual = self.frame.basis, self.frame.target - self.columns @ self.z
        active = np.flatnonzero(self.z)
        columns, z = self.columns[:, active], self.z[active]
        lam = residual
        if not active.size:
            return residual, lam, 0.0
        try:
            if self.frame.orthogonal:
                lam = orthogonal.dual_point(residual, columns, np.sign(z))
                lam = lam - basis @ (basis.T @ lam)
                return residual, lam, float(np.dot(columns.T @ lam, z))
            factor = cho_factor(self.gram[np.ix_(active, active)])
            for _ in range(REFINEMENTS):
                lam = lam - basis @ (basis.T @ lam)
                lam = lam + columns @ cho_solve(factor, np.sign(z) - columns.T @ lam)
        except LinAlgError:  # dependent to working precision: the residuals then have to do
            lam = residual
        return residual, lam, float(np.dot(columns.T @ lam, z))


def no_features(problem: Problem) -> tuple[Rows, ...]:
    """Return for each input no rows, as wide as its dictionary's rows are."""
    return tuple(priced.price(np.zeros(priced.points.size), 1.0, 0).features for priced in problem.dictionaries)


def united(work: WorkingSet, violated: tuple[Rows, ...]) -> tuple[tuple[Rows, ...], Array]:
    """Return the features of the working set and after them, input by input, those that are new; and the z of all."""
    features, z = [], []
    for rows, more, own in zip(work.features, violated, work.split(work.z), strict=True):
        known = {row.tobytes() for row in rows}
        fresh = more[[row.tobytes() not in known for row in more]] if len(more) else more
        features.append(np.concatenate([rows, fresh]) if len(fresh) else rows)
        z += [own, np.zeros(len(fresh))]
    return tuple(features), np.concatenate(z)


def evaluate_columns(problem: Problem, frame: Frame, features: tuple[Rows, ...]) -> Array:
    """Return the columns of features: weighted, free directions projected out, divided by beta."""
    blocks = [
        axis.gather(dictionary.evaluate(rows, places, dictionary.points.astype(places.dtype, copy=False))) / beta
        for axis, dictionary, beta, rows, places in zip(
            problem.data.axes, problem.dictionaries, problem.betas, features, frame.places, strict=True
        )
    ]
    columns = np.concatenate(blocks, axis=1) * frame.root[:, None]
    # twice: once leaves the rounding of large components along the free directions
    for _ in range(2):
        columns -= frame.basis @ (frame.basis.T @ columns)
    return columns


def working_set(
    problem: Problem,
    features: tuple[Rows, ...],
    z: Array,
    *,
    old: WorkingSet | None = None,
    places: tuple[Array, ...] | None = None,
    orthogonal: bool = False,
    precision: type = np.float64,
) -> WorkingSet:
    """Evaluate the columns and their Gram matrix; those of ``old``, a prefix for each input, are taken over.

    Features are evaluated at ``places``, by default at the points of their dictionaries; ``precision`` is that of columns.
    """
    frame = make_frame(problem, places, orthogonal, precision) if old is None else old.frame
    sizes = [0] * len(features) if old is None else [len(rows) for rows in old.features]
    kept = np.concatenate([np.arange(len(rows)) < size for rows, size in zip(features, sizes, strict=True)])
    added = evaluate_columns(problem, frame, tuple(rows[size:] for rows, size in zip(features, sizes, strict=True)))
    here, there = np.flatnonzero(kept), np.flatnonzero(~kept)
    columns = np.empty((frame.root.size, kept.size), frame.root.dtype, order="F")
    gram = np.empty((kept.size, kept.size))
    columns[:, there] = added
    if here.size and old is not None:
        columns[:, here] = old.columns
        gram[np.ix_(here, here)] = old.gram
        cross = old.columns.T.astype(np.float64, copy=False) @ added.astype(np.float64, copy=False)
        gram[np.ix_(here, there)], gram[np.ix_(there, here)] = cross, cross.T
    added = added.astype(np.float64, copy=False)
    gram[np.ix_(there, there)] = added.T @ added
    return WorkingSet(frame, features, columns, gram, z)
