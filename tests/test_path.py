"""The solution path: its points equal separate fits, for all architectures, and its arguments are checked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import problems

from convexnn import ConvexNNRegressor, alpha_max, convex_nn_path

ARCHITECTURES = [
    {},
    {"skip_connection": True},
    {"activation": "abs"},
    {"activation": "leaky_relu", "negative_slope": 0.3},
    {"activation": "threshold"},
    {"activation": "sign", "skip_connection": True},
    {"depth": 4},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "activation": "leaky_relu"},
    {"depth": 3, "architecture": "symmetrized"},
    {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
    {"depth": 4, "activation": "threshold", "architecture": "tree", "width": (2, 2)},
    {"loss": "huber"},
    {"loss": "pinball", "quantile": 0.3},
]
each_architecture = pytest.mark.parametrize("parameters", ARCHITECTURES, ids=str)


@each_architecture
@settings(max_examples=6, deadline=None)
@given(problem=st.one_of(problems(max_n=25), problems(n_features=2, max_n=15)))
def test_points_equal_separate_fits(parameters, problem):
    X, y, w = problem.data
    path = convex_nn_path(X, y, sample_weight=w, alphas=5, tol=1e-9, **parameters)
    assert path.alpha_max == alpha_max(X, y, sample_weight=w, **parameters)
    scale = max(path.objectives.max(), 1e-300)
    for place, alpha in enumerate(path.alphas):
        model = ConvexNNRegressor(alpha=alpha, tol=1e-9, **parameters).fit(X, y, sample_weight=w)
        assert path.objectives[place] == pytest.approx(model.objective_, rel=4e-9, abs=1e-8 * scale)
        assert path.dual_gaps[place] <= 1e-9 and path.exact == model.exact_
        fit, separate = path.predict(X)[:, place], model.predict(X)
        rows = w if w is not None else np.ones(len(y))
        # two fits of gap g are within sqrt(8 g P) of each other in the norm of the loss
        assert np.dot(rows, (fit - separate) ** 2) <= 16e-9 * model.objective_ + 1e-12 * scale


@each_architecture
def test_networks_compute_the_predictions(parameters):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 1))
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=30)
    path = convex_nn_path(X, y, alphas=[0.1, 0.01, 0.03], **parameters)
    assert path.alphas.tolist() == [0.1, 0.03, 0.01] and len(path) == 3
    for place in range(3):
        network = path.network(place)
        np.testing.assert_allclose(network(X), path.predict(X)[:, place], atol=1e-9)
        if "loss" not in parameters:
            value = network.objective(X, y, path.alphas[place])
            assert value == pytest.approx(path.objectives[place], rel=1e-8)
        assert network.n_neurons == path.n_neurons[place] and network.intercepts[-1] == path.intercepts[place]
        assert len(path.features[place]) == path.coefs[place].size
    assert path.skip_coefs.shape == (3, 1) and (path.n_iters >= 1).all()


def test_grid_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    path = convex_nn_path(X, y, alphas=7, eps=1e-2)
    np.testing.assert_allclose(path.alphas, alpha_max(X, y) * np.geomspace(1.0, 1e-2, 7), rtol=1e-14)
    assert path.n_neurons[0] == 0 and (np.diff(path.objectives) < 0).all()
    assert "7 optimal networks" in repr(path)


def test_constant_target():
    path = convex_nn_path([[0.0], [1.0], [3.0]], [2.0, 2.0, 2.0], alphas=3)
    assert (path.predict([[0.5], [7.0]]) == 2.0).all() and (path.dual_gaps == 0.0).all()


def test_path_ends_at_the_interpolant():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 1)), rng.normal(size=20)
    path = convex_nn_path(X, y, alphas=[0.0, 1.0, 0.1])
    np.testing.assert_allclose(path.predict(X)[:, -1], y, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"alphas": 0}, ValueError, "'alphas' parameter"),
        ({"alphas": [-1.0, 1.0]}, ValueError, "alphas must be"),
        ({"alphas": [np.nan]}, ValueError, "alphas contains NaN"),
        ({"alphas": [[1.0]]}, ValueError, "alphas must be"),
        ({"alphas": []}, ValueError, "minimum of 1"),
        ({"eps": 0.0}, ValueError, "'eps' parameter"),
        ({"eps": 1.0}, ValueError, "'eps' parameter"),
        ({"alpha": 1.0}, TypeError, "takes 'alphas'"),
        ({"warm_start": True}, TypeError, "always starts warm"),
        ({"foo": 3}, TypeError, r"^convex_nn_path\(\) got an unexpected keyword argument 'foo'"),
        ({"activation": "tanh"}, ValueError, "'activation' parameter"),
        ({"sample_weight": [1.0, -1.0, 1.0]}, ValueError, "Negative values"),
    ],
)
def test_bad_arguments_are_named(arguments, error, match):
    with pytest.raises(error, match=match):
        convex_nn_path([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], **arguments)


def test_predict_checks_its_input():
    path = convex_nn_path([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], alphas=2)
    with pytest.raises(ValueError, match="computed with 1 features"):
        path.predict([[0.0, 1.0]])


def test_warns_where_the_tolerance_is_not_reached():
    rng = np.random.default_rng(3)
    with pytest.warns(UserWarning, match=r"at \d of 5 alphas") as caught:
        convex_nn_path(rng.normal(size=(60, 1)), rng.normal(size=60), alphas=5, max_iter=1, tol=1e-12)
    assert caught[0].filename == __file__


def test_what_has_no_interpolant_is_refused_before_any_work(rng, monkeypatch):
    X, y = rng.normal(size=(9, 1)), rng.normal(size=9)
    monkeypatch.setattr("convexnn.training.solve", None)
    with pytest.raises(ValueError, match="alpha=0 has no meaning under a shape constraint"):
        convex_nn_path(X, y, alphas=[0.01, 0.0], monotonic_cst=[1])
