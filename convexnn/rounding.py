r"""What rounding the inputs can change: bounds on the original objective, from what is known after the rounded fit.

Rows (x_n, y_n, w_n) are trained on as (x'_n, y_n, w_n); M_j = sum_n w_n (x_nj - x'_nj)**2, at most W h_j**2 / 4 on a grid of
width h_j, W = sum_n w_n. Let P and P' be the objectives on the original and on the rounded rows, R the penalty over beta,
S'(f) = sqrt(sum_n w_n (y_n - f(x'_n))**2). Any network without a skip connection has slopes of at most c R(f), because a
unit with inner weights of one has slopes of at most c (1, or 2**(1/3) for symmetrised ReLU).

*Above.* A function with slopes of at most L_j in input j moves by at most sum_j L_j |x_nj - x'_nj| at row n. By the triangle
inequality of sqrt(sum w (.)**2), its errors grow by at most rho = sum_j L_j sqrt(M_j), so that

    P(f) <= (S'(f) + rho)**2 / 2 + beta R(f) = P'(f) + rho S'(f) + rho**2 / 2.

*Below.* Let lam be the dual point that certifies the rounded fit with a gap of G, given to the rows: sum lam_n = 0 and
lam @ f(x') <= beta R(f) for all networks f. With T = sqrt(sum lam_n**2 / w_n), Cauchy and Schwarz give for any network f

    lam @ f(x) <= lam @ f(x') + T c R(f) max_j sqrt(M_j) <= (beta + a T) R(f),        a = c max_j sqrt(M_j),

so that theta lam with theta = beta / (beta + a T) is feasible for the original rows. Its dual value theta lam @ y - theta**2
T**2 / 2 bounds P of all networks from below; for theta = 1 it is D' = P'(f') - G, hence it is

    D' - (1 - theta) (D' - theta T**2 / 2).

T is not asked for: the gap is at least sum (w r - lam)**2 / (2 w), so that T is within sqrt(2 G) of S'(f').

*With a skip connection*, for one input, lam @ x = 0 must hold too; but lam @ x = lam @ (x - x') may be up to r T, where
r = sqrt(M). The projection of lam on this condition has a smaller T. A second a T covers what it does to the correlations,
because the spread of a unit is at most c times that of x; and lam @ y changes by at most r T |b|, b the slope of the
regression line of y on the original x. That is (|b'| V' + r U) / (sqrt(V') - r)**2 at most, with b' and V' the slope and the
sum of squares on the rounded inputs, and U**2 the sum of squares of y.

Both bounds are the rounded objective where M = 0, and leave it in proportion to h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexnn.compression import Compressed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RoundedFit:
    """What is known of a fit to rounded inputs, in the user's units.

    Attributes
    ----------
    objective, gap : float
        P'(f') and G.
    squares : float
        S'(f')**2.
    beta : float
        The regularisation.
    slopes : ndarray of shape (n_features,)
        The steepest slope of the fit in each input.
    unit_slope : float
        c, the steepest slope of a unit per unit of penalty.
    skip, constrained : bool
        Whether there is a skip connection; whether there is a shape constraint.
    """

    objective: float
    gap: float
    squares: float
    beta: float
    slopes: Array
    unit_slope: float
    skip: bool
    constrained: bool


def objective_bounds(data: Compressed, fit: RoundedFit) -> tuple[float, float]:
    """Return a bound from below on the objective of all networks, and from above on that of the fit, on the original rows.

    They are 0 and infinity where nothing better is known: both for steps, whose units have no slope to bound; the former
    also for an interpolant, under a shape constraint, which is one on other points, and for a skip connection from several
    inputs.
    """
    roots = np.sqrt(data.moved)
    dual, errors = fit.objective - fit.gap, math.sqrt(fit.squares)
    if not roots.any():
        return max(dual, 0.0), fit.objective
    if not math.isfinite(fit.unit_slope):
        return 0.0, math.inf
    rho = float(np.dot(fit.slopes, roots))
    above = fit.objective + rho * errors + 0.5 * rho * rho
    if fit.beta == 0.0 or fit.constrained or (fit.skip and roots.size > 1):
        return 0.0, above
    off = math.sqrt(2.0 * fit.gap)
    extra = fit.unit_slope * float(roots.max()) * (errors + off) * (2.0 if fit.skip else 1.0)
    theta = fit.beta / (fit.beta + extra)
    below = dual - (1.0 - theta) * (dual - 0.5 * theta * max(errors - off, 0.0) ** 2)
    if fit.skip:
        below -= theta * float(roots[0]) * (errors + off) * _steepest_line(data)
    return max(below, 0.0), above


def _steepest_line(data: Compressed) -> float:
    """Return a bound on the slope of the regression line on the original inputs, of which there is one."""
    x, y, w = data.X[:, 0], data.y, data.sample_weight
    x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
    root, width = math.sqrt(data.moved[0]), math.sqrt(np.dot(w, x * x))
    spread = math.sqrt(np.dot(w, y * y) + 2.0 * data.constant)
    if width <= root:
        return math.inf
    return (abs(float(np.dot(w, x * y))) + root * spread) / (width - root) ** 2
