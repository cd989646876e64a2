"""The autoregressor: alignment, equivariance, recursion, the regressor it shares its training with, and scikit-learn."""

import pickle
from inspect import signature

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor
from convexnn.datasets import load_btc_minutes, load_lynx, load_sunspots

each_difference = pytest.mark.parametrize("difference", [0, 1], ids=["levels", "increments"])
ARCHITECTURES = [
    {},
    {"activation": "leaky_relu", "skip_connection": True},
    {"activation": "abs"},
    {"activation": "abs", "depth": 3},
    {"depth": 3},
    {"depth": 3, "architecture": "symmetrized"},
    {"activation": "threshold"},
    {"activation": "sign", "depth": 3, "architecture": "parallel", "width": 3},
    {"loss": "huber", "huber_delta": 0.5},
    {"loss": "absolute", "depth": 3},
    {"loss": "pinball", "quantile": 0.8},
]
each_architecture = pytest.mark.parametrize("options", ARCHITECTURES, ids=str)


def tent(s):
    """Return the image under a chaotic map that is piecewise linear."""
    return 1.9 * np.minimum(s, 1.0 - s)


def iterate(lag, n, f=tent):
    """Return a series without noise in which every value is the map of the one ``lag`` steps before."""
    series = np.empty(n)
    series[:lag] = np.linspace(0.21, 0.37, lag)
    for t in range(lag, n):
        series[t] = f(series[t - lag])
    return series


@given(st.integers(1, 7), st.sampled_from([tent, lambda s: 3.9 * s * (1.0 - s)]))
def test_a_lag_of_a_known_map_is_recovered(lag, f):
    series = iterate(lag, 150, f)
    model = ConvexNNAutoregressor(lags=[lag], alpha=0).fit(series)
    assert np.isnan(model.predict(series)[:lag]).all()
    assert_allclose(model.predict(series)[lag:], series[lag:], atol=1e-11)
    # a training point further on: the same map from the same place
    assert_allclose(model.forecast(lag, last_window=series[: lag + 10]), series[lag + 10 : 2 * lag + 10], atol=1e-11)


@given(st.integers(1, 5))
def test_a_piecewise_linear_map_is_recovered_between_the_data(lag):
    model = ConvexNNAutoregressor(lags=[lag], alpha=1e-9, tol=1e-12).fit(iterate(lag, 300))
    new = np.linspace(0.2, 0.9, 50)
    new = new[np.abs(new - 0.5) > 0.02]  # no point of the series is at the tip
    window = np.concatenate((new, np.zeros(lag)))
    assert_allclose(model.predict(window)[lag : lag + new.size], tent(new), atol=1e-5)


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_only_the_true_lag_is_used(lag):
    """Of three lags the network reads the one that the map reads: another could only mend what the penalty took away."""
    model = ConvexNNAutoregressor(lags=3, alpha=1e-4, tol=1e-8).fit(iterate(lag, 200))
    weights = np.bincount([feature.input for feature in model.features_], np.abs(model.coef_), 3)
    assert weights[lag - 1] > 0.999 * weights.sum() > 3.0
    assert model.feature_names_in_.tolist() == ["lag 1", "lag 2", "lag 3"]


@each_architecture
@each_difference
def test_it_is_the_regressor_on_lags(options, difference):
    series = load_lynx().target / 1000.0
    model = ConvexNNAutoregressor(difference=difference, **options).fit(series)
    changes = np.diff(series, n=difference)
    plain = ConvexNNRegressor(**options).fit(changes[:-1, None], changes[1:])
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-12)
    assert model.dual_gap_ <= 1e-6
    base = series[difference:-1] if difference else 0.0
    fitted = base + plain.predict(changes[:-1, None])
    assert_allclose(model.fitted_values_[1 + difference :], fitted, rtol=1e-12, atol=1e-12)
    assert_array_equal(model.residuals_, series - model.fitted_values_)
    assert np.isnan(model.fitted_values_[: 1 + difference]).all()


@each_difference
@pytest.mark.parametrize("lags", [1, 3, [2], [1, 4]], ids=str)
def test_the_forecast_is_the_recursion(lags, difference):
    series = load_sunspots().target
    model = ConvexNNAutoregressor(lags=lags, difference=difference).fit(series)
    assert model.lags_ == (tuple(range(1, lags + 1)) if isinstance(lags, int) else tuple(lags))
    longer = series
    for forecast in model.forecast(12):
        assert model.predict(np.append(longer, 0.0))[-1] == pytest.approx(forecast, rel=1e-12)
        longer = np.append(longer, forecast)
    width = max(model.lags_) + difference
    assert_array_equal(model.forecast(12, last_window=series), model.forecast(12))
    assert_array_equal(model.forecast(12, last_window=series[-width:]), model.forecast(12))


@given(st.integers(5, 60), st.integers(1, 3), st.integers(0, 1))
def test_predictions_know_their_window_only(length, lags, difference):
    series = load_sunspots().target
    model = ConvexNNAutoregressor(lags=lags, difference=difference, alpha=10.0).fit(series[:100])
    changed, width = series.copy(), lags + difference
    changed[length + 1 :] = 0.0
    changed[: length - width] = 0.0
    assert model.predict(changed)[length] == pytest.approx(model.predict(series)[length], rel=1e-12, abs=1e-9)


@given(st.floats(-1e3, 1e3), st.floats(0.01, 100.0), st.booleans(), st.integers(0, 1), st.sampled_from([1, 2, [1, 3]]))
def test_shift_and_scale_of_the_series(shift, scale, negative, difference, lags):
    series = load_sunspots().target[:120]
    factor = -scale if negative else scale
    options = {"lags": lags, "difference": difference, "tol": 1e-10}
    model = ConvexNNAutoregressor(**options).fit(series)
    moved = ConvexNNAutoregressor(**options).fit(factor * series + shift)
    spread = scale * np.ptp(series)
    assert moved.alpha_ == pytest.approx(scale**2 * model.alpha_, rel=1e-6)
    assert_allclose(moved.predict(factor * series + shift), factor * model.predict(series) + shift, atol=2e-4 * spread)
    assert_allclose(moved.forecast(3), factor * model.forecast(3) + shift, atol=1e-3 * spread)


@each_architecture
def test_refit_clone_and_pickle(options):
    series = load_lynx().target / 1000.0
    model = ConvexNNAutoregressor(lags=[1, 2], **options).fit(series)
    again = clone(model)
    assert again.get_params() == model.get_params() and not hasattr(again, "coef_")
    forecast = model.forecast(4, level=80)
    assert_array_equal(again.fit(series).forecast(4, level=80), forecast)
    assert_array_equal(pickle.loads(pickle.dumps(model)).forecast(4, level=80), forecast)


def test_parameters_are_those_of_the_regressor():
    own = {"lags": 1, "difference": 0, "calibration": 0.3}
    assert ConvexNNAutoregressor().get_params() == {**ConvexNNRegressor().get_params(), **own}
    assert list(signature(ConvexNNAutoregressor).parameters)[:4] == ["lags", "difference", "calibration", "depth"]
    assert repr(ConvexNNAutoregressor(2, depth=3)) == "ConvexNNAutoregressor(depth=3, lags=2)"
    assert ConvexNNAutoregressor(alpha=1.0).set_params(alpha=2.0, lags=[3]).get_params()["alpha"] == 2.0
    with pytest.raises(TypeError, match="colour"):
        ConvexNNAutoregressor(colour="red")


def test_every_parameter_and_attribute_is_documented():
    model = ConvexNNAutoregressor().fit([0.0, 1.0, 0.0, 2.0, 1.0])
    names = [*model.get_params(), *(name for name in vars(model) if name.endswith("_") and not name.startswith("_"))]
    assert [name for name in names if name not in ConvexNNAutoregressor.__doc__] == []


@each_difference
def test_score_is_of_the_predictions_that_exist(difference):
    series = load_sunspots().target
    model = ConvexNNAutoregressor(lags=2, difference=difference).fit(series[:200])
    test, width = series[200:], 2 + difference
    assert model.score(test) == r2_score(test[width:], model.predict(test)[width:])
    assert model.score(test, np.zeros(3)) == model.score(test)


@pytest.mark.parametrize("form", [np.ravel, np.atleast_2d, pd.DataFrame], ids=["flat", "column", "frame"])
def test_grid_search_over_time(form):
    series = load_sunspots().target
    data = series[:, None] if form is np.atleast_2d else form(series)
    grid = {"lags": [1, 2, [1, 2, 9]], "difference": [0, 1], "depth": [2, 3]}
    search = GridSearchCV(ConvexNNAutoregressor(), grid, cv=TimeSeriesSplit(3), error_score="raise").fit(data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.5 and search.best_estimator_.dual_gap_ <= 1e-6
    train, test = list(TimeSeriesSplit(3).split(series))[-1]
    best = clone(search.best_estimator_).fit(series[train])
    assert search.cv_results_["split2_test_score"].max() == pytest.approx(best.score(series[test]), rel=0.3)


@each_difference
def test_pipeline_after_a_scaler(difference):
    series = load_sunspots().target[:, None]
    alone = ConvexNNAutoregressor(lags=2, difference=difference, tol=1e-10).fit(series)
    chain = make_pipeline(StandardScaler(), ConvexNNAutoregressor(lags=2, difference=difference, tol=1e-10)).fit(series)
    back = chain[0].inverse_transform(chain.predict(series)[:, None])[:, 0]
    assert_allclose(back, alone.predict(series), atol=1e-3)
    assert chain.score(series) == pytest.approx(alone.score(series), abs=1e-6)
    grid = GridSearchCV(chain, {"convexnnautoregressor__lags": [1, 2]}, cv=TimeSeriesSplit(3), error_score="raise")
    assert grid.fit(series).best_params_ == {"convexnnautoregressor__lags": 2}


def test_the_series_is_never_routed_as_metadata():
    with config_context(enable_metadata_routing=True):
        chain = make_pipeline(StandardScaler(), ConvexNNAutoregressor()).fit(load_lynx().target[:, None])
        requests = chain[-1].get_metadata_routing()
    assert chain.score(load_lynx().target[:, None]) > 0.4
    assert "series" not in str({name: getattr(requests, name).requests for name in ("fit", "predict", "score")})
    assert not is_regressor(ConvexNNAutoregressor())


def test_fit_keeps_its_own_copy():
    series = load_lynx().target
    model = ConvexNNAutoregressor().fit(series)
    before = model.forecast(3, level=80)
    series[:] = 0.0
    assert_array_equal(model.forecast(3, level=80), before)


def test_simulation_draws_residuals():
    series = load_lynx().target
    model = ConvexNNAutoregressor(difference=1).fit(series)
    one = model.simulate(1, 400, random_state=0)
    shocks = one[0] - model.forecast(1)
    residuals = model.residuals_[2:]
    assert one.shape == (1, 400)
    assert np.abs(shocks[:, None] - residuals).min(axis=1).max() <= 1e-9 * np.abs(series).max()
    assert len(np.unique(shocks.round(6))) > 0.9 * len(residuals)
    assert_array_equal(model.simulate(9, 3, random_state=5), model.simulate(9, 3, random_state=5))
    assert not np.array_equal(model.simulate(9, 3, random_state=5), model.simulate(9, 3, random_state=6))
    seeded = clone(model).set_params(random_state=7).fit(series)
    assert_array_equal(seeded.simulate(4), model.simulate(4, random_state=7))
    window = series[:10]
    mean = model.simulate(1, 4000, random_state=0, last_window=window).mean()
    assert mean == pytest.approx(model.forecast(1, last_window=window)[0], abs=6 * residuals.std() / np.sqrt(4000))


def test_simulated_paths_follow_the_recursion():
    """Without residuals every path is the forecast."""
    series = iterate(1, 60)
    model = ConvexNNAutoregressor(alpha=0).fit(series)
    assert_allclose(model.simulate(5, 3, random_state=0), np.repeat(model.forecast(5)[:, None], 3, axis=1), atol=1e-9)


def test_prices_are_forecast_by_the_last_one():
    price = load_btc_minutes().target[:3000]
    model = ConvexNNAutoregressor(difference=1, alpha=1e9).fit(price)
    assert model.n_neurons_ == 0
    drift = np.diff(price)[1:].mean()
    assert_allclose(model.forecast(3), price[-1] + drift * np.arange(1, 4), rtol=1e-12)


class TwoDimensional(ConvexNNAutoregressor):
    """The estimator, open to scikit-learn's checks, which pass by estimators of flat arrays."""

    __init__ = ConvexNNAutoregressor.__init__

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


FLAT_SPARSE = scipy.sparse.coo_array(np.zeros(3)).ndim == 1
COLUMNS = "the check takes columns out of a flat array"
EXPECTED = {
    "check_dont_overwrite_parameters": COLUMNS,
    "check_n_features_in_after_fitting": COLUMNS,
    "check_dtype_object": COLUMNS,
    "check_f_contiguous_array_estimator": COLUMNS,
    "check_methods_sample_order_invariance": COLUMNS,
    "check_methods_subset_invariance": COLUMNS,
    "check_fit2d_1sample": COLUMNS,
    "check_fit2d_1feature": COLUMNS,
    "check_dict_unchanged": COLUMNS,
    "check_n_features_in": COLUMNS,
    "check_fit2d_predict1d": COLUMNS,
    # before scipy 1.11 it comes out with two dimensions, which is refused
    **({"check_estimator_sparse_array": "the check makes a sparse matrix of a flat array"} if FLAT_SPARSE else {}),
    "check_fit1d": "the check wants flat arrays refused",
}


@parametrize_with_checks([TwoDimensional()], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
