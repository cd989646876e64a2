"""Objective and relative duality gap of anybody's fit, by the same code for all, independent of the package.

A fit is the values of the function at the data and the norm of the network that is claimed for them (or None: the least
norm that represents the values, by the function-space formulas). Sums are in long double and O(N) for one hidden
layer and narrow ReLU. For deep absolute-value networks (O(N^2)) and sign networks (O(N K)) pricing is in double.

The objective is sum((y - f)^2) / 2 + beta * norm. With r = y - f, shifted so that it sums to zero (with a skip
connection also against x), and M the largest |r @ g| over all features g, theta = min(1, beta / M) makes theta r dual
feasible and

    gap = beta * norm - theta * r @ f + sum((r - theta r)^2) / 2,

which does not subtract one objective from another. It is relative to the objective of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Long = np.longdouble


@dataclass(frozen=True)
class Merged:
    """Sorted distinct x, weighted means of y at them, weights, half the squares that merging took out, and the way
    back."""

    x: Array
    y: Array
    w: Array
    constant: float
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def at_points(self, values: Array) -> Array:
        """Reduce values at the rows to values at the distinct x (equal inputs have equal values)."""
        return np.asarray(values)[self.order][self.starts].astype(Long)


@dataclass(frozen=True)
class Certified:
    """Objective, absolute and relative gap, and the largest correlation over beta."""

    objective: float
    gap: float
    relative_gap: float
    ratio: float


def merge(x: Array, y: Array) -> Merged:
    """Sort, and merge equal inputs."""
    order = np.argsort(x, kind="stable")
    xs, ys = x[order].astype(Long), y[order].astype(Long)
    starts = np.flatnonzero(np.concatenate(([True], xs[1:] > xs[:-1])))
    w = np.diff(np.append(starts, x.size)).astype(Long)
    mean = np.add.reduceat(ys, starts) / w
    spread = ys - np.repeat(mean, w.astype(np.int64))
    return Merged(xs[starts], mean, w, float(0.5 * np.dot(spread, spread)), order, starts)


def hinge_sums(x: Array, lam: Array) -> Array:
    """Return F with F[i] = sum_n lam[n] * max(x[n] - x[i], 0)."""
    tails = np.cumsum(lam[:0:-1])[::-1]
    sums = np.zeros(x.size, x.dtype)
    sums[:-1] = np.cumsum((tails * np.diff(x))[::-1])[::-1]
    return sums


def free_fit(data: Merged, architecture: str, values: Array) -> Array:
    """Return the weighted projection of values on what carries no penalty: constants, with a skip connection lines."""
    total = data.w.sum()
    fit = np.full(values.size, np.dot(data.w, values) / total)
    if architecture == "relu_skip":
        centered = data.x - np.dot(data.w, data.x) / total
        fit = fit + centered * (np.dot(data.w * centered, values) / np.dot(data.w * centered, centered))
    return fit


def largest_correlation(data: Merged, architecture: str, lam: Array) -> float:
    """Return the largest |lam @ g| over the features of an architecture; lam sums to zero."""
    if architecture == "threshold":
        return float(np.abs(np.cumsum(lam)[:-1]).max(initial=0.0))
    if architecture == "sign_parallel":
        return _switches(lam.astype(np.float64), 5)
    sums = hinge_sums(data.x, lam)
    low, high = sums[:-1].min(), sums[:-1].max()
    if architecture == "relu_skip":
        return float(max(high, -low))
    if architecture == "relu":
        # a ramp to the left is the ramp to the right less a line, whose correlation is F at the first point
        return float(max(high, -low, high - sums[0], sums[0] - low))
    if architecture == "abs":
        return float(max(2.0 * high - sums[0], sums[0] - 2.0 * low))
    if architecture == "narrow_relu":
        return float(max(sums.max(), 0.0) - min(sums.min(), 0.0))
    if architecture == "abs_depth_3":
        return _reflections(data.x.astype(np.float64), sums.astype(np.float64))
    raise ValueError(f"no independent pricing of {architecture!r}")


def _switches(lam: Array, most: int) -> float:
    """Return the largest |lam @ s| over vectors s of signs with at most ``most`` switches: O(N K) dynamic programme."""
    best = np.full(most + 1, -np.inf)
    best[0] = 0.0
    signs = (-1.0) ** np.arange(most + 1)
    for value in lam:
        best[1:] = np.maximum(best[1:], best[:-1])
        best += value * signs
    start_up = best.max()
    best = np.full(most + 1, -np.inf)
    best[0] = 0.0
    for value in lam:
        best[1:] = np.maximum(best[1:], best[:-1])
        best -= value * signs
    return float(max(start_up, best.max()))


def _reflections(x: Array, sums: Array) -> float:
    """Return the largest |lam @ g| over ||x - a| - c|, a and c the exact finite set: O(N^2) interpolations of F.

    The feature has slope -1 on the far left and kinks 2, -2, 2 at a - c, a, a + c.
    """

    def curve(places: Array) -> Array:
        return np.interp(places, x, sums)

    worst, first = 0.0, sums[0]
    for i in range(x.size):
        mirrored = curve(2.0 * x[i] - x)
        worst = max(worst, np.abs(2.0 * (sums + mirrored - sums[i]) - first).max())
        middle = curve(0.5 * (x[i] + x[i + 1 :]))
        worst = max(worst, np.abs(2.0 * (sums[i] + sums[i + 1 :] - middle) - first).max(initial=0.0))
    return float(worst)


def least_norm(data: Merged, architecture: str, values: Array) -> float:
    """Return the least norm that represents values at the distinct x (theory of the function-space problems)."""
    if architecture == "threshold":
        return float(np.abs(np.diff(values)).sum())
    slopes = np.diff(values) / np.diff(data.x)
    variation, ends = float(np.abs(np.diff(slopes)).sum()), float(abs(slopes[0] + slopes[-1]))
    if architecture == "relu_skip":
        return variation
    if architecture == "relu":
        return max(variation, 0.5 * (variation + ends))
    if architecture == "abs":
        return 0.5 * (variation + ends)
    if architecture == "narrow_relu":
        return 0.5 * (variation + float(abs(slopes[0]) + abs(slopes[-1])))
    raise ValueError(f"no formula for the norm of {architecture!r}: claim one")


def critical_alpha(data: Merged, architecture: str) -> float:
    """Return the least alpha at which the best network has no units."""
    lam = data.w * (data.y - free_fit(data, architecture, data.y))
    return largest_correlation(data, architecture, lam) / float(data.w.sum())


def certify(data: Merged, architecture: str, alpha: float, values: Array, norm: float | None = None) -> Certified:
    """Certify a fit from its values at the rows and the norm that is claimed for it."""
    fit = data.at_points(values)
    beta = Long(alpha) * data.w.sum()
    penalty = beta * Long(least_norm(data, architecture, fit) if norm is None else norm)
    residual = data.y - fit
    lam = data.w * (residual - free_fit(data, architecture, residual))
    ratio = Long(largest_correlation(data, architecture, lam)) / beta
    theta = 1 / max(Long(1), ratio)
    off = data.w * residual - theta * lam
    gap = penalty - theta * np.dot(lam, fit) + np.dot(off, off / data.w) / 2
    primal = np.dot(data.w * residual, residual) / 2 + penalty + data.constant
    return Certified(float(primal), float(gap), float(gap / primal), float(ratio))


def objective(data: Merged, alpha: float, values: Array, norm: float) -> float:
    """Return the objective alone, for architectures that this file cannot price."""
    residual = data.y - data.at_points(values)
    squares = np.dot(data.w * residual, residual) / 2
    return float(squares + Long(alpha) * data.w.sum() * Long(norm) + data.constant)
