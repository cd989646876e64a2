"""Every architecture, against brute force over real weights and biases and against explicit dictionaries."""

import warnings

import deep_reference as deep
import numpy as np
import pytest
from deep_reference import ROWS, smalls
from deep_units import worst_unit
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from convexnn import ConvexNNRegressor, alpha_max, training

fractions = st.sampled_from([0.5, 0.1, 0.01, 0.001])
EXAMPLES = settings.default.max_examples  # 25, many more in the nightly profile
each_row = pytest.mark.parametrize("name", ROWS)
each_exact_row = pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.exact])
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])


def fitted(row, X, y, w=None, fraction=0.05, **options):
    """Return a model at a fraction of the critical alpha."""
    options = {**row.options, **options}
    top = alpha_max(X, y, sample_weight=w, **options)
    return ConvexNNRegressor(**options, alpha=fraction * top, tol=1e-10).fit(X, y, sample_weight=w)


def drawn(row, problem, fraction, skip):
    """Return a model and its data; skip problems that have no unit to find."""
    X, y, w = problem.data
    model = fitted(row, X, y, w, fraction, skip_connection=skip)
    assume(model.alpha_max_ > 1e-9 * np.ptp(y) * (1.0 if row.steps else np.ptp(X)))
    return model, X, y, w


def dual_vector(model, X, y, w, row):
    """Return the weighted residuals of the rebuilt network, run layer by layer."""
    output = deep.run_network(X, model.get_network_weights(), row.activation, row.slope)
    return (np.ones(len(y)) if w is None else w) * (y - output)


def noise(X, y, w, row):
    """Return what rounding of the predictions may change of a correlation."""
    reach = 1.0 if row.steps else np.ptp(X)
    return 1e-13 * np.sum((1.0 if w is None else w) * np.abs(y)) * reach


@each_exact_row
@each_skip
def test_no_unit_over_real_biases_is_better(name, skip):
    row = ROWS[name]

    @settings(max_examples=max(50, 2 * EXAMPLES))
    @given(problem=smalls(), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = drawn(row, problem, fraction, skip)
        beta = model.alpha_ * (len(y) if w is None else w.sum())
        lam = dual_vector(model, X, y, w, row)
        worst = worst_unit(X[:, 0], lam, row, np.random.default_rng(0))
        assert model.exact_ and worst <= beta * (1 + 1e-6) + noise(X, y, w, row)

    check()


@each_row
@each_skip
def test_network_is_the_prediction_and_costs_the_objective(name, skip):
    row = ROWS[name]

    @settings(max_examples=2 * EXAMPLES)
    @given(problem=smalls(), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = drawn(row, problem, fraction, skip)
        weights, probes = model.get_network_weights(), np.vstack([X, np.linspace(-7.03, 7.05, 57)[:, None]])
        predicted = model.predict(probes)
        by_hand = deep.run_network(probes, weights, row.activation, row.slope)
        np.testing.assert_allclose(by_hand, predicted, rtol=0, atol=1e-10 * np.abs(predicted).max())
        cost = deep.network_objective(X, y, w, weights, model.alpha_, row)
        assert cost == pytest.approx(model.objective_, rel=1e-9, abs=1e-14 * np.square(y).sum())
        assert len(weights[0]) == row.depth and model.exact_ == row.exact and model.converged_

    check()


@each_row
@each_skip
@pytest.mark.parametrize("n_features", [1, 2], ids=["1d", "2d"])
def test_objective_agrees_with_a_conic_solver(name, skip, n_features):
    row = ROWS[name]

    @settings(max_examples=EXAMPLES * 3 // 5)
    @given(problem=smalls(n_features, max_n=_largest(row)), fraction=fractions)
    def check(problem, fraction):
        model, X, y, w = drawn(row, problem, fraction, skip)
        best = deep.best_objective(X, y, model.alpha_, row, skip, w)
        assert model.objective_ == pytest.approx(best, rel=1e-7, abs=1e-11 * np.square(y).sum())

    check()


def _largest(row):
    """Return for how many points the explicit dictionary stays small."""
    if row.activation in ("abs", "leaky_relu"):
        return {3: 12, 4: 7, 5: 6}[row.depth]
    return 9 if row.architecture == "symmetrized" else 12


@each_row
def test_critical_alpha_is_the_largest_correlation(name):
    row = ROWS[name]

    @given(problem=smalls(max_n=_largest(row)))
    def check(problem):
        X, y, w = problem.data
        w = np.ones(len(y)) if w is None else w
        lam = w * (y - np.average(y, weights=w))
        A = deep.dictionary(X[w > 0, 0], row)
        expected = np.abs(A.T @ lam[w > 0]).max() / w.sum()
        top = alpha_max(X, y, sample_weight=w, **row.options)
        assert top == pytest.approx(expected, rel=1e-9, abs=noise(X, y, w, row))

    check()


@each_row
def test_magnitudes_are_balanced(name, rng):
    row, X, y = ROWS[name], rng.normal(size=(30, 1)), rng.normal(size=30)
    coefs, _, _ = fitted(row, X, y).get_network_weights()
    if row.steps:
        return
    tied = 2 if row.architecture == "symmetrized" else 1
    outer = np.abs(coefs[-1].ravel()) * tied ** (-1 / 3)
    for coef in coefs[:-1]:
        unit = np.sort(np.abs(coef[coef != 0]))
        np.testing.assert_allclose(unit, np.sort(np.repeat(outer, tied)), rtol=1e-12)


@each_row
@each_skip
def test_weights_are_repetitions(name, skip, rng):
    row, count = ROWS[name], rng.integers(0, 4, size=25)
    X, y = np.round(rng.normal(size=(25, 1)), 1), rng.normal(size=25)
    heavy = fitted(row, X, y, count.astype(float), skip_connection=skip)
    again = fitted(row, np.repeat(X, count, axis=0), np.repeat(y, count), skip_connection=skip)
    kept = count > 0
    assert heavy.objective_ == pytest.approx(again.objective_, rel=1e-10)
    np.testing.assert_allclose(heavy.predict(X[kept]), again.predict(X[kept]), atol=1e-6)


@each_row
@each_skip
def test_two_inputs_share_one_certificate(name, skip, rng):
    row, X = ROWS[name], np.round(rng.normal(size=(12, 2)), 1)
    y = np.abs(X[:, 0]) - 2 * (X[:, 1] > 0) + 0.1 * rng.normal(size=12)
    model = fitted(row, X, y, skip_connection=skip)
    weights = model.get_network_weights()
    np.testing.assert_allclose(deep.run_network(X, weights, row.activation, row.slope), model.predict(X), atol=1e-9)
    assert np.all(np.count_nonzero(weights[0][0], axis=0) <= 1)
    beta, lam = model.alpha_ * 12, y - model.predict(X)
    for x in X.T if row.exact else ():
        assert worst_unit(x, lam, row, rng) <= beta * (1 + 1e-6)


@each_row
@pytest.mark.parametrize("most", [4, 30])
def test_max_breakpoints(name, most, rng):
    row, X = ROWS[name], rng.normal(size=(30, 1))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=30)
    full = fitted(row, X, y)
    thin = ConvexNNRegressor(**row.options, alpha=full.alpha_, max_breakpoints=most, tol=1e-10).fit(X, y)
    assert thin.exact_ == (row.exact and most == 30) and thin.converged_
    assert thin.objective_ >= full.objective_ * (1 - 1e-9)
    if most == 30:
        assert thin.objective_ == pytest.approx(full.objective_, rel=1e-9)
    cost = deep.network_objective(X, y, None, thin.get_network_weights(), thin.alpha_, row)
    assert cost == pytest.approx(thin.objective_, rel=1e-9)


@each_row
@each_skip
def test_polishing_lowers_the_objective(name, skip, rng, monkeypatch):
    """Eight places for biases among sixty: below the best network with these, not below the best with all."""
    row, X = ROWS[name], np.round(rng.normal(size=(60, 1)), 2)
    count = 60 if row.depth < 4 or row.steps or row.activation != "abs" else 25
    X, y, w = X[:count], np.sin(3 * X[:count, 0]) + 0.1 * rng.normal(size=count), rng.uniform(0.5, 2, size=count)
    full = fitted(row, X, y, w, skip_connection=skip)
    thin = ConvexNNRegressor(**row.options, skip_connection=skip, alpha=full.alpha_, max_breakpoints=8, tol=1e-10)
    polished = clone(thin).fit(X, y, w)
    monkeypatch.setattr(training, "polish", lambda problem, spec, solution, *rest: (problem, solution))
    coarse = thin.fit(X, y, w)
    assert full.objective_ * (1 - 1e-9) <= polished.objective_ <= coarse.objective_ * (1 + 1e-12)
    assert polished.objective_ - full.objective_ <= 0.5 * (coarse.objective_ - full.objective_) + 1e-9 * full.objective_
    assert polished.converged_ and not polished.exact_ and polished.certify().relative_gap <= 1e-9
    cost = deep.network_objective(X, y, w, polished.get_network_weights(), polished.alpha_, row)
    assert cost == pytest.approx(polished.objective_, rel=1e-9)


@each_row
@each_skip
def test_certificate_agrees(name, skip, rng):
    row, X, y = ROWS[name], np.round(rng.normal(size=(40, 1)), 1), rng.normal(size=40)
    model = fitted(row, X, y, skip_connection=skip)
    proof = model.certify()
    assert proof.exact == row.exact and proof.relative_gap <= 1e-10 and proof.dual <= model.objective_
    assert proof.primal == pytest.approx(model.objective_, rel=1e-10)
    assert proof.max_correlation == pytest.approx(proof.beta, rel=1e-6)


@each_row
def test_few_points(name):
    row = ROWS[name]
    for rows, target in (([[1.0]], [2.0]), ([[1.0], [1.0]], [2.0, 4.0]), ([[0.0], [1.0]], [0.0, 1.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = ConvexNNRegressor(**row.options, alpha=0.01).fit(rows, target)
        assert np.isfinite(model.predict(rows)).all() and model.converged_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 5, "activation": "abs", "dictionary": "exact"}, "dictionary"),
        ({"depth": 3, "architecture": "parallel", "width": 3}, "architecture"),
        ({"depth": 3, "activation": "sign", "architecture": "parallel"}, "width"),
        ({"depth": 3, "activation": "sign", "architecture": "tree", "width": (2,)}, "depth"),
        ({"depth": 4, "activation": "sign", "architecture": "tree", "width": 2}, "width"),
        ({"depth": 4, "activation": "sign", "architecture": "tree", "width": (2,)}, "width"),
        ({"depth": 4, "activation": "sign", "architecture": "tree", "width": (2, 0)}, "width"),
        ({"depth": 4, "architecture": "symmetrized"}, "symmetrized"),
        ({"depth": 3, "activation": "abs", "architecture": "symmetrized"}, "symmetrized"),
        ({"depth": 2, "max_breakpoints": 5}, "max_breakpoints"),
        ({"depth": 64, "activation": "leaky_relu"}, "depth must lie between 2 and 63"),
    ],
)
def test_what_has_no_meaning_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConvexNNRegressor(**options).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
