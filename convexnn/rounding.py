r"""What rounding the inputs can change: bounds on the original objective, from what is known after the rounded fit.

Rows (x_n, y_n, w_n) are trained on as (x'_n, y_n, w_n); D_n = x_n - x'_n. A cell k is all rows of one x'; its hull the
interval from its least to its greatest x, x' included. Of each cell is known: its weight W, mean target m, sum of squares V
about it, sum_n w D, M = sum_n w D**2, sum_n w (y - m) D, and its hull. Let P and P' be the objectives on the original and on
the rounded rows, R the penalty over beta. For one input:

*Above.* At the rows of a cell the fit f moves by f(x) - f(x') = s D + e, s its slope at x', |e| <= J |D| with J the sum of
its jumps of slope inside the hull. With the residual r = m - f(x'),

    sum_n w (y - f(x))**2 / 2 = sum_n w (y - f(x'))**2 / 2 - sum_n w (y - f(x')) (s D + e) + sum_n w (s D + e)**2 / 2.

The part of s in the middle term is known, s (sum_n w (y - m) D + r sum_n w D); the part of e is at most
J sqrt((V + W r**2) M) by Cauchy and Schwarz; the last term is at most (|s| + J)**2 M / 2. Summed over cells these bound
P(f) - P'(f).

*Below.* Let lam be a dual point that certifies the rounded fit: sum lam = 0, and lam @ f(x') <= beta R(f) for all networks
f. Given to rows as lam_n = w_n (y_n - m) + (w_n / W) lam_k it has with T_k**2 = sum_n lam_n**2 / w_n = V + lam_k**2 / W,
T**2 their sum, the dual value D' = lam @ y - T**2 / 2. At the original inputs a unit g, with slopes of at most c per unit of
penalty, has

    lam @ g(x) - lam @ g(x') = sum_k s_k c_k + rest,        c_k = sum_n lam_n D_n (known),

where the slope s at x' is that of a piece on an interval of cells, and the rest is from cells with a breakpoint in their
hulls, at most its jump of slope times T_k sqrt(M_k) each. With I the largest |sum c_k| over an interval, K the largest sum
of T_k sqrt(M_k) over cells whose hulls share a point, p c and q c the sums of sizes of slopes and of jumps that a unit can
have (1 and 1 for ReLU, 2 and 2 for absolute value), and M now the sum over cells, it is at most

    E = c min(p I + q K, T sqrt(M)),

the last by Cauchy and Schwarz. Hence theta lam, theta = beta / (beta + E), is feasible for the original rows, and its dual
value bounds P of all networks from below:

    theta lam @ y - theta**2 T**2 / 2 = D' - (1 - theta) (D' - theta T**2 / 2).

*With a skip connection* lam @ x = 0 must hold too, but lam @ x = v = sum c_k. The projection of lam on this condition has a
smaller T; correlations change by at most c |v|, because a unit's spread is at most c times that of x; and lam @ y changes by
v times the slope of the regression line, which is known.

*Several inputs.* A unit reads one of them: E is the largest of theirs, with intervals of that input. What the fit moves by
adds up over inputs, and so do the roots of the last term above, by the triangle inequality.

Sums of c_k are of errors times moves, which have little to do with each other: over many rows the bound is far closer than
by Cauchy and Schwarz alone. Both bounds are those of the rounded fit where nothing moved.
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
    objective, dual : float
        P'(f), and D', the bound from below that ``lam`` proves.
    lam : ndarray of shape (n_points,)
        The dual point.
    errors : ndarray of shape (n_points,)
        The mean targets minus the fit.
    beta : float
        The regularisation.
    breakpoints, slopes : list of ndarray
        The fit in each input.
    unit_slope : float
        c, the steepest slope of a unit per unit of penalty.
    unit_variation : tuple of int
        p and q.
    skip : bool
        Whether there is a skip connection.
    """

    objective: float
    dual: float
    lam: Array
    errors: Array
    beta: float
    breakpoints: list[Array]
    slopes: list[Array]
    unit_slope: float
    unit_variation: tuple[int, int]
    skip: bool


@dataclass(frozen=True)
class Moves:
    """How far the rows of each point were moved in one input: sums of w D, w D**2 and w (y - m) D, and hulls."""

    first: Array
    squares: Array
    products: Array
    low: Array
    high: Array


def moves_of(data: Compressed) -> list[Moves]:
    """Return the moves of each input."""
    columns = []
    for j in range(data.n_features):
        x, w = data.X[:, j], data.sample_weight
        mean, squares, products, least, greatest = data.moves[:, j :: data.n_features].T
        columns.append(Moves(w * mean, squares + w * mean * mean, products, x + least, x + greatest))
    return columns


def objective_above(data: Compressed, fit: RoundedFit) -> float:
    """Return a bound on the objective of the fit on the original rows."""
    w, r = data.sample_weight, fit.errors
    sizes = np.sqrt(data.spread + w * r * r)
    change, root = 0.0, 0.0
    for x, moves, breaks, slopes in zip(data.X.T, moves_of(data), fit.breakpoints, fit.slopes, strict=True):
        slope = slopes[np.searchsorted(breaks, x, side="right")]
        jumps = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(slopes)))))
        inside = jumps[np.searchsorted(breaks, moves.high, side="right")] - jumps[np.searchsorted(breaks, moves.low)]
        change -= float(np.dot(slope, moves.products + r * moves.first))
        change += float(np.dot(inside * sizes, np.sqrt(moves.squares)))
        root += math.sqrt(np.dot(np.square(np.abs(slope) + inside), moves.squares))
    return fit.objective + change + 0.5 * root * root


def objective_below(data: Compressed, fit: RoundedFit) -> float:
    """Return a bound from below on the objective of all networks on the original rows."""
    w, lam, c = data.sample_weight, fit.lam, fit.unit_slope
    squares = data.spread + lam * lam / w  # T_k**2
    total = float(squares.sum())
    extra, shift = 0.0, 0.0
    for x, moves in zip(data.X.T, moves_of(data), strict=True):
        terms = moves.products + lam * moves.first / w
        cells, place = np.unique(x, return_inverse=True)
        partial = np.concatenate(([0.0], np.cumsum(np.bincount(place, terms, cells.size))))
        interval = float(np.ptp(partial))
        around = _most_around(moves.low, moves.high, np.sqrt(squares * moves.squares))
        known = fit.unit_variation[0] * interval + fit.unit_variation[1] * around
        extra = max(extra, c * min(known, math.sqrt(total * moves.squares.sum())))
        shift = float(partial[-1])
    if fit.skip:
        extra += c * abs(shift)
    theta = fit.beta / (fit.beta + extra)
    below = fit.dual - (1.0 - theta) * (fit.dual - 0.5 * theta * total)
    if fit.skip and shift != 0.0:
        below -= theta * abs(shift * _line(data))
    return max(below, 0.0)


def _most_around(low: Array, high: Array, sizes: Array) -> float:
    """Return the largest sum of sizes of intervals around one point."""
    ends = np.concatenate((low, high))
    order = np.lexsort((np.repeat([0, 1], low.size), ends))  # where they meet, both are around it
    return float(np.cumsum(np.concatenate((sizes, -sizes))[order]).max())


def _line(data: Compressed) -> float:
    """Return the slope of the regression line on the original input, of which there is one."""
    w, moves = data.sample_weight, moves_of(data)[0]
    x, y = data.X[:, 0] + moves.first / w, data.y - np.average(data.y, weights=w)
    x = x - np.average(x, weights=w)
    width = float(np.dot(w, x * x) + (moves.squares - moves.first**2 / w).sum())
    return (float(np.dot(w, x * y)) + float(moves.products.sum())) / width if width > 0.0 else 0.0
