"""What every solver returns, and its values at the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Atoms, Rows, SplineDictionary, StepDictionary
from convexnn.dictionaries.shapes import Shapes
from convexnn.duality import Gap, Problem
from convexnn.extended import join, split

Array = NDArray[np.float64]
CHUNK = 10_000_000


@dataclass(frozen=True)
class Spline:
    """A continuous linear spline: k knots at points of an axis, the values there, and all k + 1 slopes."""

    knots: NDArray[np.int32]
    values: Array
    slopes: Array


@dataclass(frozen=True)
class Solution:
    """A fit in canonical units.

    Attributes
    ----------
    features, coef : tuple
        For each input the active features and their coefficients z.
    intercept : float
        The constant beside features and skip connection.
    skip : ndarray of shape (n_inputs,)
        Slopes of the skip connection, zeros without one.
    gap : Gap
        The certificate of the fit.
    n_iter : int
        Pricing sweeps over the whole dictionary, at least 1.
    status : str
        "" where the tolerance was reached, else what happened and what to do.
    carry : object
        What a solver can use where it starts from this solution on the same data.
    lam : ndarray of shape (n_rows,) or None
        The dual point of ``gap`` before scaling, where the solver keeps it.
    splines : tuple of Spline or None
        The function of each input where the solver knows it more accurately than the sum of its features.
    levels : ndarray or None
        For steps of one input without skip connection: the values of the levels, which the sum of many coefficients loses.
    """

    features: tuple[Rows, ...]
    coef: tuple[Array, ...]
    intercept: float
    skip: Array
    gap: Gap
    n_iter: int
    status: str = ""
    splines: tuple[Spline, ...] | None = None
    levels: Array | None = None
    lam: Array | None = None
    carry: object = None

    @property
    def knows_values(self) -> bool:
        """Whether it knows its values better than the sum of its features does."""
        return self.splines is not None or self.levels is not None

    def __getstate__(self) -> dict:
        """Return the attributes for a pickle, which may be read where long doubles are others."""
        return {name: split(value) if name == "lam" and value is not None else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict) -> None:
        """Take up the attributes."""
        vars(self).update(state, lam=join(state["lam"]) if state.get("lam") is not None else None)


class SplineSolution(Solution):
    """A spline of one input, whose features, which need more memory than it does, are made when they are looked at first."""

    @classmethod
    def represent(
        cls, dictionary: SplineDictionary, spline: Spline, gap: Gap, n_iter: int, status: str = "", carry: object = None
    ) -> SplineSolution:
        """Return the solution that a spline of least norm is in the features of a dictionary."""
        solution = cls.__new__(cls)
        known = {"gap": gap, "n_iter": n_iter, "status": status, "splines": (spline,), "levels": None, "lam": None}
        vars(solution).update(known, carry=carry, _dictionary=dictionary)
        return solution

    def __getattr__(self, name: str) -> Any:
        dictionary = vars(self).get("_dictionary")
        if name not in ("features", "coef", "intercept", "skip") or dictionary is None:
            raise AttributeError(name)
        assert self.splines is not None
        spline = self.splines[0]
        features, coef, skip = dictionary.represent(spline.knots, spline.slopes[1:-1])
        x = dictionary.points
        intercept = spline.values[0] - dictionary.evaluate(features, x[:1])[0] @ coef - skip * x[0]
        vars(self).update(features=(features,), coef=(coef,), intercept=float(intercept), skip=np.array([skip]))
        return vars(self)[name]


def fitted_values(problem: Problem, solution: Solution) -> Array:
    """Return the fit at the rows."""
    data = problem.data
    fit = np.full(data.y.size, 0.0 if solution.splines is not None else solution.intercept)
    for j, (axis, dictionary) in enumerate(zip(data.axes, problem.dictionaries, strict=True)):
        if solution.splines is not None:
            spline = solution.splines[j]
            at_points = np.interp(axis.points, axis.points[spline.knots], spline.values)
        else:
            at_points = solution.skip[j] * axis.points + _sum_of_features(
                dictionary, solution.features[j], solution.coef[j]
            )
        fit += axis.gather(at_points)
    return fit


def charged(problem: Problem, solution: Solution, gap: Gap, lam: Array) -> Gap:
    """Return a gap with what its dual point pairs with the free directions of a fit, which is nothing without rounding.

    It is more where inputs nearly depend on each other, and their skip weights are large.
    """
    free = ((slope, axis.gather(axis.points)) for slope, axis in zip(solution.skip, problem.data.axes, strict=True) if slope)
    paired = solution.intercept * lam.sum() + sum(slope * np.dot(lam, x) for slope, x in free)
    extra = abs(float(paired))
    return replace(gap, gap=gap.gap + extra, dual=gap.dual - extra)


def _sum_of_features(dictionary: Atoms, features: Rows, coef: Array) -> Array:
    """Return sum coef g at the points, some columns at a time; of steps, which may be many, by a running sum."""
    points = dictionary.points
    if isinstance(dictionary, StepDictionary):
        jumps = np.bincount(features[:, 0] + 1, dictionary.height * coef, points.size)
        return dictionary.low * coef.sum() + np.cumsum(jumps)
    out = np.zeros(points.size)
    width = max(1, CHUNK // points.size)
    for start in range(0, len(features), width):
        part = slice(start, start + width)
        out += dictionary.evaluate(features[part], points) @ coef[part]
    return out


def in_units(problem: Problem, solution: Solution) -> Solution:
    """Return a solution under shape constraints in the units of the network: the same fit, at the least norm."""
    if problem.network is None:
        return solution
    features, coef, skip = list(solution.features), list(solution.coef), solution.skip.copy()
    intercept = solution.intercept
    for j, (atoms, units) in enumerate(zip(problem.dictionaries, problem.network, strict=True)):
        if not isinstance(atoms, Shapes):
            continue
        assert isinstance(units, SplineDictionary)
        rows, z = features[j], coef[j]
        slopes = atoms.slopes(rows, z)
        if skip[j] != 0.0:
            slopes, skip[j] = slopes + skip[j], 0.0
        turning = np.flatnonzero(np.diff(slopes)) + 1
        knots = np.concatenate(([0], turning, [units.points.size - 1]))
        features[j], coef[j], skip[j] = units.represent(knots, slopes[knots[:-1]])
        first = units.points[:1]
        before = (atoms.evaluate(rows, first) @ z)[0] + solution.skip[j] * first[0]
        intercept += before - (units.evaluate(features[j], first) @ coef[j])[0] - skip[j] * first[0]
    return replace(solution, features=tuple(features), coef=tuple(coef), intercept=float(intercept), skip=skip)
