"""Column generation on segments: the fits of the reference solver, without its columns over all rows."""

import numpy as np
import pytest

from convexnn import ConvexNNRegressor, alpha_max, convex_nn_path

NETWORKS = {
    "relu": {},
    "abs": {"activation": "abs"},
    "narrow relu": {"depth": 3},
    "deep leaky": {"depth": 4, "activation": "leaky_relu", "negative_slope": 0.3},
    "reflections": {"depth": 3, "activation": "abs"},
    "deep reflections": {"depth": 4, "activation": "abs", "dictionary": "data"},
    "symmetrized": {"depth": 3, "architecture": "symmetrized"},
}


@pytest.fixture
def data(rng):
    x = np.round(rng.uniform(-2, 2, size=40), 1)  # some are equal
    return x[:, None], np.sin(3 * x) + 0.3 * rng.normal(size=40), rng.integers(0, 4, size=40)


@pytest.mark.parametrize("skip", [False, True], ids=["", "skip"])
@pytest.mark.parametrize("fraction", [0.3, 1e-2])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_agrees_with_coordinate_descent(network, fraction, skip, data):
    X, y, w = data
    options = {**network, "skip_connection": skip}
    options["alpha"] = fraction * alpha_max(X, y, sample_weight=w, **options)
    models = {}
    for solver in ("segments", "coordinate_descent"):
        models[solver] = ConvexNNRegressor(**options, solver=solver, tol=1e-9).fit(X, y, sample_weight=w)
        assert models[solver].certify().relative_gap <= 1e-9
    objective, other = (model.objective_ for model in models.values())
    assert objective == pytest.approx(other, rel=2e-9)


def test_chosen_for_many_inputs(rng):
    X = rng.uniform(-2, 2, size=(6000, 1))
    y = np.abs(np.abs(X[:, 0]) - 1) + 0.1 * rng.normal(size=6000)
    options = {"depth": 3, "activation": "abs", "max_breakpoints": 9, "alpha": 0.01}
    model = ConvexNNRegressor(**options).fit(X, y)
    assert model.solver_ == "segments" and model.converged_ and model.certify().relative_gap <= 1e-6
    other = ConvexNNRegressor(**options, solver="coordinate_descent").fit(X, y)
    assert model.objective_ == pytest.approx(other.objective_, rel=2e-6)


def test_a_path_goes_on_from_its_solutions(data):
    X, y, _ = data
    options = {"depth": 3, "activation": "abs", "solver": "segments", "tol": 1e-9}
    path = convex_nn_path(X, y, alphas=6, eps=1e-2, **options)
    for alpha, objective in zip(path.alphas, path.objectives, strict=True):
        assert objective == pytest.approx(ConvexNNRegressor(alpha=alpha, **options).fit(X, y).objective_, rel=2e-9)
