"""The estimator as scikit-learn expects it: its own checks without exceptions, and its tools for model selection."""

import pickle

import numpy as np
import pandas as pd
import pytest
from reference import ACTIVATIONS
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_X_y
from sklearn.utils.estimator_checks import parametrize_with_checks

from convexnn import ConvexNNRegressor
from convexnn.validation import are_plain

each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
ESTIMATORS = [ConvexNNRegressor(activation=a, skip_connection=skip) for a in ACTIVATIONS for skip in (False, True)]


@pytest.fixture
def data(rng):
    """Return a noisy curve on one input."""
    X = np.sort(rng.uniform(-2, 2, size=(80, 1)), axis=0)
    return X, np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=80)


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@each_activation
@each_skip
def test_clone_and_pickle(activation, skip, data):
    model = ConvexNNRegressor(activation=activation, skip_connection=skip, alpha=0.02).fit(*data)
    again = clone(model)
    assert again.get_params() == model.get_params() and not hasattr(again, "coef_")
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(data[0]), model.predict(data[0]))
    np.testing.assert_array_equal(copy.network_(data[0]), model.network_(data[0]))
    np.testing.assert_array_equal(again.fit(*data).predict(data[0]), model.predict(data[0]))


@each_activation
def test_pipeline_with_scaler(activation, data):
    X, y = data
    alone = ConvexNNRegressor(activation=activation, tol=1e-10).fit(X, y)
    chain = make_pipeline(StandardScaler(), ConvexNNRegressor(activation=activation, tol=1e-10)).fit(X, y)
    np.testing.assert_allclose(chain.predict(X), alone.predict(X), atol=1e-4)
    assert chain[-1].objective_ == pytest.approx(alone.objective_, rel=1e-8)


def test_grid_search(data):
    grid = {"activation": list(ACTIVATIONS), "alpha": [0.1, 0.01, "auto"], "skip_connection": [False, True]}
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(ConvexNNRegressor(), grid, cv=folds, n_jobs=2, error_score="raise").fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["activation"] in ("relu", "leaky_relu", "abs") and search.best_score_ > 0
    assert search.best_estimator_.dual_gap_ <= 1e-6


def test_grid_search_over_depth(data):
    grid = {"depth": [2, 3], "activation": ["relu", "abs"]}
    search = GridSearchCV(ConvexNNRegressor(), grid, cv=3, n_jobs=2, error_score="raise").fit(*data)
    assert search.best_params_["depth"] in (2, 3)


def test_cross_validation_scores(data):
    assert cross_val_score(ConvexNNRegressor(alpha=0.01), *data, cv=4, error_score="raise").shape == (4,)


@each_activation
def test_transformed_target(activation, data):
    X, y = data
    model = ConvexNNRegressor(activation=activation, alpha=0.02)
    wrapped = TransformedTargetRegressor(model, func=np.exp, inverse_func=np.log).fit(X, y)
    np.testing.assert_allclose(wrapped.predict(X), np.log(clone(model).fit(X, np.exp(y)).predict(X)), rtol=1e-12)


@each_activation
def test_pandas_input(activation, data):
    X, y = data
    frame = pd.DataFrame({"dose": X[:, 0], "age": X[::-1, 0] ** 2})
    model = ConvexNNRegressor(activation=activation).fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == ["dose", "age"] and model.n_features_in_ == 2
    plain = ConvexNNRegressor(activation=activation).fit(frame.to_numpy(), y)
    np.testing.assert_array_equal(model.predict(frame), plain.predict(frame.to_numpy()))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"dose": "weight"}))


@each_activation
@each_skip
def test_fit_changes_no_parameter_and_no_data(activation, skip, data):
    X, y, w = *data, np.linspace(0, 2, 80)
    before = X.copy(), y.copy(), w.copy()
    model = ConvexNNRegressor(activation=activation, skip_connection=skip)
    params = dict(model.get_params())
    model.fit(X, y, sample_weight=w).predict(X)
    assert model.get_params() == params
    assert {name for name in vars(model) if not name.startswith("_") and not name.endswith("_")} == params.keys()
    for now, then in zip((X, y, w), before, strict=True):
        np.testing.assert_array_equal(now, then)


def fortran(X):
    """Return X in column order."""
    return np.asfortranarray(X)


def read_only(X):
    """Return a copy of X that cannot be written."""
    X = X.copy()
    X.setflags(write=False)
    return X


def strided(X):
    """Return X as every second element of a larger array, backwards."""
    wide = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1) if X.ndim == 2 else np.repeat(X, 2)
    return (wide[::-2, ::2] if X.ndim == 2 else wide[::-2])[::-1]


def swapped(X):
    """Return X with its bytes in the order that the machine does not use."""
    return X.astype(X.dtype.newbyteorder())


def frame(X):
    """Return X as pandas has it."""
    return pd.DataFrame(X) if X.ndim == 2 else pd.Series(X)


LAYOUTS = {
    "fortran": fortran, "read_only": read_only, "strided": strided, "float32": np.float32, "int64": np.int64,
    "list": np.ndarray.tolist, "swapped": swapped, "masked": np.ma.asarray, "frame": frame,
}  # fmt: skip
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@each_layout
@pytest.mark.parametrize("other", [*LAYOUTS.values(), np.atleast_2d, np.zeros_like], ids=[*LAYOUTS, "flat", "zero"])
def test_only_what_checks_leave_alone_goes_without_them(layout, other, rng):
    X, y = layout(rng.normal(size=(5, 2))), other(rng.normal(size=5))
    kept = type(X) is type(y) is np.ndarray and X.dtype == y.dtype == float and y.ndim == 1 and y.flags.c_contiguous
    assert are_plain(X, y) == kept
    if kept:
        checked = check_X_y(X, y, dtype=np.float64, y_numeric=True)
        assert all(np.shares_memory(now, then) for now, then in zip(checked, (X, y), strict=True))


@each_activation
@each_layout
def test_layouts_and_types(activation, layout, rng):
    X, y = rng.integers(-20, 20, size=(60, 2)).astype(float), rng.integers(-5, 5, size=60).astype(float)
    w = rng.integers(0, 3, size=60).astype(float)
    expected = ConvexNNRegressor(activation=activation, alpha=0.05).fit(X, y, sample_weight=w)
    model = ConvexNNRegressor(activation=activation, alpha=0.05).fit(layout(X), layout(y), sample_weight=layout(w))
    np.testing.assert_array_equal(model.predict(layout(X)), expected.predict(X))
    assert model.objective_ == expected.objective_


@each_activation
def test_weights_are_routed(activation, data):
    X, y = data
    w = np.where(X[:, 0] > 0, 1.0, 0.0)
    model = ConvexNNRegressor(activation=activation, alpha=0.02)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        chain = make_pipeline(scaler, model.set_fit_request(sample_weight=True)).fit(X, y, sample_weight=w)
    scaled = StandardScaler().fit_transform(X)
    direct = ConvexNNRegressor(activation=activation, alpha=0.02).fit(scaled[w > 0], y[w > 0])
    np.testing.assert_allclose(chain.predict(X[w > 0]), direct.predict(scaled[w > 0]), rtol=0, atol=1e-10)


@each_activation
def test_same_answer_every_time(activation, data):
    first, second = (ConvexNNRegressor(activation=activation, random_state=seed).fit(*data) for seed in (0, 1))
    np.testing.assert_array_equal(first.coef_, second.coef_)
    np.testing.assert_array_equal(first.predict(data[0]), second.predict(data[0]))


@each_activation
def test_column_target_warns_as_in_scikit_learn(activation, data):
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        model = ConvexNNRegressor(activation=activation).fit(data[0], data[1][:, None])
    assert model.predict(data[0]).shape == data[1].shape
