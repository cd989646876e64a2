"""The losses: convex functions of the fit f, for a given target y, as small frozen objects.

A dual variable v stands for minus a derivative of the loss, so that lam = w * v; with the conjugate of l,

    excess(f, v) = l(f) + l*(-v) + v f >= 0,   zero where -v is a derivative of l at f          (Fenchel and Young)

is what a duality gap is made of. Everything that solvers and certificates know about a loss is here: whether it is a
quadratic, whether it has a curvature (``smooth``), the interval that v lives in, a quadratic model and one that lies above.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, kl_div, logit

Array = NDArray[np.float64]
OUTLIER = 1e-3
SHARP = 1e-8


def power_of_two(value: float) -> float:
    """Return the least power of two above a positive value, 1 for zero; within the normal range, so that 1/it is finite."""
    if value == 0.0:
        return 1.0
    return math.ldexp(1.0, min(max(math.frexp(value)[1], -1021), 1021))


class Loss(ABC):
    """A convex loss; all methods work elementwise on arrays of fits ``f`` and targets ``y``.

    Attributes
    ----------
    quadratic, smooth : bool
        Whether it is the squared loss; whether it has a continuous derivative.
    corner : bool
        Whether its derivative jumps, or all but jumps: beside targets of order one, rounding hides that it does not.
    pools : bool
        Whether rows of equal inputs may be merged into their mean: y enters through a term that is linear in the fit only.
    shifts : bool
        Whether adding a number to f and y changes nothing.
    """

    quadratic: bool
    smooth: bool
    corner: bool
    pools: bool
    shifts: bool

    @abstractmethod
    def value(self, f: Array, y: Array) -> Array:
        """Return the loss."""

    @abstractmethod
    def dual(self, f: Array, y: Array) -> Array:
        """Return minus the derivative with respect to f; at a corner the subgradient nearest to zero."""

    @abstractmethod
    def interval(self, y: Array) -> tuple[Array | float, Array | float]:
        """Return the interval on which the conjugate is finite, as bounds of v; zero is in it."""

    @abstractmethod
    def conjugate(self, v: Array, y: Array) -> Array:
        """Return l*(-v) = max over f of -v f - l(f), for v in the interval."""

    @abstractmethod
    def excess(self, f: Array, v: Array, y: Array) -> Array:
        """Return l(f) + l*(-v) + v f, which is not negative, without large numbers that cancel."""

    @abstractmethod
    def curvature(self, f: Array, y: Array) -> Array:
        """Return the second derivative, or a little of ``majorizer`` where it would be next to nothing: it is positive."""

    @abstractmethod
    def majorizer(self, f: Array, y: Array) -> Array:
        """Return m such that l(g) <= l(f) + l'(f) (g - f) + m (g - f)**2 / 2 for all g."""

    @abstractmethod
    def best_constant(self, y: Array, w: Array) -> float:
        """Return a c that minimises sum w l(c, y)."""

    def rounded(self, width: float) -> Loss:
        """Return the loss with its corners rounded off over ``width``; itself where it is no sharper than that."""
        return self

    @abstractmethod
    def scaled(self, unit: float) -> tuple[Loss, float]:
        """Return (loss, factor) with l(unit * f, unit * y) = factor * loss(f, y)."""


@dataclass(frozen=True)
class Envelope(Loss):
    """The losses of regression: with r = y - f, l = max over low <= v <= high of v r - width v**2 / 2.

    A straight line of slope low on the left and high on the right, joined by a parabola of curvature 1 / width: the squared
    loss (no bounds), Huber's, and at width zero the absolute and the pinball loss.
    """

    low: float
    high: float
    width: float

    @property
    def quadratic(self) -> bool:  # type: ignore[override]
        return math.isinf(self.high)

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        return self.width > 0.0

    @property
    def corner(self) -> bool:  # type: ignore[override]
        return not self.quadratic and self.width * max(-self.low, self.high) < SHARP

    @property
    def pools(self) -> bool:  # type: ignore[override]
        return self.quadratic

    shifts = True

    def value(self, f: Array, y: Array) -> Array:
        r = y - f
        v = self._slope(r)
        r -= (0.5 * self.width) * v
        r *= v
        return r

    def dual(self, f: Array, y: Array) -> Array:
        return self._slope(y - f)

    def _slope(self, r: Array) -> Array:
        if self.quadratic:
            return r / self.width
        if self.smooth:
            return np.clip(r / self.width, self.low, self.high)
        return np.where(r > 0.0, self.high, np.where(r < 0.0, self.low, 0.0))

    def interval(self, y: Array) -> tuple[Array | float, Array | float]:
        return self.low, self.high

    def conjugate(self, v: Array, y: Array) -> Array:
        return (0.5 * self.width) * v * v - v * y

    def excess(self, f: Array, v: Array, y: Array) -> Array:
        r = y - f
        best = self._slope(r)
        short = best - v
        return (0.5 * self.width) * short * short + short * (r - self.width * best)

    def curvature(self, f: Array, y: Array) -> Array:
        r = y - f
        if self.quadratic:
            return np.full(r.shape, 1.0 / self.width)
        u = r / self.width
        return np.where((self.low < u) & (u < self.high), 1.0 / self.width, OUTLIER * self.majorizer(f, y))

    def majorizer(self, f: Array, y: Array) -> Array:
        if self.quadratic:
            return self.curvature(f, y)
        reach = max(-self.low, self.high)
        return reach / np.maximum(np.abs(y - f), self.width * reach)

    def best_constant(self, y: Array, w: Array) -> float:
        if self.quadratic:
            return float(np.dot(w, y) / w.sum())
        if self.smooth:
            return self._newton(float(np.median(y)), y, w)
        order = np.argsort(y)
        total = np.cumsum(w[order])
        return float(y[order[np.searchsorted(total, self.high / (self.high - self.low) * total[-1])]])

    def _newton(self, c: float, y: Array, w: Array) -> float:
        """Find the zero of sum w v(c), which falls with c, by Newton's method in a bracket."""
        below, above = float(y.min()), float(y.max())
        for _ in range(100):
            u = (y - c) / self.width
            slope = float(np.dot(w, np.clip(u, self.low, self.high)))
            below, above = (c, above) if slope > 0.0 else (below, c)
            core = float(w[(self.low < u) & (u < self.high)].sum()) / self.width
            aim = c + slope / core if core > 0.0 else math.inf
            aim = aim if below < aim < above else below + 0.5 * (above - below)
            if slope == 0.0 or abs(aim - c) <= 1e-16 * max(abs(below), abs(above)):
                break
            c = aim
        return c

    def rounded(self, width: float) -> Loss:
        width /= max(-self.low, self.high)
        return Envelope(self.low, self.high, width) if width > 2.0 * self.width else self

    def scaled(self, unit: float) -> tuple[Loss, float]:
        if not self.smooth or self.quadratic:
            return self, unit * unit if self.quadratic else unit
        low, high, reach = self.low / unit, self.high / unit, max(-self.low, self.high) / unit
        # of order one beside targets of order one: the slopes far out where they rule, else the curvature
        share = power_of_two(min(reach, 1.0 / self.width))
        return Envelope(low / share, high / share, self.width * share), unit * unit * share


@dataclass(frozen=True)
class Logistic(Loss):
    """The logistic loss log(1 + exp(f)) - y f of a log-odds f, for targets y in [0, 1]: means of classes 0 and 1."""

    quadratic = False
    smooth = True
    corner = False
    pools = True
    shifts = False

    def value(self, f: Array, y: Array) -> Array:
        # the two large terms never meet: log(1 + exp(-|f|)) plus what the wrong share of the targets costs
        return np.log1p(np.exp(-np.abs(f))) + np.where(f > 0.0, (1.0 - y) * f, -y * f)

    def dual(self, f: Array, y: Array) -> Array:
        return np.where(f > 0.0, expit(-f) - (1.0 - y), y - expit(f))

    def interval(self, y: Array) -> tuple[Array | float, Array | float]:
        return y - 1.0, y

    def conjugate(self, v: Array, y: Array) -> Array:
        p, q = y - v, (1.0 - y) + v
        return p * np.log(np.where(p > 0.0, p, 1.0)) + q * np.log(np.where(q > 0.0, q, 1.0))

    def excess(self, f: Array, v: Array, y: Array) -> Array:
        return kl_div(np.maximum(y - v, 0.0), expit(f)) + kl_div(np.maximum(1.0 - y + v, 0.0), expit(-f))

    def curvature(self, f: Array, y: Array) -> Array:
        return np.maximum(expit(f) * expit(-f), OUTLIER * np.abs(self.dual(f, y)))

    def majorizer(self, f: Array, y: Array) -> Array:
        half = np.maximum(0.5 * np.abs(f), 1e-8)
        return 0.25 * np.tanh(half) / half

    def best_constant(self, y: Array, w: Array) -> float:
        return float(logit(np.dot(w, y) / w.sum()))

    def scaled(self, unit: float) -> tuple[Loss, float]:
        return self, 1.0


SQUARED = Envelope(-math.inf, math.inf, 1.0)
LOGISTIC = Logistic()


def make_loss(name: str, quantile: float, huber_delta: float) -> Loss:
    """Return the loss that an estimator's parameters name; a ValueError if there is none."""
    if name == "logistic":
        return LOGISTIC
    if name == "huber":
        return Envelope(-huber_delta, huber_delta, 1.0)
    if name == "absolute":
        return Envelope(-1.0, 1.0, 0.0)
    if name == "pinball":
        return Envelope(quantile - 1.0, quantile, 0.0)
    if name == "squared":
        return SQUARED
    raise ValueError(f"loss must be 'squared', 'huber', 'absolute', 'pinball' or 'logistic', got {name!r}")
