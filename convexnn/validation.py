"""Checks of arguments that scikit-learn has no function for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def are_plain(X: Any, y: Any) -> bool:
    """Return whether X and y are arrays that scikit-learn's checks return as they are.

    What else there is (lists, data frames, other types, a size or a number that is an error) is left to those checks,
    which take a sixth of a fit of 10,000 rows to find out that there is nothing to do.
    """
    if not (type(X) is type(y) is np.ndarray and X.dtype == y.dtype == np.float64):
        return False
    if not (X.ndim == 2 and X.size and y.shape == X.shape[:1] and y.flags.c_contiguous):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(X.sum()) and math.isfinite(y.sum())


def read_constraint(argument: str, value: Any, n_features: int, names: Sequence[str] | None) -> tuple[int, ...]:
    """Return one of -1, 0, 1 for each input, from an array-like, or a dict by input names.

    Raises
    ------
    ValueError
        If it is neither, or for other inputs.
    """
    if value is None:
        return (0,) * n_features
    if isinstance(value, dict):
        if names is None:
            raise ValueError(f"{argument} was passed as a dict, but X has no string column names to match its keys")
        unknown = sorted(set(value) - set(names), key=str)
        if unknown:
            raise ValueError(f"{argument} names {unknown}, which X does not have")
        value = [value.get(name, 0) for name in names]
    given = np.asarray(value)
    if given.shape != (n_features,):
        raise ValueError(f"{argument} must have one entry for each of the {n_features} inputs, got shape {given.shape}")
    if not np.isin(given, (-1, 0, 1)).all():
        raise ValueError(f"{argument} must consist of -1, 0 and 1, got {value!r}")
    return tuple(int(entry) for entry in given)
