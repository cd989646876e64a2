"""The set of optimal networks: what all optima share, witnesses of non-uniqueness, and vertices."""

import numpy as np
import pytest
from deep_reference import ROWS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from convexnn import ConvexNNRegressor
from convexnn.landscape import alternating_signs, monotone_steps, optimal_set, two_points

SHALLOW = {
    name: {"activation": name, "negative_slope": 0.2} for name in ("relu", "leaky_relu", "abs", "sign", "threshold")
}
OPTIONS = {**SHALLOW, **{name: row.options for name, row in ROWS.items() if name not in ("abs5", "abs5-data", "leaky5")}}


def _data(seed, n=8, n_features=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n_features)), rng.normal(size=n)


def _fit(options, X, y, ratio=0.1, **more):
    model = ConvexNNRegressor(**options, **more)
    return model.set_params(alpha=ratio * model.fit(X, y).alpha_max_, tol=1e-10).fit(X, y)


def _assert_optimal(model, other, X):
    assert other.objective_ == pytest.approx(model.objective_, rel=1e-8)
    np.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-8)
    np.testing.assert_allclose(other.network_(X), other.predict(X), atol=1e-8)
    assert other.certify().relative_gap <= 1e-8


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_all_that_is_returned_is_optimal(name, skip, seed):
    X, y = _data(seed)
    model = _fit(OPTIONS[name], X, y, skip_connection=skip)
    landscape = optimal_set(model)
    networks = [landscape.sparsest(n_tries=2)]
    if len(landscape.features):
        ends = landscape.extremes(0)
        assert ends.least <= ends.greatest + 1e-12
        networks += [ends.least_network, ends.greatest_network]
    if not landscape.unique:
        networks += landscape.sample(2, random_state=seed)
    for other in networks:
        _assert_optimal(model, other, X)
    assert np.count_nonzero(networks[0].coef_) <= landscape.max_units <= len(y)


@pytest.mark.parametrize(("offset", "spacing"), [(1e6, 1e-6), (1.5e9, 1.0), (1.5e9, 1e-3)])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_offset_inputs(name, skip, offset, spacing):
    """A midpoint, a reflection or a bias of inputs at an offset is often no double; that may cost no accuracy."""
    X, y = _data(1)
    X = offset + spacing * X
    model = _fit(OPTIONS[name], X, y, skip_connection=skip)
    landscape = optimal_set(model)
    ends = landscape.extremes(0)
    networks = [model, landscape.sparsest(n_tries=2), ends.least_network, ends.greatest_network]
    networks += [] if landscape.unique else landscape.sample(2, random_state=0)
    for other in networks:
        _assert_optimal(model, other, X)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "relu3", "abs3", "leaky3", "sign3-parallel2", "abs4"])
@pytest.mark.parametrize("seed", range(3))
def test_extremes_are_those_of_the_explicit_programme(name, seed):
    X, y = _data(seed, n=6)
    model = _fit(OPTIONS[name], X, y)
    landscape = optimal_set(model)
    values = np.column_stack([_alone(model, landscape, k)(X) for k in range(len(landscape.features))])
    columns = np.column_stack([values, np.ones(len(y))])
    bounds = [(0, None) if s > 0 else (None, 0) for s in landscape.signs] + [(None, None)]
    for k in range(len(landscape.features)):
        cost = np.eye(columns.shape[1])[k]
        least, greatest = (
            linprog(sign * cost, A_eq=columns, b_eq=model.predict(X), bounds=bounds).fun * sign for sign in (1, -1)
        )
        ends = landscape.extremes(k)
        assert (ends.least, ends.greatest) == pytest.approx((least, greatest), abs=1e-6)


def _alone(model, landscape, k):
    """Return the function of one allowed feature, from the network that holds it alone."""
    weights = np.zeros(len(landscape.features))
    weights[k] = 1.0
    lone = landscape._network(weights)
    return lambda X: (lone.predict(X) - lone.intercept_) / lone.coef_[0]


@pytest.mark.parametrize("name", ["relu", "abs", "relu3", "abs3", "symmetrized3", "sign3-parallel2", "threshold4-tree22"])
@pytest.mark.parametrize("seed", range(4))
def test_no_other_feature_is_tight(name, seed):
    # every feature that another solver uses for the same fit is among those allowed
    X, y = _data(seed)
    model = _fit(OPTIONS[name], X, y)
    landscape = optimal_set(model)
    known = np.column_stack([_alone(model, landscape, k)(X) for k in range(len(landscape.features))])
    other = _fit(OPTIONS[name], X, y, solver="coordinate_descent")
    used = optimal_set(other)
    for k in np.flatnonzero(used._weights):
        column = _alone(other, used, k)(X)
        off = np.ptp(known - column[:, None], axis=0)
        assert off.min() <= 1e-9


def test_two_optimal_networks_are_told_from_one():
    # equal inputs in two columns: every split of the weight between them is optimal
    X, y = _data(0, n=12)
    one = _fit({"activation": "abs"}, X, y)
    assert optimal_set(one).unique
    twice = optimal_set(_fit({"activation": "abs"}, np.column_stack([X, X]), y))
    assert not twice.unique
    first, second = twice.sample(2, random_state=1)
    assert np.abs(first.network_.inputs.size - second.network_.inputs.size) or not np.allclose(first.coef_, second.coef_)


def test_symmetric_data_have_two_networks():
    # capped ramps through a symmetric valley may be paired in more than one way
    x = np.arange(-4.0, 5.0)[:, None]
    model = _fit({"depth": 3, "activation": "relu"}, x, np.abs(x[:, 0]) % 3)
    landscape = optimal_set(model)
    assert not landscape.unique
    assert landscape.dimension >= 1
    for network in landscape.sample(3, random_state=0):
        _assert_optimal(model, network, x)


@pytest.mark.parametrize("options", [{"skip_connection": True}, {"activation": "abs"}, {"activation": "threshold"}])
@pytest.mark.parametrize("seed", range(5))
def test_generic_data_have_one(options, seed):
    landscape = optimal_set(_fit(options, *_data(seed, n=40), ratio=0.02))
    assert landscape.unique
    assert landscape.dimension == 0
    assert landscape.singular_value > 1e-9
    with pytest.raises(ValueError, match="unique"):
        landscape.sample(1)


def test_two_inputs():
    X, y = _data(3, n=30, n_features=2)
    model = _fit({"activation": "relu"}, X, y, ratio=0.2)
    landscape = optimal_set(model)
    _assert_optimal(model, landscape.sparsest(), X)


def test_no_unit_at_all():
    X, y = _data(0)
    landscape = optimal_set(ConvexNNRegressor(alpha=1e3).fit(X, y))
    assert landscape.unique
    assert len(landscape.features) == 0


@pytest.mark.parametrize(
    ("options", "message"), [({"loss": "huber"}, "loss='squared'"), ({"monotonic_cst": [1]}, "shape constraint")]
)
def test_refuses_other_problems(options, message):
    X, y = _data(0, n=20)
    with pytest.raises(ValueError, match=message):
        optimal_set(ConvexNNRegressor(**options).fit(X, y))


def test_refuses():
    X, y = _data(0, n=400)
    with pytest.raises(ValueError, match="alpha > 0"):
        optimal_set(ConvexNNRegressor(alpha=0).fit(X, y))
    with pytest.raises(ValueError, match="needs the training data"):
        optimal_set(ConvexNNRegressor.from_json(ConvexNNRegressor(alpha=0.1).fit(X, y).to_json()))
    big = ConvexNNRegressor(depth=4, activation="leaky_relu", negative_slope=0.3).fit(*_data(0, n=300))
    with pytest.raises(ValueError, match="too many"):
        optimal_set(big)


STEPS = [
    {"activation": a, "depth": d, "architecture": "parallel", "width": w}
    for a in ("sign", "threshold")
    for d, w in ((2, 1), (3, 1), (3, 4), (4, 99))
]


@pytest.mark.parametrize("options", STEPS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), ratio=st.floats(0.01, 1.2), falling=st.booleans())
def test_monotone_data_with_steps(options, seed, ratio, falling):
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 12)
    y, w = np.sort(rng.normal(size=n)) * (-1 if falling else 1), rng.uniform(0.5, 2.0, n)
    X = np.sort(rng.normal(size=n))[:, None]
    model = ConvexNNRegressor(**options, tol=1e-12)
    model.set_params(alpha=ratio * model.fit(X, y, w).alpha_max_).fit(X, y, w)
    fitted = monotone_steps(y, model.alpha_, sample_weight=w, activation=options["activation"])
    np.testing.assert_allclose(model.predict(X), fitted, atol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), ratio=st.floats(0.01, 1.2))
def test_two_data_points(name, seed, ratio):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=2), rng.normal(size=2), rng.uniform(0.5, 2.0, 2)
    model = ConvexNNRegressor(**OPTIONS[name], tol=1e-12)
    model.set_params(alpha=ratio * model.fit(x[:, None], y, w).alpha_max_).fit(x[:, None], y, w)
    options = {"activation": model.activation, "architecture": model.architecture}
    np.testing.assert_allclose(
        model.predict(x[:, None]), two_points(x, y, model.alpha_, sample_weight=w, **options), atol=1e-6
    )


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("beta", [0.1, 0.9, 1.0, 1.3, 1.7, 2.5, 6.0, 9.0])
def test_alternating_signs(depth, n, beta):
    X, y = np.arange(float(n))[:, None], np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    options = {"activation": "sign", "depth": depth, "architecture": "parallel", "width": n - 1}
    model = ConvexNNRegressor(**options, alpha=beta / n, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.predict(X), alternating_signs(n, beta / n, depth=depth), atol=1e-6)


def test_two_points_at_depth_two_are_those_of_the_narrow_network():
    model = ConvexNNRegressor(architecture="symmetrized", alpha=0.25).fit([[0.0], [1.0]], [0.0, 3.0])
    np.testing.assert_allclose(model.predict([[0.0], [1.0]]), two_points([0.0, 1.0], [0.0, 3.0], 0.25))
    deep = ConvexNNRegressor(3, architecture="symmetrized", alpha=0.25).fit([[0.0], [1.0]], [0.0, 3.0])
    expected = two_points([0.0, 1.0], [0.0, 3.0], 0.25, architecture="symmetrized")
    np.testing.assert_allclose(deep.predict([[0.0], [1.0]]), expected)


def test_monotone_is_asked_for():
    with pytest.raises(ValueError, match="monotone"):
        monotone_steps([0, 2, 1], 0.1)


def test_weights_over_six_decades():
    """All networks of the set are certified; that they were not came from inputs offset by 1.5e9, not from weights."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, y, w = rng.integers(0, 10, (9, 1)) * 1.0, rng.normal(size=9), 10 ** rng.uniform(-3, 3, 9)
        for options in ({"depth": 3}, {"depth": 4}, {}):
            model = ConvexNNRegressor(activation="abs", **options).fit(X, y, sample_weight=w)
            landscape = optimal_set(model)
            networks = [landscape.sparsest(n_tries=2)]
            networks += [] if landscape.unique else landscape.sample(2, random_state=0)
            ends = landscape.extremes(0)
            for network in [*networks, ends.least_network, ends.greatest_network]:
                assert network.certify().relative_gap <= 1e-6
                assert network.objective_ == pytest.approx(model.objective_, rel=1e-8)


def test_features_that_rounding_leaves_are_not_allowed():
    """A weight of 1e-18 says nothing: it made tight, of either sign, what is not, and let in features that are excluded."""
    X, y = np.array([[0, 2], [1, 0], [2, 3], [3, 1]]), np.array([1, -1, 1, -1])
    model = _fit({"activation": "abs"}, X, y, ratio=0.9)
    landscape = optimal_set(model)
    assert len(landscape.features) == 1 and landscape.signs.tolist() == [1.0]


def test_at_the_critical_alpha_features_are_tight_and_none_is_used():
    X, y = _data(0)
    landscape = optimal_set(_fit({"activation": "abs"}, np.column_stack([X, X]), y, ratio=1.0))
    assert landscape.unique and len(landscape.features) == 2
    assert landscape.sparsest().coef_.size == 0 and landscape.extremes(1).greatest == 0.0


@pytest.mark.parametrize(
    ("ask", "error", "match"),
    [
        (lambda s: s.extremes(99), IndexError, "feature 99 is not among the"),
        (lambda s: s.extremes(0.5), ValueError, "'feature' parameter"),
        (lambda s: s.sample(0), ValueError, "'n' parameter"),
        (lambda s: s.sample(1, random_state="a"), ValueError, "'random_state' parameter"),
        (lambda s: s.sparsest(n_tries=0), ValueError, "'n_tries' parameter"),
        (lambda s: two_points([0, 0], [1, 2], 0.1), ValueError, "two distinct inputs"),
        (lambda s: two_points([0, 1, 2], [1, 2, 3], 0.1), ValueError, "two distinct inputs"),
        (lambda s: two_points([0, 1], [1, 2, 3], 0.1), ValueError, "inconsistent numbers"),
        (lambda s: two_points([0, 1], [1, np.nan], 0.1), ValueError, "y contains NaN"),
        (lambda s: two_points([0, 1], [1, 2], -0.1), ValueError, "'alpha' parameter"),
        (lambda s: two_points([0, 1], [1, 2], 0.1, activation="tanh"), ValueError, "'activation' parameter"),
        (lambda s: two_points([0, 1], [1, 2], 0.1, sample_weight=[1, 0]), ValueError, "must be positive"),
        (lambda s: two_points([0, 1], [1, 2], 0.1, activation="abs", architecture="symmetrized"), ValueError, "needs activ"),
        (lambda s: monotone_steps([0, 1], 0.1, activation="relu"), ValueError, "'activation' parameter"),
        (lambda s: monotone_steps([[0, 1]], 0.1), ValueError, "one-dimensional"),
        (lambda s: alternating_signs(1, 0.1), ValueError, "'n' parameter"),
        (lambda s: alternating_signs(4, 0.1, depth=1), ValueError, "'depth' parameter"),
    ],
)
def test_bad_arguments_are_named(ask, error, match):
    X, y = _data(0)
    with pytest.raises(error, match=match):
        ask(optimal_set(_fit({"activation": "abs"}, np.column_stack([X, X]), y)))
