"""Every claim of a fitted depth-2 network, recomputed from the explicit dictionary by independent code."""

import numpy as np
import pytest
import reference
from hypothesis import assume, given
from reference import ACTIVATIONS
from strategies import fractions, problems

from convexnn import ConvexNNRegressor, alpha_max

pytestmark = pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
TOL = 1e-6
each_network = [
    pytest.mark.parametrize("activation", ACTIVATIONS),
    pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"]),
    pytest.mark.parametrize("n_features", [1, 2], ids=["1d", "2d"]),
]


def cross(test):
    """Run a test for every activation, with and without a skip connection, for one input feature and for two."""
    for mark in each_network:
        test = mark(test)
    return test


def fitted(problem, fraction, activation, skip, **options):
    """Return a fitted model, its data and the largest useful alpha; skip problems that have no neuron to find."""
    X, y, w = problem.data
    top = reference.alpha_max(X, y, activation, skip, w)
    assume(top > 1e-9 * np.abs(y).max() * min(1, np.ptp(X, axis=0).max()))
    options = {"activation": activation, "skip_connection": skip, "alpha": fraction * top, "tol": TOL, **options}
    return ConvexNNRegressor(**options).fit(X, y, sample_weight=w), X, y, w


def probes(X):
    """Return rows at the data, between and beyond it."""
    rng, reach = np.random.default_rng(0), np.ptp(X, axis=0) + 1.0
    return np.vstack([X, rng.uniform(X.min(axis=0) - reach, X.max(axis=0) + reach, size=(50, X.shape[1]))])


@cross
def test_network_computes_what_predict_says(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        model, X, _, _ = fitted(problem, fraction, activation, skip)
        rows = probes(X)
        predicted = model.predict(rows)
        by_hand = reference.forward(rows, *model.get_network_weights(), activation)
        close = 1e-9 * np.abs(predicted).max()
        np.testing.assert_allclose(by_hand, predicted, rtol=0, atol=close)
        np.testing.assert_allclose(model.network_(rows), predicted, rtol=0, atol=close)

    check()


@cross
def test_network_costs_what_the_lasso_costs(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = fitted(problem, fraction, activation, skip)
        by_hand = reference.network_objective(X, y, *model.get_network_weights(), model.alpha_, activation, w)
        beta = model.alpha_ * (len(y) if w is None else w.sum())
        lasso = reference.lasso_objective(y, model.predict(X), np.abs(model.coef_).sum(), beta, w)
        exact = pytest.approx(model.objective_, rel=1e-9, abs=1e-14 * np.square(y).sum())
        assert by_hand == exact and lasso == exact
        assert model.network_.objective(X, y, model.alpha_, sample_weight=w) == exact

    check()


@cross
def test_gap_recomputed_on_the_dictionary(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = fitted(problem, fraction, activation, skip)
        norm = np.abs(model.coef_).sum()
        proof = reference.certificate(X, y, model.predict(X), norm, model.alpha_, activation, skip, w)
        assert model.dual_gap_ <= TOL
        assert proof.relative <= TOL * (1 + 1e-3) and proof.gap >= -proof.noise
        assert model.converged_ and model.exact_

    check()


@cross
def test_certificate_holds(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=25), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = fitted(problem, fraction, activation, skip)
        best = reference.conic(X, y, model.alpha_, activation, skip, w).objective
        proof = model.certify()
        assert proof.exact and proof.relative_gap <= TOL
        assert proof.primal == pytest.approx(model.objective_, rel=1e-9, abs=1e-14 * np.square(y).sum())
        assert proof.gap == pytest.approx(proof.primal - proof.dual, abs=1e-12 * np.square(y).sum())
        assert proof.dual <= best * (1 + 1e-7)
        assert proof.max_correlation <= proof.beta * (1 + 1e-3)
        assert proof.beta == pytest.approx(model.alpha_ * (len(y) if w is None else w.sum()), rel=1e-12)

    check()


@cross
def test_objective_agrees_with_a_conic_solver(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=60), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = fitted(problem, fraction, activation, skip, tol=1e-9)
        best = reference.conic(X, y, model.alpha_, activation, skip, w)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-7, abs=1e-14 * np.square(y).sum())

    check()


@cross
def test_solvers_agree(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        structured = fitted(problem, fraction, activation, skip, tol=1e-9)[0]
        plain = fitted(problem, fraction, activation, skip, tol=1e-9, solver="coordinate_descent")[0]
        assert plain.solver_ == "coordinate_descent"
        assert plain.objective_ == pytest.approx(structured.objective_, rel=1e-8)

    check()


@cross
def test_alpha_max_is_the_largest_correlation(activation, skip, n_features):
    @given(problem=problems(n_features))
    def check(problem):
        X, y, w = problem.data
        by_hand = reference.alpha_max(X, y, activation, skip, w)
        noise = 1e-13 * np.abs(y).max() * max(1.0, np.ptp(X, axis=0).max())
        top = alpha_max(X, y, sample_weight=w, activation=activation, skip_connection=skip)
        assert top == pytest.approx(by_hand, rel=1e-9, abs=noise)
        model = ConvexNNRegressor(activation=activation, skip_connection=skip, alpha=1.0).fit(X, y, sample_weight=w)
        assert model.alpha_max_ == pytest.approx(top, rel=1e-12, abs=noise)

    check()


@cross
def test_pieces_are_the_network(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        model, X, _, _ = fitted(problem, fraction, activation, skip)
        for j, (knots, slopes) in enumerate(zip(model.breakpoints_, model.slopes_, strict=True)):
            assert len(slopes) == len(knots) + 1 and np.all(np.diff(knots) > 0)
            ends = np.concatenate([[X[:, j].min() - 5], knots, [X[:, j].max() + 5]])
            left, right = ends[:-1] + 0.25 * np.diff(ends), ends[:-1] + 0.75 * np.diff(ends)
            rows = np.tile(X[:1], (2 * len(left), 1))
            rows[:, j] = np.concatenate([left, right])
            value = model.predict(rows).reshape(2, -1)
            close = 1e-9 * np.abs(value).max()
            np.testing.assert_allclose(slopes * (right - left), value[1] - value[0], rtol=0, atol=close)

    check()


@cross
def test_features_describe_the_fit(activation, skip, n_features):
    @given(problem=problems(n_features), fraction=fractions)
    def check(problem, fraction):
        model, X, _, _ = fitted(problem, fraction, activation, skip)
        value = np.zeros(len(X))
        for z, feature in zip(model.coef_, model.features_, strict=True):
            (knot,), (sign,) = feature.breakpoints, feature.signs
            value += z * reference.activate(sign * (X[:, feature.input] - knot), activation)
        rest = model.predict(X) - value - X @ model.skip_coef_
        np.testing.assert_allclose(rest, rest[0], rtol=0, atol=1e-9 * (np.abs(rest).max() + np.ptp(value)))
        assert model.n_neurons_ == len(model.coef_) and np.all(model.coef_ != 0)

    check()


@pytest.mark.parametrize("activation", ["leaky_relu"])
@each_network[1]
@each_network[2]
def test_leaky_slope_is_used(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=30), fraction=fractions)
    def check(problem, fraction):
        X, y, w = problem.data
        alpha = fraction * reference.alpha_max(X, y, activation, skip, w, 0.3)
        options = {"negative_slope": 0.3, "skip_connection": skip, "alpha": alpha, "tol": 1e-9}
        model = ConvexNNRegressor(activation=activation, **options).fit(X, y, sample_weight=w)
        best = reference.conic(X, y, alpha, activation, skip, w, 0.3)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-7, abs=1e-14 * np.square(y).sum())
        by_hand = reference.forward(X, *model.get_network_weights(), activation, 0.3)
        np.testing.assert_allclose(by_hand, model.predict(X), rtol=0, atol=1e-9 * np.abs(model.predict(X)).max())

    check()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_objective_falls_as_alpha_falls(activation, rng):
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    models = [ConvexNNRegressor(activation=activation, alpha=a).fit(X, y) for a in np.geomspace(1, 1e-4, 9)]
    assert np.all(np.diff([model.objective_ for model in models]) <= 0)
    assert np.all(np.diff([np.abs(model.coef_).sum() for model in models]) >= -1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@each_network[1]
@pytest.mark.parametrize("fraction", [0.1, 1e-3, 1e-5])
def test_many_points(activation, skip, fraction, rng):
    X = rng.uniform(size=(20_000, 1))
    y = np.sin(9 * X[:, 0]) + rng.normal(size=20_000)
    alpha = fraction * reference.alpha_max(X, y, activation, skip, pricing=reference.price_by_sums)
    model = ConvexNNRegressor(activation=activation, skip_connection=skip, alpha=alpha).fit(X, y)
    norm, fit = np.abs(model.coef_).sum(), model.predict(X)
    proof = reference.certificate(X, y, fit, norm, alpha, activation, skip, pricing=reference.price_by_sums)
    assert model.dual_gap_ <= TOL and proof.relative <= TOL * (1 + 1e-3)
    assert proof.objective == pytest.approx(model.objective_, rel=1e-9)
