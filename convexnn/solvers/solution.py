"""What every solver returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spline:
    """A continuous linear spline: k knots at points of an axis, the values there, and all k + 1 slopes."""

    knots: NDArray[np.int64]
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
