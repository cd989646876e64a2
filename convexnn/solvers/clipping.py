"""Deep sign and threshold networks whose units may switch everywhere: the norm is the range, the optimum clips the targets.

min sum w (y - f)^2 / 2 + penalty (max f - min f) is solved by f = clip(y, low, high), with levels such that the weighted
excess of y over ``high`` and that under ``low`` are both ``penalty`` (theory section 4): exact, in one sort.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import SwitchDictionary
from convexnn.dictionaries.chains import layers
from convexnn.duality import Problem, relative_gap
from convexnn.solvers.solution import Solution
from convexnn.solvers.stretches import certified, name_units

Array = NDArray[np.float64]


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem exactly, by one pass over the data."""
    data, dictionary = problem.data, problem.dictionaries[0]
    assert isinstance(dictionary, SwitchDictionary)
    penalty = float(problem.betas[0]) / dictionary.height
    places = np.concatenate(([0], dictionary.gaps + 1))
    w = np.add.reduceat(data.w, places)
    y = np.add.reduceat(data.w * data.y, places) / w
    levels = np.clip(y, -_level(-y, w, penalty), _level(y, w, penalty))
    solution = certified(problem, *name_units(dictionary, places, [(1.0, *layers(levels))]))
    status = "" if relative_gap(problem, solution.gap) <= tol else "rounding stopped the solver: raise tol or alpha"
    return replace(solution, status=status)


def _level(y: Array, w: Array, penalty: float) -> float:
    """Return the level over which the weighted excess of y is ``penalty``."""
    order = np.argsort(-y)
    y, weight = y[order], np.cumsum(w[order])
    excess = np.concatenate(([0.0], np.cumsum(weight[:-1] * -np.diff(y))))  # over each y, without large sums that cancel
    k = int(np.searchsorted(excess, penalty)) - 1
    return float(y[k] - (penalty - excess[k]) / weight[k])
