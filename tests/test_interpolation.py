"""alpha = 0: the interpolant of least norm, for every architecture, against a programme on the explicit dictionary."""

import itertools
from unittest.mock import DEFAULT, Mock

import numpy as np
import pytest
from deep_reference import ROWS, Row, dictionary, smallest_norm
from scipy.optimize import OptimizeResult, linprog
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNRegressor, convex_nn_path
from convexnn.solvers import minimum_norm

ALL = {
    **{f"{activation}2": Row(2, activation) for activation in ("relu", "leaky_relu", "abs", "sign", "threshold")},
    **{name: row for name, row in ROWS.items() if name not in ("abs5", "abs5-data", "relu10")},
}
each_row = pytest.mark.parametrize("row", ALL.values(), ids=ALL)


@each_row
@pytest.mark.parametrize("seed", range(3))
def test_least_norm(row, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(9, 1)), rng.normal(size=9)
    model = ConvexNNRegressor(alpha=0, **row.options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-9)
    np.testing.assert_allclose(model.network_(X), y, atol=1e-9)
    order = np.argsort(X[:, 0])
    assert np.abs(model.coef_).sum() == pytest.approx(smallest_norm(X[order, 0], y[order], row), rel=1e-7)
    assert model.dual_gap_ <= 1e-6 and model.solver_ == "interpolation"


@each_row
def test_ties_interpolate_the_weighted_means(row):
    X = np.array([[0.0], [1.0], [1.0], [2.0], [4.0], [4.0], [5.0]])
    y, w = np.array([0.0, 1.0, 3.0, -1.0, 2.0, 0.0, 1.0]), np.array([1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 0.0])
    model = ConvexNNRegressor(alpha=0, **row.options).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(model.predict([[0.0], [1.0], [2.0], [4.0]]), [0.0, 2.5, -1.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("row", [ALL["relu2"], ALL["relu3"], ALL["abs3"], ALL["threshold2"]], ids=str)
def test_several_inputs(row):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 2)), rng.normal(size=8)
    model = ConvexNNRegressor(alpha=0, **row.options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-9)
    A = np.hstack([dictionary(x, row) for x in X.T])
    cost = np.concatenate([np.ones(2 * A.shape[1]), np.zeros(2)])
    ones = np.ones((8, 1))
    least = linprog(cost, A_eq=np.hstack([A, -A, ones, -ones]), b_eq=y, bounds=(0, None), method="highs").fun
    assert np.abs(model.coef_).sum() == pytest.approx(least, rel=1e-7) and model.dual_gap_ <= 1e-6


@pytest.mark.parametrize("activation", ["sign", "threshold"])
def test_steps_beside_a_line(activation):
    rng = np.random.default_rng(2)
    x, y = np.sort(rng.normal(size=11)), rng.normal(size=11)
    model = ConvexNNRegressor(alpha=0, activation=activation, skip_connection=True).fit(x[:, None], y)
    np.testing.assert_allclose(model.predict(x[:, None]), y, atol=1e-12)
    # the least total variation that a line leaves: convex in its slope, with corners where two neighbours become level
    dx, dy = np.diff(x), np.diff(y)
    least = np.abs(dy - (dy / dx)[:, None] * dx).sum(axis=1).min()
    assert np.abs(model.coef_).sum() * (2 if activation == "sign" else 1) == pytest.approx(least, rel=1e-12)


def test_ties_have_no_mean_for_other_losses():
    with pytest.raises(ValueError, match="needs inputs that differ wherever the targets do"):
        ConvexNNRegressor(alpha=0, loss="absolute").fit([[0.0], [0.0], [1.0]], [0.0, 1.0, 2.0])


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute", "pinball"])
def test_equal_rows_are_no_ties(loss):
    model = ConvexNNRegressor(alpha=0, loss=loss).fit([[0.0], [1.0], [1.0], [3.0]], [0.0, 1.0, 1.0, 0.5])
    np.testing.assert_allclose(model.predict([[0.0], [1.0], [3.0]]), [0.0, 1.0, 0.5], atol=1e-12)
    assert model.dual_gap_ <= 1e-6


def test_what_no_additive_network_interpolates():
    with pytest.raises(ValueError, match="no network of this architecture interpolates"):
        ConvexNNRegressor(alpha=0).fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 5.0])


@pytest.mark.parametrize("activation", ["abs", "leaky_relu"])
def test_limit_of_small_alphas(activation):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    path = convex_nn_path(X, y, alphas=[1e-9, 0.0], tol=1e-9, depth=3, activation=activation)
    norms = [np.abs(coef).sum() for coef in path.coefs]
    assert norms[0] <= norms[1] * (1 + 1e-9) and norms[0] == pytest.approx(norms[1], rel=1e-4)
    np.testing.assert_allclose(path.predict(X)[:, 1], y, atol=1e-9)


@pytest.mark.parametrize("loss", ["squared", "huber"])
@each_row
def test_certificate_of_the_objective(row, loss):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(9, 1)), rng.normal(size=9)
    certificate = ConvexNNRegressor(alpha=0, loss=loss, **row.options).fit(X, y).certify()
    assert certificate.relative_gap <= 1e-6 and abs(certificate.dual) <= 1e-20


def test_a_linear_programme_that_fails(monkeypatch):
    rng = np.random.default_rng(4)
    X, y, options = rng.normal(size=(30, 1)), rng.normal(size=30), {"alpha": 0, **ALL["leaky3"].options}
    spy = Mock(wraps=minimum_norm.minimise)
    monkeypatch.setattr(minimum_norm, "minimise", spy)
    least = np.abs(ConvexNNRegressor(**options).fit(X, y).coef_).sum()
    failed = OptimizeResult(x=None, status=4, message="Numerical difficulties")
    spy.side_effect = itertools.chain([DEFAULT] * (spy.call_count - 1), itertools.repeat(failed))
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        model = ConvexNNRegressor(**options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-9)
    norm = np.abs(model.coef_).sum()
    assert norm * (1.0 - model.dual_gap_) <= least * (1.0 + 1e-9) < norm
    spy.side_effect = itertools.repeat(failed)
    with pytest.raises(RuntimeError, match="linear programme of the minimum-norm interpolant failed: Numerical"):
        ConvexNNRegressor(**options).fit(X, y)
