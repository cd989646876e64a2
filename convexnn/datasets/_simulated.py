"""A simulated price series, for sizes at which no real one can be bundled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state


def make_minute_prices(
    n: int = 525_600, *, start: float = 1000.0, volatility: float = 0.001, random_state: Any = 0
) -> NDArray[np.float64]:
    """Simulate a price that is quoted once a minute.

    A geometric random walk without drift, rounded to cents. Prices therefore come back again and again: as inputs of an
    autoregression they have many ties. The data are simulated, not a market's.

    Parameters
    ----------
    n : int, default=525_600
        The number of minutes; the default is a year of 365 days.
    start : float, default=1000.0
        The first price, in dollars.
    volatility : float, default=0.001
        The standard deviation of the change of the logarithm of the price in one minute.
    random_state : int, RandomState instance or None, default=0
        The seed. Other than in scikit-learn a number is the default, so that everybody gets the same series.

    Returns
    -------
    ndarray of shape (n,)
        Prices in dollars, whole cents, at least one cent.

    Examples
    --------
    >>> from convexnn.datasets import make_minute_prices
    >>> prices = make_minute_prices(5, start=1000, random_state=0)
    >>> prices.tolist()
    [1000.0, 1000.4, 1001.38, 1003.63, 1005.5]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n!r}.")
    if not start >= 0.01 or not np.isfinite(start):
        raise ValueError(f"start must be a price of at least one cent, got {start!r}.")
    if not volatility >= 0.0 or not np.isfinite(volatility):
        raise ValueError(f"volatility must be non-negative and finite, got {volatility!r}.")
    steps = check_random_state(random_state).standard_normal(n) * volatility
    steps[0] = 0.0
    prices = np.round(start * np.exp(np.cumsum(steps)), 2)
    return np.maximum(prices, 0.01)
