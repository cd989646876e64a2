"""A warm start changes the way to the optimum, not the optimum."""

import numpy as np
import pytest
from sklearn.base import clone

from convexnn import ConvexNNRegressor

CASES = [
    {},
    {"skip_connection": True},
    {"activation": "abs"},
    {"activation": "leaky_relu", "negative_slope": 0.3},
    {"activation": "threshold"},
    {"depth": 4},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
    {"solver": "coordinate_descent"},
]


@pytest.mark.parametrize("parameters", CASES, ids=str)
@pytest.mark.parametrize("n_features", [1, 2])
def test_path_of_warm_starts_equals_cold_fits(parameters, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, n_features))
    y = np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=60)
    warm = ConvexNNRegressor(**parameters, warm_start=True, tol=1e-9)
    top = clone(warm).set_params(alpha=1e9).fit(X, y).alpha_max_
    for alpha in top * np.array([1.1, 0.5, 0.1, 1e-2, 1e-3, 0.3]):
        warm.set_params(alpha=alpha).fit(X, y)
        cold = clone(warm).set_params(warm_start=False).fit(X, y)
        assert warm.dual_gap_ <= 1e-9
        assert warm.objective_ == pytest.approx(cold.objective_, rel=2e-9)


def test_other_data_start_cold():
    rng = np.random.default_rng(1)
    model = ConvexNNRegressor(warm_start=True, tol=1e-9).fit(rng.normal(size=(50, 1)), rng.normal(size=50))
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), ConvexNNRegressor(tol=1e-9).fit(X, y).predict(X))
