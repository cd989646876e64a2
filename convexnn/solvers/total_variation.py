"""Sign and threshold networks with one hidden layer: weighted total-variation denoising (theory section 4), exactly.

With a skip connection f = g + omega x, and the total variation is that of g: the optimal value over g is a convex, piecewise
quadratic function of omega whose derivative is minus the first moment of the dual point, found by Newton's method in a
bracket. Newton's step is exact once the steps of g stay where they are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import StepDictionary, SwitchDictionary
from convexnn.duality import Problem, evaluate_gap, relative_gap
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem exactly; ``max_iter`` bounds the passes over the data, one without a skip connection."""
    data, dictionary = problem.data, problem.dictionaries[0]
    assert isinstance(dictionary, StepDictionary | SwitchDictionary)
    y, w, penalty = data.y, data.w, float(problem.betas[0]) / dictionary.height
    x, omega, center, n_iter = None, 0.0, 0.0, 1
    if problem.skip:
        center = float(np.average(data.axes[0].points, weights=w))
        x = data.axes[0].points - center
        omega, n_iter = _find_slope(x, y, w, penalty, max_iter)
    steps = _denoised(y if x is None else y - omega * x, w, penalty)
    values = steps.spread()
    features, coef = dictionary.represent(values)
    cost = float(problem.betas[0]) * float(np.abs(coef).sum())
    fit = values if x is None else omega * x + values
    lam = _dual_point(x, w, steps, _weighted_residuals(w, y, values, x, omega), penalty)
    gap = evaluate_gap(problem, fit, cost, lam=lam, paired=cost, limit=0)
    missed = problem.skip and n_iter == max_iter and relative_gap(problem, gap) > tol
    status = "the passes over the data are used up: raise max_iter or tol" if missed else ""
    intercept = float(values[0] - dictionary.low * coef.sum() - omega * center)
    levels = None if problem.skip else steps.values
    return Solution((features,), (coef,), intercept, np.array([omega]), gap, n_iter, status, levels=levels)


def _weighted_residuals(w: Array, y: Array, values: Array, x: Array | None, omega: float) -> Array:
    """Return the weighted residuals of omega x + steps; the steps, which may be all but the targets, are taken off first."""
    residuals = y - values
    if x is not None:
        residuals -= omega * x
    residuals *= w
    return residuals


class Levels(NamedTuple):
    """A step function on ``size`` points: where levels begin, signs of the steps before, between and after, values."""

    starts: NDArray[np.int64]
    signs: Array
    values: Array
    size: int

    def spread(self, per_level: Array | None = None) -> Array:
        """Return at every point what is given for its level, or the level."""
        return np.repeat(self.values if per_level is None else per_level, np.diff(np.append(self.starts, self.size)))


def _denoised(y: Array, w: Array, penalty: float) -> Levels:
    """Denoise, then set every level to what its points and its two steps say: exact to the last digits."""
    from convexnn.kernels.total_variation import denoise

    values = denoise(y, w, penalty)
    starts = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
    signs = np.concatenate(([0.0], np.sign(np.diff(values[starts])), [0.0]))
    pulls, weights = np.add.reduceat(w * y, starts), np.add.reduceat(w, starts)
    while True:
        levels = (pulls + penalty * np.diff(signs)) / weights
        right = np.append(True, np.diff(levels) * signs[1:-1] > 0.0)
        if right.all():
            return Levels(starts, signs, levels, y.size)
        # levels that meet exactly come out of the recursion apart by rounding, with steps of any sign
        kept = np.flatnonzero(right)
        pulls, weights = np.add.reduceat(pulls, kept), np.add.reduceat(weights, kept)
        starts, signs = starts[kept], np.append(signs[kept], 0.0)


def _dual_point(x: Array | None, w: Array, steps: Levels, lam: Array, penalty: float) -> Array:
    """Correct lam, level by level, so that its sums from either end to a step are exactly the penalty.

    With a skip connection its first moment is made to vanish too, as far as it can be inside the levels. The array given is
    used up.
    """
    weight = np.add.reduceat(w, steps.starts)
    for _ in range(2):
        off = -penalty * np.diff(steps.signs) - np.add.reduceat(lam, steps.starts)
        shift = steps.spread(off / weight)
        shift *= w
        lam += shift
        if x is not None:
            inside = x - steps.spread(np.add.reduceat(w * x, steps.starts) / weight)
            curvature = float(np.dot(w * inside, inside))
            if curvature > 1e-20 * float(np.dot(w * x, x)):
                lam = lam - w * inside * (float(np.dot(lam, x)) / curvature)
    return lam


def _find_slope(x: Array, y: Array, w: Array, penalty: float, max_iter: int) -> tuple[float, int]:
    """Return the slope of the skip connection at which the first moment of the dual point vanishes; x has mean zero."""
    below, above = -math.inf, math.inf
    omega = float(np.dot(w * x, y) / np.dot(w * x, x))
    reach = max(abs(omega), 1.0)
    widths = [math.inf, math.inf]
    for n_iter in range(1, max_iter + 1):
        moment, size, curvature = _moment(x, omega, y, w, penalty)
        if abs(moment) <= 1e-14 * size:
            break
        below, above = (omega, above) if moment > 0.0 else (below, omega)
        widths = [widths[1], above - below]
        aim = omega + moment / curvature if curvature > 0.0 else math.inf
        if math.isinf(widths[1]):
            if not abs(aim - omega) <= reach:
                aim = omega + math.copysign(reach, moment)
            reach *= 4.0
        elif not below < aim < above or widths[1] > 0.5 * widths[0]:
            aim = below + 0.5 * (above - below)
        if aim in (below, above, omega):
            break
        omega = aim
    return omega, n_iter


def _moment(x: Array, omega: float, y: Array, w: Array, penalty: float) -> tuple[float, float, float]:
    """Return the first moment of the dual point of the steps beside omega x, its size, and how fast it falls with omega."""
    steps = _denoised(y - omega * x, w, penalty)
    lam = _dual_point(None, w, steps, _weighted_residuals(w, y, steps.spread(), x, omega), penalty)
    moment, size = float(np.dot(lam, x)), float(np.dot(np.abs(lam), np.abs(x)))
    inside = x - steps.spread(np.add.reduceat(w * x, steps.starts) / np.add.reduceat(w, steps.starts))
    curvature = float(np.dot(w * inside, inside))
    return moment, size, curvature if curvature > 1e-20 * float(np.dot(w * x, x)) else 0.0
