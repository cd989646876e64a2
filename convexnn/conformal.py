"""Split-conformal prediction intervals: bounds that would have held for windows that the network has not seen."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def check_levels(level: Any) -> tuple[float, ...]:
    """Return the levels, in per cent, that a number or a list of numbers means; a ValueError for others."""
    levels: list[Any] = [level] if isinstance(level, Real) else list(level)
    if not levels or not all(isinstance(value, Real) and 1.0 <= float(value) < 100.0 for value in levels):
        raise ValueError(f"level must be a percentage, or several, from 1 to below 100, got {level!r}")
    if len(set(levels)) < len(levels):
        raise ValueError(f"level names a percentage twice: {level!r}")
    return tuple(levels)


def conformal_offsets(errors: Array, level: float, *, first_step: int = 1) -> tuple[Array, Array]:
    """Return what to add to forecasts to have the lower and the upper bound of an interval.

    With m errors of each step the bounds are the r-th smallest and the r-th largest, r = floor((m + 1)(1 - level) / 2): a
    further error, exchangeable with these, lies between them with at least that probability, and less than 2 / (m + 1) more
    than needed where errors have no ties.

    Parameters
    ----------
    errors : ndarray of shape (m, steps)
        What happened less what was forecast; NaN where nothing has happened yet.
    level : float
        The percentage of errors between the bounds.
    first_step : int, default=1
        The number of the first step, for the error.

    Returns
    -------
    lower, upper : ndarray of shape (steps,)
        The offsets.

    Raises
    ------
    ValueError
        If there are too few errors for the level.

    Notes
    -----
    Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), *Distribution-free predictive inference for regression*,
    in the two-sided form. Windows of a series are exchangeable only approximately; ``tests/test_intervals.py`` measures
    what that costs.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn.conformal import conformal_offsets
    >>> [bound.tolist() for bound in conformal_offsets(np.arange(1.0, 100.0)[:, None], 80.0)]
    [[10.0], [90.0]]
    """
    ordered = np.sort(errors, axis=0)  # NaN last
    counts = np.count_nonzero(np.isfinite(errors), axis=0)
    # the tolerance is for levels such as 99.9, which are no binary numbers
    ranks = np.floor((counts + 1) * (100.0 - level) / 200.0 + 1e-9).astype(int)
    if ranks.min() < 1:
        needed = int(np.ceil(200.0 / (100.0 - level) - 1e-9)) - 1
        raise ValueError(
            f"level={level:g} at step {int(np.argmin(ranks)) + first_step} needs at least {needed} calibration windows, but "
            f"the series has {int(counts.min())}: take a longer series, a larger calibration share, fewer steps or a lower "
            "level"
        )
    steps = np.arange(errors.shape[1])
    return ordered[ranks - 1, steps], ordered[counts - ranks, steps]
