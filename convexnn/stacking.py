"""Stacking: the mean of the networks of a path that errs least on rows left out (Breiman, 1996).

With g_k the optimum at alpha_k, R the penalty and shares w_k >= 0 that sum to one,

    sum_k w_k (|y - g_k|^2 / 2 + alpha_k R(g_k)) = |y - f|^2 / 2 + P(f)   at   f = sum_k w_k g_k,

where P(f) is the least of sum_k w_k (alpha_k R(h_k) + |h_k - f|^2 / 2) over all h with mean f: the proximal average of the
penalties (Bauschke, Goebel, Lucet and Wang, 2008), which is convex. So the mean is the optimum of one convex problem too,
and the mean of the gaps bounds its distance to the best network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.optimize import nnls

from convexnn.canonical import Axis
from convexnn.certificate import delivered_gap
from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Violations
from convexnn.model import build_model
from convexnn.solvers.solution import Solution, Spline
from convexnn.training import Stack, Training

Array = NDArray[np.float64]


def condensed(errors: Array) -> Array:
    """Return as many rows as there are columns that say the same: ``errors @ shares`` has the same norm for all shares."""
    return qr(errors, mode="r", check_finite=False)[0][: errors.shape[1]]


def least_error(errors: Array) -> Array:
    """Return shares, not negative and of sum one, that minimise the norm of ``errors @ shares``.

    Least squares without signs, in which the sum is one more row: for a given direction of the shares the best size is
    1 / (1 + q), q their squared error, which leaves q / (1 + q), so that the direction is the right one.
    """
    sizes = np.linalg.norm(errors, axis=0)
    if not sizes.all():
        return np.eye(sizes.size)[np.argmin(sizes)]
    # with the least size one, no error is lost beside the row of ones
    rows = np.vstack((condensed(errors / sizes.min()), np.ones(sizes.size)))
    shares = nnls(rows, np.eye(len(rows))[-1], maxiter=100 * sizes.size)[0]
    return shares / shares.sum()


def stack(trainings: Sequence[Training], shares: Array) -> Stack:
    """Return the mean of networks for the same data and architecture, at several alphas."""
    first = trainings[0]
    alpha = float(shares @ [training.alpha for training in trainings])
    # what each delivers, so that rounding in their units counts
    gaps = [delivered_gap(one, build_model(one.problem, one.solution, one.spec)) for one in trainings]
    primal, dual, gap = (float(shares @ [getattr(one, name) for one in gaps]) for name in ("primal", "dual", "gap"))
    worst = max((one.violations for one in gaps), key=lambda violations: violations.maximum)
    bound = Gap(primal, dual, gap, Violations(worst.maximum, (), ()))
    solution = _mean_solution([training.solution for training in trainings], shares, first.problem.data.axes, bound)
    problem = replace(first.problem, betas=shares @ [training.problem.betas for training in trainings])
    return Stack(
        problem, solution, first.spec, alpha, first.alpha_max, first.solver, members=tuple(trainings), shares=shares
    )


def _mean_solution(
    solutions: Sequence[Solution], shares: Array, axes: tuple[Axis, ...], gap: Gap
) -> Solution:
    """Return the mean of solutions, with the units of all."""
    inputs = range(len(solutions[0].features))
    units = [_joined([one.features[j] for one in solutions], [one.coef[j] for one in solutions], shares) for j in inputs]
    splines = None
    if all(one.splines is not None for one in solutions):
        splines = tuple(
            _mean_spline([one.splines[j] for one in solutions if one.splines], shares, axes[j].points) for j in inputs
        )
    return Solution(
        tuple(features for features, _ in units),
        tuple(coef for _, coef in units),
        float(shares @ [one.intercept for one in solutions]),
        shares @ [one.skip for one in solutions],
        gap,
        sum(one.n_iter for one in solutions),
        next((one.status for one in solutions if one.status), ""),
        splines=splines,
    )


def _joined(features: list[Rows], coef: list[Array], shares: Array) -> tuple[Rows, Array]:
    """Return all features, each once, and their mean coefficients."""
    rows, places = np.unique(np.concatenate(features), axis=0, return_inverse=True)
    parts = np.concatenate([share * part for share, part in zip(shares, coef, strict=True)])
    mean = np.bincount(places.ravel(), parts, len(rows))
    return rows[mean != 0.0], mean[mean != 0.0]


def _mean_spline(splines: list[Spline], shares: Array, points: Array) -> Spline:
    """Return the mean of splines on the same points."""
    knots = np.unique(np.concatenate([one.knots for one in splines]))
    values, slopes = np.zeros(knots.size), np.zeros(knots.size + 1)
    for share, one in zip(shares, splines, strict=True):
        values += share * np.interp(points[knots], points[one.knots], one.values)
        slopes += share * one.slopes[np.concatenate(([0], np.searchsorted(one.knots, knots, side="right")))]
    return Spline(knots, values, slopes)
