"""Additive networks of several inputs: one solver for all values at once, against the others and on dependent inputs."""

import numpy as np
import pytest
import reference as ref

from convexnn import ConvexNNRegressor, alpha_max, convex_nn_path
from convexnn.solvers import additive

NETWORKS = {
    "relu": {},
    "relu, skip": {"skip_connection": True},
    "leaky": {"activation": "leaky_relu", "negative_slope": 0.3},
    "leaky, skip": {"activation": "leaky_relu", "negative_slope": 0.3, "skip_connection": True},
    "abs": {"activation": "abs"},
    "abs, skip": {"activation": "abs", "skip_connection": True},
    "narrow": {"depth": 4},
    "threshold": {"activation": "threshold"},
    "sign, skip": {"activation": "sign", "skip_connection": True},
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


def fitted(X, y, fraction, network, weights=None, **options):
    alpha = fraction * alpha_max(X, y, sample_weight=weights, **network)
    return ConvexNNRegressor(alpha=alpha, tol=1e-9, **{**network, **options}).fit(X, y, weights)


def additive_data(rng, n=80, d=3):
    X = rng.normal(size=(n, d)).round(2)
    return X, np.sin(2 * X).sum(axis=1) + np.abs(X[:, 0]) + 0.3 * rng.normal(size=n)


@each_network
@pytest.mark.parametrize("fraction", [0.3, 1e-3])
def test_agrees_with_coordinate_descent(network, fraction, rng):
    X, y = additive_data(rng)
    weights = rng.integers(1, 4, size=len(y))
    model = fitted(X, y, fraction, network, weights)
    assert model.solver_ == "additive"
    assert model.certify().relative_gap <= 1e-8
    other = fitted(X, y, fraction, network, weights, solver="coordinate_descent")
    assert model.objective_ == pytest.approx(other.objective_, rel=2e-9)


@each_network
@pytest.mark.parametrize("fraction", [0.1, 1e-3])
def test_one_input_is_a_special_case(network, fraction, rng):
    X, y = additive_data(rng, d=1)
    model = fitted(X, y, fraction, network, solver="additive")
    other = fitted(X, y, fraction, network)
    assert other.solver_ in ("spline", "total_variation")
    assert model.objective_ == pytest.approx(other.objective_, rel=2e-9)


DEPENDENT = {
    "equal": lambda x, u: [x, x, x],
    "mirrored": lambda x, u: [x, -x, u],
    "scaled": lambda x, u: [x, 3 * x, u],
    "nearly equal": lambda x, u: [x, x + 1e-9 * u, u],
    "constant": lambda x, u: [x, 0 * x + 5, u],
    "a sum": lambda x, u: [x, u, x + u],
    "a third": lambda x, u: [1.0 + 1e-5 * x, (1.0 + 1e-5 * x) / 3.0, u],
    "offset": lambda x, u: [1e9 + x, (1e9 + x) / 3.0, 1e9 + u],
    "few levels": lambda x, u: [np.round(3 * x), np.round(3 * u), np.round(x + u)],
}


@each_network
@pytest.mark.parametrize("inputs", DEPENDENT.values(), ids=DEPENDENT.keys())
def test_dependent_inputs(network, inputs, rng):
    x, u = rng.random((2, 30))
    y = np.sin(6 * x) + np.cos(9 * u) + 0.3 * rng.normal(size=x.size)
    model = fitted(np.column_stack(inputs(x, u)), y, 1e-4, network)
    assert model.converged_
    assert model.n_iter_ < 300
    assert model.certify().relative_gap <= 1e-6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["relu", "threshold"])
@pytest.mark.parametrize("spike", [1e8, 1e12, 1e15])
def test_a_spike_costs_the_other_rows_no_digits(activation, spike):
    X, y = np.column_stack([np.arange(9.0), np.arange(9.0) * 2 % 9]), np.linspace(0.1, 0.9, 9)
    model, at = ConvexNNRegressor(activation=activation, loss="absolute", alpha=0), np.arange(9) == 4
    model.fit(X, np.where(at, spike, y))
    np.testing.assert_allclose(model.predict(X)[~at], model.network_(X)[~at], rtol=0, atol=1e-12)


@each_network
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (1.0, 1e-5), (1e9, 1.0), (-1e12, 1e5)])
def test_an_input_and_its_third_are_one_input(network, offset, spread, weighted, rng):
    # between them there is rounding, which a skip connection could use with slopes of 1e16 that no double can hold
    x, weights = offset + spread * rng.random(12), rng.uniform(0.1, 2.0, 12) if weighted else None
    y, X = rng.normal(size=12), np.column_stack([x, x / 3.0])
    one, two = (fitted(inputs, y, 1e-6, network, weights) for inputs in (X[:, :1], X))
    assert two.objective_ == pytest.approx(one.objective_, rel=1e-5)
    np.testing.assert_allclose(two.predict(X), one.predict(X[:, :1]), atol=1e-5)
    if network.get("skip_connection"):
        assert np.count_nonzero(two.network_.skip_coef) == 1


@pytest.mark.parametrize("least", [1e-5, 1e-7])
def test_a_skip_connection_reads_inputs_of_which_others_leave_a_millionth(least, rng):
    x, u, v = rng.normal(size=(3, 100))
    X, y = np.column_stack([x, u, x - 2 * u + least * v]), x + v
    model = ConvexNNRegressor(skip_connection=True, alpha=1e9).fit(X, y)
    assert np.count_nonzero(model.network_.skip_coef) == (3 if least > 1e-6 else 2)
    assert model.converged_
    # by another route: least squares on the inputs that are read
    read = np.column_stack([np.ones(100), X[:, model.network_.skip_coef != 0.0]])
    np.testing.assert_allclose(model.predict(X), read @ np.linalg.lstsq(read, y, rcond=None)[0], atol=1e-6)


NEARLY = {
    "two values": lambda x, u: [np.round(x) + 1e-7 * u, np.round(x), u],
    "two values, twice": lambda x, u: [np.round(x), np.round(x) + 1e-7 * np.round(u)],
    "next to each other": lambda x, u: [x, x + 1e-7 * u],
    "a sum": lambda x, u: [x, u, x - u + 1e-8 * np.round(3 * x)],
    "a constant": lambda x, u: [1e9 + 0 * x, x, 2 * x + 1e-7 * u],
}


@pytest.mark.parametrize("solver", ["auto", "coordinate_descent"])
@pytest.mark.parametrize("fraction", [0.3, 1e-2])
@pytest.mark.parametrize("inputs", NEARLY.values(), ids=NEARLY.keys())
@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_inputs_that_are_not_read_are_units_like_others(activation, inputs, fraction, solver, rng):
    x, u = rng.random((2, 12))
    X, y = np.column_stack(inputs(x, u)), rng.normal(size=12)
    network = {"activation": activation, "negative_slope": ref.SLOPE, "skip_connection": True}
    alpha = fraction * alpha_max(X, y, **network)
    model = ConvexNNRegressor(alpha=alpha, tol=1e-9, solver=solver, **network).fit(X, y)
    read = tuple(np.flatnonzero(model.network_.skip_coef))
    norm = np.abs(model.coef_).sum()
    assert alpha_max(X, y, **network) == pytest.approx(ref.alpha_max(X, y, activation, read), rel=1e-9)
    assert ref.certificate(X, y, model.predict(X), norm, alpha, activation, read).relative <= 1e-7


@each_network
def test_many_inputs_and_more_of_them_than_rows(network, rng):
    X = rng.normal(size=(16, 20))
    y = rng.normal(size=16)
    model = fitted(X, y, 1e-2, network)
    assert model.converged_
    np.testing.assert_allclose(model.network_(X), model.predict(X), atol=1e-9 * np.abs(y).max())


@each_network
def test_starts_from_the_last_solution(network, rng):
    X, y = additive_data(rng, n=400)
    model = fitted(X, y, 1e-2, network, warm_start=True)
    cold, objective = model.n_iter_, model.objective_
    model.fit(X, y)
    assert model.n_iter_ < cold
    assert model.objective_ == pytest.approx(objective, rel=1e-12)


@pytest.mark.parametrize("room", [True, False], ids=["columns", "pivots"])
def test_pivots_end_where_no_row_tells_knots_apart(room, rng, monkeypatch):
    # as many jumps as rows: the optimum for given signs is not unique, and most steps of other kinds fail
    if not room:  # as where columns would be too large to write out
        monkeypatch.setattr(additive, "ENTRIES", 0)
    X, y = rng.random((60, 4)), rng.normal(size=60)
    for network in (NETWORKS["threshold"], NETWORKS["sign, skip"], NETWORKS["relu, skip"]):
        model = fitted(X, y, 1e-5, network)
        assert model.converged_
        assert model.coef_.size <= 61


def test_starts_from_a_solution_of_the_reference_solver(rng):
    # where normal equations stop short, that is what a path goes on from
    X = np.column_stack((rng.permutation(np.cumsum(10.0 ** rng.uniform(-12, 0, 40))), rng.random(40)))
    y = rng.normal(size=40)
    path = convex_nn_path(X, y, alphas=14, eps=1e-7, solver="additive", depth=4)
    alone = [ConvexNNRegressor(alpha=alpha, solver="additive", depth=4).fit(X, y) for alpha in path.alphas]
    assert path.dual_gaps.max() <= 1e-6
    for objective, model in zip(path.objectives, alone, strict=True):
        assert objective == pytest.approx(model.objective_, rel=2e-6)


@pytest.mark.parametrize("network", [NETWORKS["relu"], NETWORKS["leaky"]], ids=["relu", "leaky"])
def test_no_unit_is_rounding(network):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(int(rng.integers(5, 26)), 2))
        y = np.sin(2 * X).sum(axis=1) + 0.3 * rng.normal(size=len(X))
        model = fitted(X, y, 10 ** rng.uniform(-3, -0.3), network)
        assert np.abs(model.coef_).min() > 1e-14 * np.abs(model.coef_).max()
        np.testing.assert_allclose(model.network_(X), model.predict(X), atol=1e-11)
