"""Input that cannot be fitted: scikit-learn's kind of error, naming the argument, and nothing fitted after it."""

import re
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from convexnn import (
    ConvexNNClassifier,
    ConvexNNQuantileRegressor,
    ConvexNNRegressor,
    ConvexNNRegressorCV,
    alpha_max,
)

X = np.array([[0.0], [2.0], [6.0], [7.0]])
Y = np.array([0.0, 0.0, 3.0, 7.0])


def replaced(array, value):
    """Return the array with its second entry replaced."""
    array = array.astype(np.result_type(array, np.asarray(value)) if not isinstance(value, str) else object)
    array.flat[1] = value
    return array


BAD_DATA = {
    "nan in X": (replaced(X, np.nan), Y, None, "Input X contains NaN"),
    "inf in X": (replaced(X, np.inf), Y, None, "Input X contains infinity"),
    "text in X": (replaced(X, "two"), Y, None, "could not convert string to float: 'two'"),
    "complex X": (X + 1j, Y, None, "Complex data not supported"),
    "sparse X": (scipy.sparse.csr_array(X), Y, None, "Sparse data was passed for X"),
    "flat X": (X[:, 0], Y, None, "Expected 2D array, got 1D array instead"),
    "X of 3 dimensions": (X[:, :, None], Y, None, "Found array with dim 3"),
    "no rows": (X[:0], Y[:0], None, r"Found array with 0 sample\(s\)"),
    "no columns": (X[:, :0], Y, None, r"Found array with 0 feature\(s\)"),
    "no y": (X, None, None, "requires y to be passed"),
    "nan in y": (X, replaced(Y, np.nan), None, "Input y contains NaN"),
    "inf in y": (X, replaced(Y, -np.inf), None, "Input y contains infinity"),
    "text in y": (X, replaced(Y, "two"), None, "could not convert string to float: 'two'"),
    "complex y": (X, Y + 1j, None, "Complex data not supported"),
    "two columns in y": (X, np.column_stack([Y, Y]), None, "y should be a 1d array"),
    "short y": (X, Y[:3], None, "inconsistent numbers of samples"),
    "negative weights": (X, Y, replaced(np.ones(4), -1.0), "`?sample_weight`?"),
    "weights all zero": (X, Y, np.zeros(4), "[Ss]ample.weights?"),
    "nan in weights": (X, Y, replaced(np.ones(4), np.nan), "Input sample_weight contains NaN"),
    "inf in weights": (X, Y, replaced(np.ones(4), np.inf), "Input sample_weight contains infinity"),
    "short weights": (X, Y, np.ones(3), "sample_weight.shape"),
    "weights of 2 dimensions": (X, Y, np.ones((4, 1)), "[Ss]ample.weight"),
    "text in weights": (X, Y, np.array(["a", "b", "c", "d"]), "."),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data(case):
    rows, target, weight, message = BAD_DATA[case]
    model = ConvexNNRegressor()
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(rows, target, sample_weight=weight)
    assert not hasattr(model, "coef_") and not hasattr(model, "network_")


BAD_OPTIONS = [
    ("depth", [1, 0, -2, 2.5, "2", None, np.nan]),
    ("activation", ["tanh", "ReLU", "", None, 1]),
    ("architecture", ["wide", None, 3]),
    ("width", [0, -1, 1.5, "many"]),
    ("negative_slope", [np.nan, "steep", None, -0.1, 1.0]),
    ("skip_connection", ["yes", None, 2]),
    ("alpha", [-1.0, -1e-300, np.nan, np.inf, "small", None, [0.1]]),
    ("loss", ["cubic", None, 2]),
    ("quantile", [-0.1, 1.1, np.nan, "half"]),
    ("huber_delta", [0.0, -1.0, "wide"]),
    ("dictionary", ["all", None, 5]),
    ("max_breakpoints", [0, -3, 2.5, "few"]),
    ("monotonic_cst", [1, 2.5, "rising"]),
    ("convexity_cst", [-1, 0.5, "convex"]),
    ("solver", ["sgd", None, 1]),
    ("tol", [-1e-6, np.nan, "tight", None]),
    ("max_iter", [0, -1, 2.5, "many", None]),
    ("warm_start", ["yes", None]),
    ("verbose", [-1, "loud", None]),
    ("n_jobs", ["all", 1.5]),
    ("random_state", ["seed", -1, 0.5]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_OPTIONS for value in values])
def test_bad_options(name, value):
    model = ConvexNNRegressor(**{name: value})
    with pytest.raises((ValueError, TypeError), match=f"'{name}' parameter of ConvexNNRegressor"):
        model.fit(X, Y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(("name", "good", "bad"), [("depth", 2, 2.0), ("max_iter", 1000, 1000.0), ("depth", 3, 1)])
def test_bad_options_after_good_ones(name, good, bad):
    """What was found good is remembered: an equal number of another kind is not the same, nor is one that was refused."""
    model = ConvexNNRegressor()
    for value in (good, bad, bad, good):
        model.set_params(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter") if value is bad else nullcontext():
            model.fit(X, Y)


def test_every_option_is_covered():
    assert {name for name, _ in BAD_OPTIONS} == ConvexNNRegressor().get_params().keys()


def test_unknown_option_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        ConvexNNRegressor(colour="red")
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        ConvexNNRegressor().set_params(colour="red")


@pytest.mark.parametrize("method", ["predict", "certify", "get_network_weights", "summary", "score"])
def test_not_fitted(method):
    arguments = {"predict": (X,), "score": (X, Y)}.get(method, ())
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(ConvexNNRegressor(), method)(*arguments)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((3, 2)), "X has 2 features, but ConvexNNRegressor is expecting 1 features as input"),
        (np.ones(3), "Expected 2D array, got 1D array instead"),
        (np.array([[np.nan]]), "Input X contains NaN"),
        (np.array([[np.inf]]), "Input X contains infinity"),
        (scipy.sparse.csr_array(np.ones((3, 1))), "Sparse data was passed for X"),
        (np.array([["two"]], dtype=object), "could not convert string to float"),
    ],
)
def test_bad_rows_at_prediction(rows, message):
    model = ConvexNNRegressor().fit(X, Y)
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "tanh"}, "The 'activation' parameter of"),
        ({"depth": 1}, "The 'depth' parameter of"),
        ({"skip_connection": "yes"}, "The 'skip_connection' parameter of"),
        ({"sample_weight": -np.ones(4)}, "sample_weight"),
        ({"foo": 3}, r"^alpha_max\(\) got an unexpected keyword argument 'foo'"),
    ],
)
def test_bad_options_of_alpha_max(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        alpha_max(X, Y, **options)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "abs"])
@pytest.mark.parametrize("n_features", [1, 3])
def test_tolerance_not_reached(activation, n_features, rng):
    rows, target = rng.normal(size=(200, n_features)), rng.normal(size=200)
    model = ConvexNNRegressor(activation=activation, alpha=1e-4, tol=1e-12, max_iter=1, solver="coordinate_descent")
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(rows, target)
    text = str(caught[0].message)
    numbers = [float(number) for number in re.findall(r"\d[\d.]*(?:e-?\d+)?", text.replace(". ", " "))]
    assert "gap" in text and any(number == pytest.approx(model.dual_gap_, rel=0.1) for number in numbers)
    assert "tol=1e-12" in text and "max_iter" in text
    assert not model.converged_ and model.dual_gap_ > 1e-12
    assert np.isfinite(model.predict(rows)).all()


@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_no_warning_when_converged(activation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ConvexNNRegressor(activation=activation).fit(X, Y).converged_


ESTIMATORS = [
    ConvexNNRegressor(),
    ConvexNNRegressorCV(alphas=3, cv=2),
    ConvexNNClassifier(),
    ConvexNNQuantileRegressor([0.5]),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_a_fit_that_fails_leaves_the_last_one(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1)), rng.integers(0, 2, 40)
    model = clone(estimator).fit(X, y)
    before, names = model.predict(X), set(vars(model))
    wide = np.column_stack([X, X])
    for bad in ((wide, y, -np.ones(40)), (wide, np.full(40, np.nan), None)):
        with pytest.raises(ValueError, match=r"sample_weight|NaN"):
            model.fit(bad[0], bad[1], sample_weight=bad[2])
    np.testing.assert_array_equal(model.predict(X), before)
    assert set(vars(model)) == names
