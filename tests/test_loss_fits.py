"""Fits with every loss and every architecture, against a conic solver on the explicit dictionary."""

import itertools
from unittest.mock import DEFAULT, Mock

import loss_reference as ref
import numpy as np
import pytest
from deep_reference import ROWS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import ACTIVATIONS
from scipy.optimize import OptimizeResult
from sklearn.exceptions import ConvergenceWarning
from strategies import problems

from convexnn import ConvexNNRegressor, alpha_max
from convexnn.solvers import linear_program

TOL = 1e-7
SHALLOW = {name: {"activation": name} for name in ACTIVATIONS}
DEEP = {
    name: {key: value for key, value in ROWS[name].options.items() if key != "negative_slope"}
    for name in ("relu3", "leaky3", "abs3", "abs4", "symmetrized3", "sign3-parallel2", "threshold4-tree22")
}
LOSSES = {"huber": {"huber_delta": ref.DELTA}, "absolute": {}, "pinball": {"quantile": ref.QUANTILE}}
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
fractions = st.sampled_from([1.5, 0.5, 0.1, 0.01])
EXAMPLES = settings.default.max_examples


def check_fit(loss, options, skip, data, fraction):
    """Fit, and check objective, gap and network against independent code."""
    X, y, w = data
    common = {**options, "loss": loss, **LOSSES[loss], "skip_connection": skip}
    top = alpha_max(X, y, sample_weight=w, **common)
    assume(top > 1e-6)
    model = ConvexNNRegressor(**common, alpha=fraction * top, tol=TOL).fit(X, y, sample_weight=w)
    best = ref.conic(loss, X, y, model.alpha_, options, skip, w)
    floor = 1e-7 * model.objective_ + 1e-12 * np.abs(y).sum()
    assert model.objective_ <= best.objective * (1 + 1e-6) + floor
    assert model.objective_ >= best.bound - floor
    assert model.objective_ - best.bound <= (2 * TOL) * model.objective_ + floor
    weights = np.ones(len(y)) if w is None else w
    cost = weights @ ref.values(loss, model.predict(X), y) + model.alpha_ * weights.sum() * np.abs(model.coef_).sum()
    assert cost == pytest.approx(model.objective_, rel=1e-9)
    rows = np.vstack([X, X + 0.37, 2 * X - 1])
    np.testing.assert_allclose(model.network_(rows), model.predict(rows), rtol=0, atol=1e-9 * np.abs(y).max())
    rebuilt = model.network_.objective(X, y, model.alpha_, w, loss=loss, quantile=ref.QUANTILE, huber_delta=ref.DELTA)
    assert rebuilt == pytest.approx(model.objective_, rel=1e-9)
    assert model.dual_gap_ <= TOL and model.certify().relative_gap <= 2 * TOL


@each_loss
@each_skip
@pytest.mark.parametrize("n_features", [1, 2], ids=["1d", "2d"])
@pytest.mark.parametrize("name", SHALLOW)
def test_one_hidden_layer(loss, skip, n_features, name):
    @settings(max_examples=EXAMPLES // 4)
    @given(problem=problems(n_features, min_n=4, max_n=40), fraction=fractions)
    def check(problem, fraction):
        check_fit(loss, SHALLOW[name], skip, problem.data, fraction)

    check()


@each_loss
@pytest.mark.parametrize("name", DEEP)
def test_deep(loss, name):
    @settings(max_examples=EXAMPLES // 4)
    @given(problem=problems(1, min_n=4, max_n=8 if name in ("abs4", "symmetrized3") else 14), fraction=fractions)
    def check(problem, fraction):
        check_fit(loss, DEEP[name], False, problem.data, fraction)

    check()


@each_loss
@pytest.mark.parametrize("name", DEEP)
def test_constant_target_with_weights_of_very_different_sizes(loss, name):
    rng = np.random.default_rng(493)
    X, y, w = np.arange(40.0)[:, None], np.full(40, 3.0), 10.0 ** rng.uniform(-6, 6, 40)
    model = ConvexNNRegressor(**DEEP[name], loss=loss, alpha=0.01).fit(X, y, sample_weight=w)
    assert model.alpha_max_ == 0.0 and model.objective_ == 0.0
    np.testing.assert_array_equal(model.predict(X), y)


CORNERS = {**{name: SHALLOW[name] for name in ("relu", "sign")}, "narrow": {"depth": 3}, "monotone": {"monotonic_cst": [1]}}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fraction", [0.5, 1e-2])
@pytest.mark.parametrize("delta", [1e-2, 1e-4, 1e-6, 1e-7, 1e-9, 1e-12])
@pytest.mark.parametrize("name", CORNERS)
def test_huber_that_is_nearly_a_corner(name, delta, fraction, rng):
    X = rng.normal(size=(40, 1))
    y = np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=40)
    options = {**CORNERS[name], "loss": "huber", "huber_delta": delta}
    top = alpha_max(X, y, **options)
    model = ConvexNNRegressor(**options, alpha=fraction * top).fit(X, y)
    assert model.certify().relative_gap <= 1e-6 and model.dual_gap_ <= 1e-6
    if "monotonic_cst" not in options:
        # delta |r| less at most delta**2 / 2
        absolute = ConvexNNRegressor(**CORNERS[name], loss="absolute", alpha=fraction * top / delta).fit(X, y)
        assert model.objective_ == pytest.approx(delta * absolute.objective_, rel=2e-6, abs=20 * delta**2)
        assert model.objective_ <= delta * absolute.objective_ * (1 + 2e-6)


def test_a_linear_programme_that_fails_leaves_what_is_certified(monkeypatch, rng):
    X, y = rng.uniform(-2, 2, size=(60, 1)), rng.normal(size=60)
    options = {"loss": "absolute", "alpha": 0.01, "tol": 1e-9}
    spy = Mock(wraps=linear_program.minimise)
    monkeypatch.setattr(linear_program, "minimise", spy)
    best = ConvexNNRegressor(**options).fit(X, y)
    failed = OptimizeResult(x=None, status=4, message="Numerical difficulties")
    spy.side_effect = itertools.chain([DEFAULT] * (spy.call_count - 1), itertools.repeat(failed))
    with pytest.warns(ConvergenceWarning, match="the linear programme fails; raise tol or alpha"):
        model = ConvexNNRegressor(**options).fit(X, y)
    assert not model.converged_ and model.dual_gap_ > options["tol"]
    assert model.objective_ * (1.0 - model.dual_gap_) <= best.objective_ <= model.objective_


@pytest.mark.parametrize("n", [60, 450])
def test_a_linear_programme_that_never_works_leaves_a_certified_start(n, monkeypatch, rng):
    X, y = rng.uniform(-2, 2, size=(n, 1)), rng.normal(size=n)
    spy = Mock(wraps=linear_program._restricted)
    monkeypatch.setattr(linear_program, "_restricted", spy)
    alpha = 0.1 * alpha_max(X, y, loss="absolute")
    spy.side_effect = itertools.chain([DEFAULT] * spy.call_count, itertools.repeat(FloatingPointError))
    with pytest.warns(ConvergenceWarning, match="the linear programme fails; raise tol or alpha"):
        model = ConvexNNRegressor(loss="absolute", alpha=alpha).fit(X, y)
    objective = model.network_.objective(X, y, alpha, loss="absolute")
    assert model.objective_ == pytest.approx(objective, rel=1e-9) and 1e-6 < model.dual_gap_ <= 1.0


def test_a_simplex_method_that_goes_round_and_round_is_ended():
    # inputs of two values but for 1e-9, at an alpha at which units may be of any size
    edges = [[0, 4.3585181516247685e-10, -1.020355624666804e-09], [0, 1.0000000042146808, -1.031038281311223e-08],
             [0, 1.000000003696847, -1.210508836428693e-09], [0, -3.299273637721612e-09, -3.822983172860876e-09],
             [1, 2.584112535100598e-09, 0.9999999905733514], [0, 1.0000000053059248, 3.450473632852449e-09],
             [1, 1.0000000008126861, 1.0000000095749022], [0, 4.761072686600368e-09, -9.989065632498509e-09]]  # fmt: skip
    y = [-0.05369854485986152, -0.5426074406097844, -0.06370579186786123, -0.2011932197398356,
         -1.0, 0.18158905452400612, 0.0, -0.5256973902113613]  # fmt: skip
    model = ConvexNNRegressor(
        activation="leaky_relu", negative_slope=0.9, skip_connection=True, loss="absolute", alpha=8.216452732869e-12
    )
    with pytest.warns(ConvergenceWarning, match="linear programme fails"):
        model.fit(edges, y)
    assert np.isfinite(model.predict(edges)).all()


@pytest.mark.parametrize("kind", ["counts", "zeros and ones"])
def test_quantile_on_a_mass_point(kind, rng):
    """Most rows are fitted exactly, the critical alpha is tiny, and correlations have bounds far below their terms."""
    n = 450 if kind == "counts" else 200
    X = rng.uniform(0, 10, size=(n, 1))
    y = rng.poisson(0.5, n).astype(float) if kind == "counts" else (rng.random(n) < 0.3).astype(float)
    model = ConvexNNRegressor(loss="pinball", quantile=0.1).fit(X, y)
    assert model.dual_gap_ <= 1e-6 and model.certify().relative_gap <= 1e-6
    objective = model.network_.objective(X, y, model.alpha_, loss="pinball", quantile=0.1)
    assert model.objective_ == pytest.approx(objective, rel=1e-9)


# half of the weight on either side of a gap wider than twice delta: every constant between is best
BALANCED = {
    "ties": ([1.0, 3.0, 2.0, 2.0], [11.0, 10.0, 1.0, 1.0], None, 1.35),
    "weights": ([-1.375, -1.0, -0.25, -0.125, 0.25], [-1.75, -1.0, 0.5, 0.75, 1.5], [2.0, 1.0, 2.0, 2.0, 3.0], 0.1),
    "even": ([0.0, 1.0, 2.0, 3.0], [0.0, 100.0, 0.0, 100.0], None, 1.0),
}


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize("case", BALANCED)
@pytest.mark.parametrize("alpha", [None, 1e3])
def test_many_best_constants(name, case, alpha):
    x, y, w, delta = BALANCED[case]
    X = np.array(x)[:, None]
    options = {} if alpha is None else {"alpha": alpha}
    model = ConvexNNRegressor(loss="huber", huber_delta=delta, **SHALLOW[name], **options).fit(X, y, sample_weight=w)
    objective = model.network_.objective(X, y, model.alpha_, w, loss="huber", huber_delta=delta)
    assert model.objective_ == pytest.approx(objective, rel=1e-9) and model.dual_gap_ <= 1e-6


def test_many_best_constants_on_doses():
    for seed in (27, *range(12)):
        rng = np.random.default_rng(seed)
        X = np.sort(rng.integers(0, 20, 100)).astype(float)[:, None]
        y = np.where(rng.permutation(100) < 50, 0.0, 10.0) + rng.normal(size=100).round(1) * (seed % 2)
        model = ConvexNNRegressor(loss="huber").fit(X, y)
        assert model.objective_ == pytest.approx(model.network_.objective(X, y, model.alpha_, loss="huber"), rel=1e-9)


TIED = {
    "huber": ({"loss": "huber"}, [0.1, 0.1, 0.7, 0.7, 0.7], [0.3, 0.1, 0.2, 0.3, 0.1]),
    "steps beside a line": (
        {"loss": "huber", "skip_connection": True, "activation": "threshold"}, [0.0, 0.0, 1.0], [0.0, 1.0, 2.0]
    ),
    "pinball": ({"loss": "pinball", "quantile": 0.1}, [0.1, 0.3, 0.7, 0.7, 0.7], [0.1, 0.1, 0.2, 0.3, 0.1]),
    "a line": ({"loss": "absolute", "skip_connection": True}, [-0.2, 0.0, 1.0, 1.3, 1.3], [0.1, 0.3, 1.3, 1.6, 2.0]),
}  # fmt: skip


@pytest.mark.parametrize("case", TIED)
def test_nothing_to_gain_but_rounding(case):
    options, x, y = TIED[case]
    model = ConvexNNRegressor(**options).fit(np.array(x)[:, None], y)  # a warning is an error
    assert model.alpha_max_ == 0.0 and model.n_neurons_ == 0
    assert model.dual_gap_ <= 1e-12 and model.certify().relative_gap <= 1e-12
