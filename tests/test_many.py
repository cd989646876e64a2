"""Many series at once: the models and the table of single fits, in parallel or not, and what cannot be split."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor, fit_many

DAYS = pd.date_range("2024-01-01", periods=60)


@pytest.fixture(scope="module")
def wide():
    """Return three random walks, one in each column."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(60, 3)).cumsum(axis=0), index=DAYS, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def long(wide):
    """Return the same rows below one another, in the order of time, with two keys and a column that is not needed."""
    rows = wide.rename_axis("day").reset_index().melt("day", var_name="name").sort_values("day", kind="stable")
    return rows.assign(half=rows["day"].dt.month.gt(1), note="x")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_models_and_table_are_those_of_single_fits(wide, long, n_jobs):
    estimator = ConvexNNAutoregressor(lags=2, depth=3)
    found = fit_many(long, by="name", column="value", time="day", estimator=estimator, n_jobs=n_jobs)
    for models, table in (found, fit_many(wide, estimator=estimator, n_jobs=n_jobs)):
        assert list(models) == table.index.tolist() == ["a", "b", "c"]
        for name, model in models.items():
            alone = ConvexNNAutoregressor(lags=2, depth=3).fit(wide[name])
            pd.testing.assert_series_equal(model.forecast(3), alone.forecast(3), check_names=False, check_freq=False)
            row = table.loc[name]
            assert row["n_values"] == 60 and row["converged"] and row["dual_gap"] <= 1e-6
            assert (row["alpha"], row["alpha_max"]) == (alone.alpha_, alone.alpha_max_)
            assert (row["objective"], row["n_neurons"]) == (alone.objective_, alone.n_neurons_)
            assert row["rmse"] == pytest.approx(np.sqrt(np.mean(alone.residuals_[2:] ** 2)))
            assert row["score"] == alone.score(wide[name])
    assert found[1].index.name == "name"
    assert estimator.get_params() == ConvexNNAutoregressor(lags=2, depth=3).get_params() and not hasattr(estimator, "coef_")


def test_two_keys(long):
    models, table = fit_many(long, by=["name", "half"], column="value", time="day")
    assert list(models) == table.index.tolist() == [(name, half) for name in "abc" for half in (False, True)]
    assert table.index.names == ["name", "half"]
    part = long[(long["name"] == "b") & long["half"]]["value"].to_numpy()
    assert_array_equal(models["b", True].forecast(2), ConvexNNAutoregressor().fit(part).forecast(2))


def test_the_only_column_left_is_taken(long):
    models, _ = fit_many(long[["day", "name", "value"]], by=["name"], time="day")
    assert models["a"].forecast(1).index[0] == pd.Timestamp("2024-03-01")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "who"}, "by='who' is no column of the frame"),
        ({"by": "name", "column": "price"}, "column='price' is no column"),
        ({"by": "name", "time": "hour"}, "time='hour' is no column"),
        ({"by": "name"}, "column must say which of .*'day', 'value', 'half', 'note'"),
        ({"column": "value"}, "column is for long frames"),
        ({"by": "name", "column": "value", "estimator": ConvexNNRegressor()}, "estimator must be a ConvexNNAutoregressor"),
        ({"by": "name", "column": "note"}, "could not convert string to float"),
        ({"by": "name", "column": "value", "time": "half"}, "The index of series 'a' has duplicates"),
        (
            {"by": "name", "column": "value", "time": "day", "estimator": ConvexNNAutoregressor(lags=59)},
            "series 'a' is too short: it has 60 values, its windows need at least 61",
        ),
        ({"by": "name", "column": "value", "estimator": ConvexNNAutoregressor(depth=1)}, "'depth' parameter"),
    ],
)
def test_bad_arguments(long, options, message):
    with pytest.raises(ValueError, match=message):
        fit_many(long, **options)


def test_bad_frames(long, wide):
    with pytest.raises(ValueError, match="frame must be a pandas DataFrame, got ndarray"):
        fit_many(np.zeros((3, 3)))
    other = type("Frame", (), {"to_pandas": None})()  # one of polars, say
    with pytest.raises(ValueError, match=r"must be a pandas DataFrame, got Frame; pass its to_pandas\(\)"):
        fit_many(other)
    with pytest.raises(ValueError, match="series 'day' must be numbers, not times, got datetime64"):
        fit_many(wide.assign(day=DAYS))
    with pytest.raises(ValueError, match="series 'note': could not convert string to float: 'x'"):
        fit_many(wide.assign(note="x"))
    with pytest.raises(ValueError, match="Input series 'b' contains NaN"):
        fit_many(wide.assign(b=np.nan))
    with pytest.raises(ValueError, match="by='name' has missing values"):
        fit_many(long.assign(name=None), by="name", column="value")
    with pytest.raises(ValueError, match="holds no series"):
        fit_many(long[:0], by="name", column="value")


def test_one_warning_for_all(wide):
    estimator = ConvexNNAutoregressor(lags=2, alpha=1e-3, tol=1e-13, max_iter=1, solver="coordinate_descent")
    with pytest.warns(ConvergenceWarning, match=r"3 of 3 fits did not reach tol=1e-13.*'a', 'b', 'c'") as caught:
        _, table = fit_many(wide, estimator=estimator)
    assert len(caught) == 1 and not table["converged"].any()
