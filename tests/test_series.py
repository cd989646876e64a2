"""Series as users have them: forms, pandas indices and how they go on, and what cannot be a series."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from convexnn import ConvexNNAutoregressor
from convexnn.datasets import load_lynx, load_sunspots

SERIES = load_sunspots().target
N = SERIES.size


@pytest.fixture(scope="module")
def model():
    return ConvexNNAutoregressor(lags=2).fit(SERIES)


def read_only(values):
    """Return a copy that cannot be written."""
    values = values.copy()
    values.setflags(write=False)
    return values


@pytest.mark.parametrize(
    "form",
    [np.ndarray.tolist, read_only, lambda s: s[:, None], lambda s: np.repeat(s, 2)[::2], pd.Series, pd.DataFrame],
    ids=["list", "read_only", "column", "strided", "series", "frame"],
)
def test_forms(form, model):
    other = ConvexNNAutoregressor(lags=2).fit(form(SERIES))
    assert other.objective_ == model.objective_
    assert_array_equal(np.asarray(other.predict(form(SERIES))), model.predict(SERIES))
    assert_array_equal(np.asarray(other.forecast(5, last_window=form(SERIES[:50]))), model.forecast(5, SERIES[:50]))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, "Int64", "Float64"])
def test_types(dtype):
    values = pd.Series(SERIES.round()).astype(dtype)
    model = ConvexNNAutoregressor().fit(values)
    assert model.objective_ == ConvexNNAutoregressor().fit(SERIES.round()).objective_


INDICES = {
    "range": (pd.RangeIndex(7, 7 + 3 * N, 3), [7 + 3 * N, 10 + 3 * N]),
    "ints": (pd.Index(np.arange(1700, 1700 + N)), [1700 + N, 1701 + N]),
    "floats": (pd.Index(np.arange(N) * 0.5 - 1), [N * 0.5 - 1, N * 0.5 - 0.5]),
    "years": (pd.date_range("1700", periods=N, freq="YS"), list(pd.to_datetime(["2009", "2010"]))),
    "inferred": (
        pd.DatetimeIndex(list(pd.date_range("2020-01-31", periods=N, freq=pd.offsets.MonthEnd()))),
        list(pd.date_range("2020-01-31", periods=N + 2, freq=pd.offsets.MonthEnd())[-2:]),
    ),
    "zone": (
        pd.date_range("2024-03-01", periods=N, freq="D", tz="Europe/Berlin"),
        list(pd.date_range("2024-03-01", periods=N + 2, freq="D", tz="Europe/Berlin")[-2:]),
    ),
    "business days": (
        pd.bdate_range("2024-01-01", periods=N),
        list(pd.bdate_range("2024-01-01", periods=N + 2)[-2:]),
    ),
    "periods": (
        pd.period_range("1950-01", periods=N, freq="M"),
        list(pd.period_range("1950-01", periods=N + 2, freq="M")[-2:]),
    ),
    "timedeltas": (
        pd.timedelta_range("0s", periods=N, freq="15s"),
        list(pd.to_timedelta([15 * N, 15 * N + 15], unit="s")),
    ),
}


@pytest.mark.parametrize("kind", INDICES)
def test_the_index_goes_on(kind, model):
    index, following = INDICES[kind]
    series = pd.Series(SERIES, index=index.rename("when"), name="spots")
    other = ConvexNNAutoregressor(lags=2).fit(series)
    forecast = other.forecast(2)
    assert list(forecast.index) == following and forecast.index.name == "when" and forecast.name == "spots"
    assert type(forecast.index) is type(index) and forecast.index.dtype == index.dtype
    assert_array_equal(forecast.to_numpy(), model.forecast(2))
    table = other.forecast(2, level=[80, 95])
    assert table.columns.tolist() == ["forecast", "lower 80", "upper 80", "lower 95", "upper 95"]
    assert list(table.index) == list(other.simulate(2, 3, random_state=0).index) == following
    for aligned in (other.predict(series), other.fitted_values_, other.residuals_):
        pd.testing.assert_index_equal(aligned.index, series.index)


@pytest.mark.parametrize("kind", INDICES)
def test_a_short_window_goes_on_with_the_frequency_of_the_fit(kind):
    index, _ = INDICES[kind]
    model = ConvexNNAutoregressor(lags=1).fit(pd.Series(SERIES, index=index))
    window = pd.Series(SERIES[10:11], index=index[10:11])
    if hasattr(index, "freq") and kind != "periods":
        window.index.freq = None
    assert list(model.forecast(3, last_window=window).index) == list(index[11:14])


def test_the_form_is_that_of_the_window(model):
    series = pd.Series(SERIES, index=INDICES["years"][0])
    assert isinstance(model.forecast(2, last_window=series), pd.Series)
    assert isinstance(ConvexNNAutoregressor().fit(series).forecast(2, last_window=SERIES), np.ndarray)
    frame = series.to_frame("spots")
    assert ConvexNNAutoregressor().fit(frame).forecast(2).name == "spots"


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([f"row {i}" for i in range(N)]),
        pd.Index(np.arange(N) ** 2),
        pd.to_datetime(np.arange(N) ** 2, unit="D"),
        pd.MultiIndex.from_product([["a"], range(N)]),
    ],
    ids=["labels", "uneven", "uneven dates", "several levels"],
)
def test_an_index_without_a_step(index):
    model = ConvexNNAutoregressor().fit(pd.Series(SERIES, index=index))
    assert model.predict(pd.Series(SERIES, index=index)).size == N
    for call in (model.forecast, model.simulate):
        with pytest.raises(ValueError, match="no regular step"):
            call(2)
    assert model.forecast(2, last_window=SERIES).shape == (2,)


def at(place, value):
    """Return the series with one value replaced."""
    changed = SERIES.astype(object) if isinstance(value, str) else SERIES.copy()
    changed[place] = value
    return changed


DAYS = pd.date_range("2020-01-01", periods=N)
BAD = {
    "nan": (at(20, np.nan), "Input {} contains NaN"),
    "nan in pandas": (pd.Series(at(20, np.nan)), "Input {} contains NaN"),
    "inf": (at(20, np.inf), "Input {} contains infinity"),
    "text": (at(20, "two"), "could not convert string to float"),
    "complex": (SERIES + 1j, "Complex data not supported"),
    "sparse": (scipy.sparse.csr_array(SERIES[:, None]), "Sparse data was passed"),
    "two columns": (np.column_stack([SERIES, SERIES]), r"{} must be one series.*got shape \(309, 2\)"),
    "a row": (SERIES[None, :], "{} must be one series"),
    "three dimensions": (SERIES[:, None, None], "{} must be one series"),
    "empty": ([], r"Found array with 0 sample\(s\)"),
    "a number": (3.0, "at least 1 dimension|Singleton array"),
    "unsorted": (pd.Series(SERIES, index=DAYS[::-1]), r"The index of {} is not in the order of time; {}.sort_index\(\) is"),
    "unsorted periods": (pd.Series(SERIES, index=DAYS.to_period("D")[::-1]), "not in the order of time"),
    "unsorted numbers": (pd.Series(SERIES, index=np.roll(np.arange(N), 1)), "not in the order of time"),
    "duplicates": (
        pd.Series(SERIES, index=DAYS.where(DAYS[3] != DAYS, DAYS[2])),
        "The index of {} has duplicates: 2020-01-03 00:00:00",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_series(case, model):
    series, message = BAD[case]
    calls = {
        "series": [ConvexNNAutoregressor().fit, model.predict, model.score],
        "last_window": [lambda window: model.forecast(2, window), lambda window: model.simulate(2, last_window=window)],
    }
    for argument, functions in calls.items():
        for function in functions:
            with pytest.raises((ValueError, TypeError), match=message.replace("{}", argument)):
                function(series)


def test_nothing_is_fitted_to_a_bad_series():
    model = ConvexNNAutoregressor()
    with pytest.raises(ValueError):
        model.fit(BAD["nan"][0])
    assert not hasattr(model, "coef_") and not hasattr(model, "lags_")


@pytest.mark.parametrize(("lags", "difference"), [(1, 0), (1, 1), (5, 0), ([7], 1)])
def test_too_short(lags, difference):
    width = (lags if isinstance(lags, int) else max(lags)) + difference
    model = ConvexNNAutoregressor(lags=lags, difference=difference).fit(SERIES[: width + 2])
    assert np.isfinite(model.forecast(3)).all()
    with pytest.raises(ValueError, match=f"series is too short: it has {width + 1} values, .* need at least {width + 2}"):
        ConvexNNAutoregressor(lags=lags, difference=difference).fit(SERIES[: width + 1])
    with pytest.raises(ValueError, match=f"scoring needs at least {width + 2}"):
        model.score(SERIES[: width + 1])
    assert np.isnan(model.predict(SERIES[:width])).all()
    if width > 1:
        with pytest.raises(ValueError, match=f"last_window is too short: it has {width - 1} values"):
            model.forecast(3, last_window=SERIES[: width - 1])


@pytest.mark.parametrize("steps", [0, -1, 2.5, "two", None, True, np.nan])
def test_bad_steps(steps, model):
    for call in (model.forecast, model.simulate):
        with pytest.raises(ValueError, match=re.escape(f"steps must be a positive int, got {steps!r}")):
            call(steps)
    with pytest.raises(ValueError, match="n_paths must be a positive int"):
        model.simulate(2, steps)


@pytest.mark.parametrize("level", [0, 0.95, 100, -5, "95", [80, 80], [], [80, 100], np.nan])
def test_bad_levels(level, model):
    with pytest.raises(ValueError, match=r"^level (must be|names) a percentage"):
        model.forecast(2, level=level)


@pytest.mark.parametrize("lags", [0, -1, 1.5, "two", None, [], [1, 1], [0, 1], [1.5], ["a"], [[1, 2]]])
def test_bad_lags(lags):
    with pytest.raises((ValueError, TypeError), match="lags"):
        ConvexNNAutoregressor(lags=lags).fit(SERIES)


@pytest.mark.parametrize(
    ("name", "values"), [("difference", [2, -1, 0.5, None]), ("calibration", [0.0, 1.0, -0.5, "all", None])]
)
def test_bad_options(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"'{name}' parameter of ConvexNNAutoregressor"):
            ConvexNNAutoregressor(**{name: value}).fit(SERIES)


@pytest.mark.parametrize("method", ["predict", "score", "forecast", "simulate", "certify", "summary"])
def test_not_fitted(method):
    arguments = {"predict": (SERIES,), "score": (SERIES,), "forecast": (2,), "simulate": (2,)}.get(method, ())
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(ConvexNNAutoregressor(), method)(*arguments)


@pytest.mark.parametrize("difference", [0, 1])
@pytest.mark.parametrize("value", [0.0, 1.0, -7.3, 1e9])
@pytest.mark.parametrize("options", [{}, {"depth": 3, "activation": "abs"}, {"activation": "threshold"}], ids=str)
def test_a_constant_series_is_its_value(value, difference, options):
    series = np.full(60, value)
    model = ConvexNNAutoregressor(difference=difference, **options).fit(series)
    assert_allclose(model.forecast(4, level=[80]), np.full((4, 3), value), rtol=1e-12)
    assert_allclose(model.predict(series)[1 + difference :], value, rtol=1e-12)
    assert_allclose(model.simulate(3, 2, random_state=0), value, rtol=1e-12)
    assert model.n_neurons_ == 0 and model.score(series) == 1.0


def test_an_explosive_recursion_says_so():
    model = ConvexNNAutoregressor(alpha=0).fit(2.0 ** np.arange(20))
    assert_allclose(model.forecast(10), 2.0 ** np.arange(20, 30), rtol=1e-6)
    with pytest.raises(ValueError, match="leaves the range of numbers within 2000 steps"):
        model.forecast(2000)


def test_too_short_for_intervals():
    model = ConvexNNAutoregressor().fit(load_lynx().target)
    with pytest.raises(ValueError, match="level=99 at step 1 needs at least 199 calibration windows, but the series has 34"):
        model.forecast(1, level=99)
    with pytest.raises(ValueError, match="level=80 at step 27 needs at least 9 calibration windows, but the series has 8"):
        model.forecast(27, level=80)
    short = ConvexNNAutoregressor(lags=9, calibration=0.9).fit(load_lynx().target[:40])
    with pytest.raises(ValueError, match=r"too short for prediction intervals: calibration=0.9 of its 40 values leaves 4"):
        short.forecast(1, level=80)
