"""Shape constraints: the corners of the constrained unit balls, against linear programmes in function space."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.model_selection import GridSearchCV

from convexnn import (
    ConvexNNAutoregressor,
    ConvexNNClassifier,
    ConvexNNRegressor,
    ConvexNNRegressorCV,
    alpha_max,
    convex_nn_path,
)
from convexnn.architecture import Shape
from convexnn.dictionaries.base import SplineNorm
from convexnn.dictionaries.shapes import Shapes

NORMS = {
    "relu": SplineNorm(1.0, coupled=True, flat=False),
    "abs": SplineNorm(0.5, coupled=True, flat=False),
    "narrow": SplineNorm(0.5, coupled=False, flat=True),
    "symmetrized": SplineNorm(0.5 / 2.0 ** (1.0 / 3.0), coupled=False, flat=True),
    "relu-skip": SplineNorm(1.0, coupled=False, flat=False),
    "abs-skip": SplineNorm(0.5, coupled=False, flat=False),
}
SHAPES = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c]
CASES = [(name, *shape) for name in NORMS for shape in SHAPES if not ("skip" in name and shape[0])]


def norm_value(norm, h):
    """Return R of slopes h, by the formulas of theory section 4."""
    variation, ends = np.abs(np.diff(h)).sum(), abs(h[0] + h[-1])
    if norm.flat:
        return norm.kink * (abs(h[0]) + variation + abs(h[-1]))
    return max(norm.kink * variation, 0.5 * (variation + ends)) if norm.coupled else norm.kink * variation


def support(norm, monotonic, convexity, moments):
    """Return max moments @ h over slopes of the shape with R <= 1, as a linear programme."""
    n = moments.size
    # variables: h (n), |kinks| (n - 1), |h_1|, |h_n|, |h_1 + h_n|
    size = n + n - 1 + 3
    turn = np.zeros((n - 1, size))
    turn[np.arange(n - 1), np.arange(n - 1) + 1], turn[np.arange(n - 1), np.arange(n - 1)] = 1.0, -1.0
    first, last, ends = np.zeros(size), np.zeros(size), np.zeros(size)
    first[0], last[n - 1], ends[0], ends[n - 1] = 1.0, 1.0, 1.0, 1.0
    ends = first + last
    rows, right = [], []
    for expressions, place in ((turn, n), (first[None], 2 * n - 1), (last[None], 2 * n), (ends[None], 2 * n + 1)):
        for k, row in enumerate(expressions):
            for sign in (1.0, -1.0):
                bound = sign * row
                bound[place + k] -= 1.0
                rows.append(bound)
                right.append(0.0)
    variation = np.zeros(size)
    variation[n : 2 * n - 1] = 1.0
    unit = np.eye(size)
    if norm.flat:
        balls = [norm.kink * (variation + unit[2 * n - 1] + unit[2 * n])]
    elif norm.coupled:
        balls = [norm.kink * variation, 0.5 * (variation + unit[2 * n + 1])]
    else:
        balls = [norm.kink * variation]
    rows += balls
    right += [1.0] * len(balls)
    if monotonic:
        rows += list(-monotonic * unit[:n])
        right += [0.0] * n
    if convexity:
        rows += list(-convexity * turn)
        right += [0.0] * (n - 1)
    cost = np.concatenate([-moments, np.zeros(size - n)])
    free = norm.coupled is False and not norm.flat
    bounds = [(-1e3, 1e3)] * n if free else [(None, None)] * n
    return -linprog(cost, A_ub=np.array(rows), b_ub=right, bounds=bounds + [(0, None)] * (size - n)).fun


def dual_vector(rng, x, skip):
    lam = rng.normal(size=x.size) * rng.integers(0, 2, size=x.size)
    free = np.column_stack([np.ones(x.size), x]) if skip else np.ones((x.size, 1))
    return lam - free @ np.linalg.lstsq(free, lam, rcond=None)[0]


@pytest.mark.parametrize(("name", "monotonic", "convexity"), CASES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 8))
def test_pricing_is_the_support_function(name, monotonic, convexity, seed, n):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, n))
    lam = dual_vector(rng, x, "skip" in name)
    dictionary = Shapes(x, norm=NORMS[name], shape=Shape(monotonic, convexity))
    priced = dictionary.price(lam, 0.0, 10**6)
    moments = np.diff(x) * np.cumsum(lam[::-1])[::-1][1:]
    assert priced.maximum == pytest.approx(support(NORMS[name], monotonic, convexity, moments), abs=1e-8)
    # what it names is in the set, costs at most one, and has the correlation that it says
    values = dictionary.evaluate(priced.features, x)
    np.testing.assert_allclose(lam @ values, priced.correlations, atol=1e-12)
    for k in range(len(priced.features)):
        h = np.diff(values[:, k]) / np.diff(x)
        assert norm_value(NORMS[name], h) <= 1.0 + 1e-9
        assert (monotonic * h >= -1e-12).all()
        assert (convexity * np.diff(h) >= -1e-9).all()
        slopes = dictionary.slopes(priced.features[k : k + 1], np.ones(1))
        np.testing.assert_allclose(slopes, h, atol=1e-9)


FITS = {
    "relu": {"activation": "relu"},
    "abs": {"activation": "abs"},
    "narrow": {"activation": "relu", "depth": 4},
    "symmetrized": {"activation": "relu", "depth": 3, "architecture": "symmetrized"},
    "relu-skip": {"activation": "relu", "skip_connection": True},
    "abs-skip": {"activation": "abs", "skip_connection": True},
}


def conic(norm, monotonic, convexity, x, y, w, beta, delta=None, logistic=False):
    """Return the least objective of a spline of this shape with knots at the data, by a conic solver."""
    f = cp.Variable(x.size)
    h = cp.multiply(1.0 / np.diff(x), cp.diff(f))
    variation = cp.norm1(cp.diff(h)) if x.size > 2 else 0.0
    if norm.flat:
        cost = norm.kink * (cp.abs(h[0]) + variation + cp.abs(h[-1]))
    elif norm.coupled:
        cost = cp.maximum(norm.kink * variation, 0.5 * (variation + cp.abs(h[0] + h[-1])))
    else:
        cost = norm.kink * variation
    constraints = [monotonic * h >= 0.0] if monotonic else []
    constraints += [convexity * cp.diff(h) >= 0.0] if convexity and x.size > 2 else []
    misfit = 0.5 * cp.sum_squares(cp.multiply(np.sqrt(w), f - y))
    if delta is not None:
        misfit = cp.sum(cp.multiply(w, 0.5 * cp.huber(f - y, delta)))
    if logistic:
        misfit = cp.sum(cp.multiply(w, cp.logistic(f) - cp.multiply(y, f)))
    problem = cp.Problem(cp.Minimize(misfit + beta * cost), constraints)
    return problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)


def data(seed, n, n_features=1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, size=(n, n_features))
    return X, np.sin(2 * X).sum(axis=1) + X[:, 0] + 0.3 * rng.normal(size=n), rng.uniform(0.5, 2.0, n)


def assert_shape(model, X, column, monotonic, convexity):
    grid = np.tile(np.median(X, axis=0), (400, 1))
    grid[:, column] = np.linspace(X[:, column].min(), X[:, column].max(), 400)
    values = model.predict(grid)
    size = np.abs(values).max() * 1e-9
    assert (monotonic * np.diff(values) >= -size).all()
    assert (convexity * np.diff(values, 2) >= -size).all()


@pytest.mark.parametrize(("name", "monotonic", "convexity"), CASES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), ratio=st.sampled_from([0.5, 0.1, 0.01, 1e-3]))
def test_fits_are_the_constrained_optimum(name, monotonic, convexity, seed, n, ratio):
    X, y, w = data(seed, n)
    model = ConvexNNRegressor(**FITS[name], monotonic_cst=[monotonic], convexity_cst=[convexity], tol=1e-9)
    model.set_params(alpha=ratio * alpha_max(X, y, sample_weight=w, **FITS[name])).fit(X, y, w)
    order = np.argsort(X[:, 0])
    x, targets, weights = X[order, 0], y[order], w[order]
    expected = conic(NORMS[name], monotonic, convexity, x, targets, weights, model.alpha_ * w.sum())
    assert model.objective_ == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert model.certify().relative_gap <= 1e-8
    assert model.network_.objective(X, y, model.alpha_, w) == pytest.approx(model.objective_, rel=1e-9)
    assert_shape(model, X, 0, monotonic, convexity)


@pytest.mark.parametrize("name", ["relu", "abs", "narrow"])
def test_huber_loss(name):
    X, y, w = data(1, 12)
    y[3] += 20.0
    order = np.argsort(X[:, 0])
    options = {**FITS[name], "loss": "huber", "huber_delta": 1.0, "tol": 1e-9}
    model = ConvexNNRegressor(**options, monotonic_cst=[1], alpha=0.02).fit(X, y, w)
    expected = conic(NORMS[name], 1, 0, X[order, 0], y[order], w[order], 0.02 * w.sum(), delta=1.0)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)
    assert_shape(model, X, 0, 1, 0)


@pytest.mark.parametrize("name", ["relu", "abs", "narrow"])
@pytest.mark.parametrize(("monotonic", "convexity"), [(1, 0), (-1, 0), (0, -1), (1, 1)])
@pytest.mark.parametrize("ratio", [0.3, 0.02])
def test_classes(name, monotonic, convexity, ratio):
    X, y, w = data(1, 14)
    target = (y > np.median(y)).astype(float)
    options = {**FITS[name], "monotonic_cst": {"dose": monotonic}, "convexity_cst": [convexity], "tol": 1e-9}
    frame = pd.DataFrame(X, columns=["dose"])
    top = ConvexNNClassifier(**FITS[name], alpha=1e3).fit(X, target, w).alpha_max_[0]
    model = ConvexNNClassifier(**options, alpha=ratio * top).fit(frame, np.where(target == 1, "b", "a"), w)
    order = np.argsort(X[:, 0])
    arguments = NORMS[name], monotonic, convexity, X[order, 0], target[order], w[order], ratio * top * w.sum()
    assert model.objective_[0] == pytest.approx(conic(*arguments, logistic=True), rel=1e-6)
    assert model.certify()[0].relative_gap <= 1e-8
    assert_shape(model.estimators_[0], X, 0, monotonic, convexity)
    chance = model.predict_proba(frame.sort_values("dose"))[:, 1]
    assert (monotonic * np.diff(chance) >= -1e-12).all()


def test_several_classes_and_bad_constraints():
    X, y, _ = data(6, 60, n_features=2)
    model = ConvexNNClassifier(monotonic_cst=[1, 0], convexity_cst=[0, -1]).fit(X, np.digitize(y, [-1.0, 1.0]))
    assert max(c.relative_gap for c in model.certify()) <= 1e-6
    for machine in model.estimators_:
        assert_shape(machine, X, 0, 1, 0)
        assert_shape(machine, X, 1, 0, -1)
    with pytest.raises(ValueError, match=r"monotonic_cst names \['age'\], which X does not have"):
        ConvexNNClassifier(monotonic_cst={"age": 1}).fit(pd.DataFrame(X, columns=["dose", "time"]), y > 0)
    with pytest.raises(ValueError, match="monotonic_cst must have one entry"):
        ConvexNNClassifier(monotonic_cst=[1]).fit(X, y > 0)


def test_lags_are_named_before_training():
    series = np.cumsum(np.random.default_rng(0).normal(size=60))
    named = ConvexNNAutoregressor(lags=2, monotonic_cst={"lag 2": 1}, convexity_cst={"lag 1": -1}, alpha=0.01).fit(series)
    listed = ConvexNNAutoregressor(lags=2, monotonic_cst=[0, 1], convexity_cst=[-1, 0], alpha=0.01).fit(series)
    np.testing.assert_array_equal(named.predict(series), listed.predict(series))
    assert named.feature_names_in_.tolist() == ["lag 1", "lag 2"]
    before = dict(vars(named))
    with pytest.raises(ValueError, match="lag 3"):
        named.set_params(monotonic_cst={"lag 3": 1}).fit(series)
    assert vars(named) == before | {"monotonic_cst": {"lag 3": 1}}


def test_inputs_have_constraints_of_their_own():
    X, y, _ = data(2, 80, n_features=3)
    shapes = {"monotonic_cst": [1, 0, -1], "convexity_cst": [0, 1, 0]}
    model = ConvexNNRegressor(**shapes, alpha=0.01).fit(X, y)
    assert model.dual_gap_ <= 1e-6
    assert model.certify().relative_gap <= 1e-6
    for column, (monotonic, convexity) in enumerate(zip(*shapes.values(), strict=True)):
        assert_shape(model, X, column, monotonic, convexity)
    free = ConvexNNRegressor(alpha=0.01).fit(X, y)
    assert model.objective_ > free.objective_


@pytest.mark.parametrize("name", FITS)
def test_a_constraint_that_holds_anyway_changes_nothing(name):
    x = np.linspace(0.0, 2.0, 30)[:, None]
    y = np.exp(x[:, 0])
    free = ConvexNNRegressor(**FITS[name], alpha=1e-3, tol=1e-10).fit(x, y)
    convex = ConvexNNRegressor(**FITS[name], alpha=1e-3, convexity_cst=[1], tol=1e-10).fit(x, y)
    assert convex.objective_ == pytest.approx(free.objective_, rel=1e-8)


def test_names_of_inputs():
    X, y, _ = data(3, 40, n_features=2)
    frame = pd.DataFrame(X, columns=["dose", "age"])
    named = ConvexNNRegressor(monotonic_cst={"age": -1}, alpha=0.05).fit(frame, y)
    np.testing.assert_array_equal(
        named.predict(frame), ConvexNNRegressor(monotonic_cst=[0, -1], alpha=0.05).fit(X, y).predict(X)
    )


def test_names_of_inputs_in_cross_validation():
    X, y, _ = data(3, 40, n_features=2)
    frame = pd.DataFrame(X, columns=["dose", "age"])
    named = ConvexNNRegressorCV(monotonic_cst={"age": -1}, alphas=3, cv=3).fit(frame, y)
    listed = ConvexNNRegressorCV(monotonic_cst=[0, -1], alphas=3, cv=3).fit(X, y)
    np.testing.assert_array_equal(named.predict(frame), listed.predict(X))


def test_model_choice_and_path():
    X, y, _ = data(4, 60)
    grid = GridSearchCV(ConvexNNRegressor(alpha=0.05), {"monotonic_cst": [None, [1]], "depth": [2, 3]}, cv=3).fit(X, y)
    assert {tuple(cst or ()) for cst in grid.cv_results_["param_monotonic_cst"]} == {(), (1,)}
    path = convex_nn_path(X, y, alphas=5, monotonic_cst=[1])
    assert (path.dual_gaps <= 1e-6).all()
    assert (np.diff(path.predict(np.sort(X, axis=0)), axis=0) >= -1e-9).all()
    assert_shape(ConvexNNRegressorCV(monotonic_cst=[1], alphas=5, cv=3).fit(X, y), X, 0, 1, 0)


@pytest.mark.parametrize("name", ["relu", "abs", "narrow"])
@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("options", [{"monotonic_cst": [1, 0]}, {"convexity_cst": [-1, 0]}, {"monotonic_cst": [1, 1]}])
def test_a_constant_input_has_no_shape(name, loss, options):
    X, y, _ = data(5, 20, n_features=2)
    X[:, 0] = 7.0
    model = ConvexNNRegressor(**FITS[name], **options, loss=loss, alpha=0.01).fit(X, y)
    assert model.certify().relative_gap <= 1e-6
    alone = {key: value[:1] for key, value in options.items()}
    fit = ConvexNNRegressor(**FITS[name], **alone, alpha=0.01).fit(X[:, :1], y).predict(X[:1, :1])
    np.testing.assert_allclose(fit, y.mean(), rtol=1e-12)


BAD = [
    ({"monotonic_cst": [1, 0]}, "monotonic_cst must have one entry for each of the 1 inputs"),
    ({"convexity_cst": [2]}, "convexity_cst must consist of -1, 0 and 1"),
    ({"monotonic_cst": {"x": 1}}, "monotonic_cst was passed as a dict"),
    ({"monotonic_cst": [1], "activation": "sign"}, "monotonic_cst needs activation='relu'"),
    ({"convexity_cst": [1], "activation": "abs", "depth": 3}, "convexity_cst needs"),
    ({"monotonic_cst": [1], "skip_connection": True}, "skip_connection"),
    ({"convexity_cst": [1], "skip_connection": True, "depth": 3}, "skip_connection"),
    ({"monotonic_cst": [1], "depth": 3, "max_breakpoints": 3}, "max_breakpoints"),
    ({"monotonic_cst": [1], "alpha": 0}, "alpha=0"),
    ({"monotonic_cst": [1], "loss": "absolute"}, "loss"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_refuses(options, message):
    X, y, _ = data(0, 10)
    with pytest.raises(ValueError, match=message):
        ConvexNNRegressor(**options).fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "abs"])
@pytest.mark.parametrize(
    "constraint", [{"monotonic_cst": [-1]}, {"convexity_cst": [1], "skip_connection": True}], ids=["monotonic", "convex"]
)
def test_a_constraint_that_leaves_no_unit_has_a_certificate(activation, constraint, rng):
    """The null fit is optimal at every alpha: the largest correlation is rounding, of either sign."""
    x = np.sort(rng.uniform(0, 3, size=40))
    y = x**3 if "monotonic_cst" in constraint else -((x - 1) ** 2)
    model = ConvexNNRegressor(activation=activation, **constraint).fit(x[:, None], y)
    assert model.alpha_max_ == 0.0 and model.n_neurons_ == 0
    assert model.dual_gap_ <= 1e-12 and model.certify().relative_gap <= 1e-12
