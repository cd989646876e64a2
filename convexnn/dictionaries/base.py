"""What every dictionary offers: exact pricing, evaluation, the piecewise form and the weights of its features.

A *dictionary* is the set of functions that one unit of a network can realise on the sorted distinct points of one
input, up to a constant. It is never stored: a feature is a row of small integers that name data points (which points
carry the biases, which signs the inner weights have), and the dictionary turns rows into numbers when asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Origin = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Priced:
    """The answer of a pricing sweep.

    ``maximum`` is max |lam @ g(x)| over the whole dictionary. ``features`` holds, most violated first, a batch of rows
    with |correlation| above the bound that was asked (none if there is no such feature), spread over the dictionary
    rather than crowded at its maximum, and ``correlations`` their signed values lam @ g(x).
    """

    maximum: float
    features: Rows
    correlations: Array


@dataclass(frozen=True)
class Pieces:
    """Features as right-continuous piecewise-linear functions, k features with q breakpoints each.

    ``breakpoints`` (k, q) is non-decreasing along each row and may repeat a value. ``values`` (k, q + 1): column 0 is the
    limit from the left at the first breakpoint, column i the value at breakpoint i - 1. ``slopes`` (k, q + 1): column i
    holds on the piece that starts at breakpoint i - 1.
    """

    breakpoints: Array
    values: Array
    slopes: Array


@dataclass(frozen=True)
class Units:
    """k sub-networks of one shape: ``weights[l]`` is (k, n_in, n_out), ``biases[l]`` is (k, n_out).

    A unit computes h -> activation(h @ weights[l] + biases[l]) layer after layer; the last n_out is 1. The weights are
    balanced for an outer weight of 1: a unit of coefficient z has gamma = |z| ** (1 / depth), inner weights times gamma,
    biases of layer l (counted from 1) times gamma ** l, and outer weight sign(z) * gamma.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]


@dataclass(frozen=True)
class SplineNorm:
    """The norm of a dictionary in function space, for a linear spline f (theory section 4).

    ``kink`` is the cost of a change of slope by one; ``coupled`` says that the sum of the two outer slopes is penalised
    too, R(f) = max(kink * TV(f'), (TV(f') + |f'_first + f'_last|) / 2); ``flat`` that tails are flat, so that the ends of
    the data have kinks as well.
    """

    kink: float
    coupled: bool
    flat: bool


class Atoms(ABC):
    """The features of one input over its sorted distinct ``points``, as a solver and a certificate see them.

    Attributes
    ----------
    points : ndarray of shape (N,)
        Sorted and distinct.
    exact : bool
        Whether the finite dictionary contains an optimal unit for every dual vector, over all real weights and biases.
    homogeneous : bool
        True where a feature scales with x (ReLU, leaky ReLU, absolute value), False for sign and threshold.
    positive : bool
        Whether coefficients may not be negative; ``price`` then returns the maximum of lam @ g rather than of |lam @ g|.
    kind : str
        What its features are called, for example "ramp".
    first_place : int
        The first column of a row that names a place; columns before it say how the feature is made.
    """

    points: Array
    exact: bool
    homogeneous: bool
    positive: bool = False
    kind: str
    first_place: int = 1

    def places(self, features: Rows) -> NDArray[np.int64]:
        """Return the places that carry the biases of features, as ``candidates`` name them: sorted and distinct."""
        named = np.unique(np.asarray(features, dtype=np.int64)[:, self.first_place :])
        return named[named >= 0]

    def adopt(self, features: Rows) -> Rows:
        """Return as rows of this dictionary those of the same dictionary over other candidates."""
        return features

    @abstractmethod
    def price(self, lam: Array, bound: float, limit: int) -> Priced:
        """Return the exact maximum of |lam @ g| and at most ``limit`` features above ``bound`` >= 0; lam sums to zero."""

    @abstractmethod
    def evaluate(self, features: Rows, x: Array, points: Array | None = None) -> Array:
        """Return the (len(x), k) values at x of k features whose biases are taken from ``points`` (default: its own)."""


class Dictionary(Atoms):
    """Features that are the units of a network."""

    @abstractmethod
    def tight(self, lam: Array, bound: float) -> Rows:
        """Return every feature with |lam @ g| >= bound; an error where there are too many to look at.

        Features that agree on the points up to a constant may be named once only.
        """

    def profile(self, lam: Array) -> list[tuple[str, Rows, Array]]:
        """Return features and their correlations for a picture: kinds with a name, rows and values of ``lam @ g``.

        Where a feature has one bias, all of them; here a batch of the strongest, spread over the dictionary.
        """
        priced = self.price(lam, 0.0, limit=500)
        return [(f"{self.kind}s, the strongest", priced.features, priced.correlations)]

    @abstractmethod
    def pieces(self, features: Rows, points: Array | None = None) -> Pieces:
        """Return the exact piecewise-linear form of the features."""

    @abstractmethod
    def origins(self, features: Rows) -> list[list[Origin]]:
        """Return, for each feature and each breakpoint of ``pieces``, where it comes from: (kind, indices of points).

        ("data", (n,)) is training point n, ("reflection", (n, m)) point n reflected across point m, ("midpoint", (i, j))
        the middle of two, ("composite", indices) made of these points in another way.
        """

    @abstractmethod
    def units(self, features: Rows, points: Array | None = None) -> Units:
        """Return the weights of the sub-networks that realise the features, exactly and not up to a constant."""


class SplineDictionary(Dictionary):
    """A dictionary whose norm in function space is that of a linear spline, where ``spline_norm`` is not None."""

    spline_norm: SplineNorm | None

    @abstractmethod
    def represent(self, knots: NDArray[np.integer], slopes: Array) -> tuple[Rows, Array, float]:
        """Represent a linear spline by features of least norm (theory section 5).

        Parameters
        ----------
        knots : ndarray of shape (k,)
            Places among the points, the first and the last included.
        slopes : ndarray of shape (k - 1,)
            The slopes between them.

        Returns
        -------
        features, coef, skip
            Skip is 0.0 without skip connection.
        """

    @abstractmethod
    def tails(self, slopes: Array) -> tuple[float, float]:
        """Return the slopes of that representation before the first point and beyond the last."""


def is_spline(dictionary: Atoms) -> TypeGuard[SplineDictionary]:
    """Return whether units of the dictionary cost what a norm of splines says."""
    return isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None


class StepDictionary(Dictionary):
    """A dictionary whose norm in function space is a total variation over ``height``, the size of its steps."""

    low: float
    height: float

    @abstractmethod
    def represent(self, levels: Array) -> tuple[Rows, Array]:
        """Represent a step function with these values at the points: features and coefficients."""


class SwitchDictionary(Dictionary):
    """A dictionary of features that are constant between few places, at most ``switches``; a row names the points before
    these, in order, then -1. Features are ``low`` before their first place, and ``low`` + ``height`` after it; ``gaps`` are
    the places allowed.
    """

    switches: int
    low: float
    height: float
    gaps: NDArray[np.int64]

    @abstractmethod
    def level_starts(self, features: Rows) -> NDArray[np.int64]:
        """Return the first points of the stretches on which all these features are constant."""

    @abstractmethod
    def represent(self, levels: Array) -> tuple[Rows, Array]:
        """Represent values at the points by features with one switch each: of least norm where only one is allowed."""
