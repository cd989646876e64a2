"""Time series: what is accepted as one, and how its time index goes on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TimeSeries:
    """The values of a series, oldest first, and the index and name that pandas gave them, if it was pandas."""

    values: Array
    index: Any = None
    name: Any = None

    def wrap(self, values: Array) -> Any:
        """Return values of this series' length in the form in which the series came."""
        if self.index is None:
            return values
        import pandas as pd

        return pd.Series(values, index=self.index, name=self.name)


def read_series(series: Any, *, argument: str = "series", least: int = 1, why: str = "") -> TimeSeries:
    """Check a series and return it.

    Parameters
    ----------
    series : array-like of shape (n,) or (n, 1), pandas Series, or frame of one column
        Finite numbers. The index of a pandas object must increase strictly, unless it is one of labels.
    argument : str, default="series"
        What errors call it.
    least : int, default=1
        The least number of values.
    why : str, default=""
        What needs that many.

    Returns
    -------
    TimeSeries
        The values, which are a view of the input where that is possible.

    Raises
    ------
    ValueError
        If it is none of these; is too short; holds text, times, NaN or infinity; or if its index has duplicates or is not
        sorted.

    Examples
    --------
    >>> from convexnn.series import read_series
    >>> read_series([[1], [2]]).values.tolist()
    [1.0, 2.0]
    """
    index = series.index if hasattr(series, "iloc") else None
    if index is not None:
        _check_index(index, argument)
    dtype = getattr(series, "dtype", None)
    if getattr(dtype, "kind", None) in ("m", "M"):  # they would pass for numbers of nanoseconds
        raise ValueError(f"{argument} must be numbers, not times, got {dtype}")
    try:
        values = check_array(series, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name=argument)
    except ValueError as error:
        if argument in str(error):
            raise
        raise ValueError(f"{argument}: {error}") from error
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
        raise ValueError(
            f"{argument} must be one series: an array of shape (n,) or (n, 1), a pandas Series or a frame of one column; "
            f"got shape {values.shape}"
        )
    values = values.reshape(-1)
    if values.size < least:
        raise ValueError(f"{argument} is too short: it has {values.size} values, {why} at least {least}")
    names = getattr(series, "columns", None)
    return TimeSeries(values, index, names[0] if names is not None else getattr(series, "name", None))


def _check_index(index: Any, argument: str) -> None:
    if index.dtype.kind in "OSUT" and not hasattr(index, "freq"):  # labels, which have no order; periods have a frequency
        return
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise ValueError(f"The index of {argument} has duplicates: {twice} is there more than once")
    if not index.is_monotonic_increasing:
        raise ValueError(f"The index of {argument} is not in the order of time; {argument}.sort_index() is")


def check_steps(steps: Any, argument: str = "steps") -> int:
    """Return a positive number of steps; a ValueError for anything else."""
    if steps is True or not isinstance(steps, Integral) or int(steps) < 1:
        raise ValueError(f"{argument} must be a positive int, got {steps!r}")
    return int(steps)


def continue_index(index: Any, steps: int, like: Any = None) -> Any:
    """Return the next ``steps`` places of a pandas index.

    Parameters
    ----------
    index : pandas.Index
        Of dates, periods or time differences with a frequency, given or inferred, or of evenly spaced numbers.
    steps : int
        How many.
    like : pandas.Index, default=None
        An index whose frequency is taken where this one is too short to have one.

    Returns
    -------
    pandas.Index
        Of the same kind and name.

    Raises
    ------
    ValueError
        If it has no regular step.

    Examples
    --------
    >>> import pandas as pd
    >>> from convexnn.series import continue_index
    >>> list(continue_index(pd.period_range("2024-11", periods=3, freq="M"), 2).astype(str))
    ['2025-02', '2025-03']
    """
    import pandas as pd

    last, name = index[-1], index.name
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(last + index.step, last + index.step * (steps + 1), index.step, name=name)
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(last + 1, periods=steps, freq=index.freq, name=name)
    step = _step(index)
    if step is None and like is not None and type(like) is type(index):
        step = _step(like)
    if step is None:
        raise ValueError(
            "The index of the series has no regular step, so that it cannot be continued: give it a frequency "
            "(asfreq), or pass the values alone (to_numpy)"
        )
    if isinstance(index, pd.DatetimeIndex):
        return pd.date_range(last, periods=steps + 1, freq=step, name=name)[1:]
    if isinstance(index, pd.TimedeltaIndex):
        return pd.timedelta_range(last, periods=steps + 1, freq=step, name=name)[1:]
    return pd.Index(last + step * np.arange(1, steps + 1), dtype=index.dtype, name=name)


def _step(index: Any) -> Any:
    """Return the frequency of an index of times, or the step of one of numbers; None where there is none."""
    if index.dtype.kind in "mM":
        if index.freq is not None:
            return index.freq
        import pandas as pd

        if len(index) < 3:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas 3 announces that this will be an offset, which is as good as its name
            return pd.infer_freq(index)
    if index.dtype.kind not in "iuf":
        return None
    gaps = np.diff(index.to_numpy())
    if gaps.size == 0 or np.ptp(gaps) > 1e-9 * abs(gaps[0]):
        return None
    return gaps[0]
