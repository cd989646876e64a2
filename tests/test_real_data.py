"""Fits of the bundled real series, certified by sums in extended precision and compared with the rebuilt network."""

import numpy as np
import pytest
import reference
from reference import ACTIVATIONS

from convexnn import ConvexNNRegressor, datasets

pytestmark = pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
SERIES = ("mcycle", "lynx", "sunspots", "run_log", "btc_minutes")
each_series = pytest.mark.parametrize("series", SERIES)
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])


def load(series):
    """Return the inputs and targets of a bundled series."""
    return getattr(datasets, f"load_{series}")(return_X_y=True)


def certified(model, X, y):
    """Return the gap of a fitted model from its predictions, by running sums in extended precision."""
    norm, skip, kind = np.abs(model.coef_).sum(), model.skip_connection, model.activation
    fit = model.predict(X)
    return reference.certificate(X, y, fit, norm, model.alpha_, kind, skip, pricing=reference.price_by_sums)


@each_series
@each_activation
@each_skip
@pytest.mark.parametrize("fraction", [0.3, 0.01, 0.0003])
def test_real_series(series, activation, skip, fraction):
    X, y = load(series)
    alpha = fraction * reference.alpha_max(X, y, activation, skip, pricing=reference.price_by_sums)
    model = ConvexNNRegressor(activation=activation, skip_connection=skip, alpha=alpha).fit(X, y)
    proof = certified(model, X, y)
    assert model.dual_gap_ <= 1e-6 and proof.relative <= 1e-6 * (1 + 1e-3)
    assert proof.objective == pytest.approx(model.objective_, rel=1e-9)
    weights = model.get_network_weights()
    assert reference.network_objective(X, y, *weights, alpha, activation) == pytest.approx(model.objective_, rel=1e-9)
    size = np.abs(model.coef_).sum() + np.abs(model.skip_coef_).sum()
    rounding = 8 * np.finfo(float).eps * np.abs(X).max() * size  # of the products of inputs and weights
    by_hand = reference.forward(X, *weights, activation)
    np.testing.assert_allclose(by_hand, model.predict(X), rtol=0, atol=1e-9 * np.abs(y).max() + rounding)


@each_activation
def test_autoregression_of_prices(activation):
    _, price = load("btc_minutes")
    X, y = np.column_stack([price[1:-1], price[:-2]])[::8], price[2::8]
    model = ConvexNNRegressor(activation=activation, alpha="auto").fit(X, y)
    assert model.dual_gap_ <= 1e-6 and certified(model, X, y).relative <= 1e-6 * (1 + 1e-3)
    assert model.score(X, y) > 0.9


@each_series
def test_weights_select_a_part_of_the_series(series):
    X, y = load(series)
    half = np.arange(len(y)) % 2 == 0
    part = ConvexNNRegressor(alpha=0.01).fit(X[half], y[half])
    weighted = ConvexNNRegressor(alpha=0.01).fit(X, y, sample_weight=half.astype(float))
    np.testing.assert_array_equal(weighted.predict(X), part.predict(X))
    assert weighted.objective_ == part.objective_


def test_mcycle_against_a_conic_solver():
    X, y = load("mcycle")
    model = ConvexNNRegressor(alpha=2.0, tol=1e-9).fit(X, y)
    assert model.objective_ == pytest.approx(reference.conic(X, y, 2.0, "relu").objective, rel=1e-7)
