"""alpha = 0: among the networks that interpolate the (merged) data, the one of least norm; closed forms, one input.

A linear spline through all points is the least in every norm of theory section 4, since these depend on the values at
the points alone; so are steps. What is left is to represent it by features, and the slope of a skip connection beside steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import StepDictionary, is_spline
from convexnn.duality import Problem, evaluate_gap
from convexnn.solvers import minimum_norm
from convexnn.solvers.solution import Solution, SplineSolution
from convexnn.solvers.spline import interpolant

Array = NDArray[np.float64]


def interpolate(problem: Problem) -> Solution:
    """Return the interpolant of least norm."""
    dictionary = problem.dictionaries[0]
    if not problem.data.loss.shifts:
        raise ValueError("alpha=0 has no optimum for this loss: probabilities of 0 and 1 are infinitely far; use alpha > 0")
    if len(problem.dictionaries) > 1:
        return minimum_norm.solve(problem)
    x, y = problem.data.axes[0].points, problem.data.y
    if problem.data.axes[0].inverse is not None:
        raise ValueError(
            "alpha=0 (the minimum-norm interpolant) with this loss needs inputs that differ wherever the targets do; "
            "use a small positive alpha"
        )
    if is_spline(dictionary):
        return SplineSolution.represent(dictionary, interpolant(problem), evaluate_gap(problem, y, 0.0, limit=0), 1)
    if not isinstance(dictionary, StepDictionary):
        return minimum_norm.solve(problem)
    gap = evaluate_gap(problem, y, 0.0, limit=0)
    omega = _median_slope(x, y) if problem.skip else 0.0
    features, coef = dictionary.represent(y - omega * x)
    intercept = float(y[0] - omega * x[0] - dictionary.low * coef.sum())
    return Solution((features,), (coef,), intercept, np.array([omega]), gap, 1)


def _median_slope(x: Array, y: Array) -> float:
    """Minimise sum |dy - omega dx|: the median of the slopes between neighbours, weighted by dx."""
    dx = np.diff(x)
    slopes = np.diff(y) / dx
    order = np.argsort(slopes)
    weight = np.cumsum(dx[order])
    return float(slopes[order[np.searchsorted(weight, 0.5 * weight[-1])]])
