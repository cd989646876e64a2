"""Deep networks where the answer is known: figures, orderings, rivals that cannot win, hard cases, scikit-learn."""

import deep_reference as deep
import deep_training
import numpy as np
import pytest
from deep_reference import ROWS, Row, smalls
from deep_units import worst_unit
from hypothesis import given, settings
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from convexnn import ConvexNNRegressor, alpha_max

EXAMPLES = settings.default.max_examples  # 25, many more in the nightly profile
each_row = pytest.mark.parametrize("name", ROWS)


def fit(row, X, y, alpha, w=None, **options):
    """Fit an architecture tightly."""
    return ConvexNNRegressor(**row.options, alpha=alpha, **{"tol": 1e-11, **options}).fit(X, y, sample_weight=w)


# The library of the training points is not complete

BEATEN = np.array([-5.0, -4, -2, -1, 3, 5, 6])[:, None], np.array([1.0, -2, 1, 3, 3, -3, 0])


def test_midpoint_biases_lower_the_optimum(rng):
    X, y = BEATEN
    library, exact = (fit(ROWS[name], X, y, alpha=0.13) for name in ("abs3-data", "abs3"))
    assert exact.exact_ and not library.exact_
    assert exact.objective_ < 0.7 * library.objective_
    for model in (exact, library):
        best = deep.best_objective(X, y, 0.13, ROWS["abs3" if model is exact else "abs3-data"])
        assert model.objective_ == pytest.approx(best, rel=1e-8)
    beta = 0.13 * 7
    over_all_biases = worst_unit(X[:, 0], y - library.predict(X), ROWS["abs3"], rng)
    assert over_all_biases > 1.05 * beta
    assert worst_unit(X[:, 0], y - exact.predict(X), ROWS["abs3"], rng) <= beta * (1 + 1e-9)


# Deeper is never worse

CHAINS = {
    "relu": [Row(depth, "relu") for depth in (2, 3, 4)],
    "abs": [Row(depth, "abs") for depth in (2, 3, 4)],
    "abs-data": [Row(depth, "abs", dictionary="data") for depth in (2, 3, 4, 5)],
    "leaky": [Row(depth, "leaky_relu", slope=0.2) for depth in (2, 3, 4, 5)],
    "switches": [Row(3, "sign", "parallel", width) for width in (1, 2, 3, 5)],
    "tree": [Row(2, "threshold"), Row(3, "threshold", "parallel", 2), Row(4, "threshold", "tree", (2, 2))],
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
def test_deeper_is_never_worse(chain, skip):
    @settings(max_examples=EXAMPLES)
    @given(problem=smalls(max_n=12))
    def check(problem):
        X, y, w = problem.data
        alpha = 0.1 * alpha_max(X, y, sample_weight=w, **CHAINS[chain][0].options)
        values = [fit(row, X, y, alpha, w, skip_connection=skip).objective_ for row in CHAINS[chain]]
        assert np.all(np.diff(values) <= 1e-10 * np.array(values[:-1]) + 1e-14 * np.square(y).sum())

    check()


@pytest.mark.parametrize("chain", ["relu", "abs"])
def test_depth_gains_something(chain, rng):
    X, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    values = [fit(row, X, y, 0.01).objective_ for row in CHAINS[chain][: 2 if chain == "relu" else 3]]
    assert np.all(np.diff(values) < -1e-4 * values[0])


@pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
def test_narrow_relu_stagnates(skip):
    @settings(max_examples=2 * EXAMPLES)
    @given(problem=smalls(max_n=12))
    def check(problem):
        X, y, w = problem.data
        alpha = 0.05 * alpha_max(X, y, sample_weight=w, depth=3)
        models = [fit(ROWS[name], X, y, alpha, w, skip_connection=skip) for name in ("relu3", "relu4", "relu10")]
        for model in models[1:]:
            assert model.objective_ == pytest.approx(models[0].objective_, rel=1e-9, abs=1e-14 * np.square(y).sum())
            np.testing.assert_allclose(model.predict(X), models[0].predict(X), atol=1e-9 * np.abs(y).max())

    check()


# Figures

REFLECTION = np.array([-2, -1, 0, 0.5, 1, 1.5, 2.5, 3, 4])
DOUBLE = np.array([-4, -3, -1.5, -1, -0.5, 0, 1, 2, 3, 3.5, 4.5, 5.5, 6.5, 8])
FIGURES = {
    "reflection": (ROWS["abs3"], REFLECTION, np.abs(np.abs(REFLECTION - 1) - 1), (0, 1, 2), 2.0),
    "double": (ROWS["abs4"], DOUBLE, np.abs(np.abs(np.abs(DOUBLE - 2) - 3) - 1), (-2, -1, 0, 2, 4, 5, 6), 6.0),
}


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("alpha", [1e-2, 1e-4, 1e-6])
def test_reflection_appears(figure, alpha, rng):
    row, x, y, kinks, reflected = FIGURES[figure]
    model = fit(row, x[:, None], y, alpha)
    assert reflected not in x and model.converged_ and model.exact_
    assert np.abs(model.breakpoints_[0] - reflected).min() <= 1e-9
    main = int(np.argmax(np.abs(model.coef_)))
    np.testing.assert_allclose(model.features_[main].breakpoints, kinks, atol=1e-9)
    assert np.abs(model.coef_).sum() == pytest.approx(1, abs=10 * alpha) and model.coef_[main] > 1 - 100 * alpha
    knots = np.searchsorted(model.breakpoints_[0], reflected - 1e-9)
    assert np.diff(model.slopes_[0])[knots] == pytest.approx(2, abs=1000 * alpha)
    beta, lam = alpha * len(x), y - model.predict(x[:, None])
    assert worst_unit(x, lam, row, rng) <= beta * (1 + 1e-6)


def test_features_are_a_sequence(rng):
    X = rng.normal(size=(30, 2))
    model = ConvexNNRegressor(alpha=0.01).fit(X, np.abs(X[:, 0]) + X[:, 1])
    features = model.features_
    assert len(features) == len(model.coef_) == len(list(features)) and features[-1] == list(features)[-1]
    assert features[1:4] == list(features)[1:4]
    assert repr(features) == f"<{len(features)} features of kind {features[0].kind!r}>"
    with pytest.raises(IndexError):
        features[len(features)]


@pytest.mark.parametrize("figure", FIGURES)
def test_reflection_is_named(figure):
    row, x, y, _, reflected = FIGURES[figure]
    model = fit(row, x[:, None], y, 1e-4)
    feature = model.features_[int(np.argmax(np.abs(model.coef_)))]
    names = dict(zip(feature.breakpoints, feature.origins, strict=True))
    near = min(names, key=lambda knot: abs(knot - reflected))
    assert names[near] == ("reflection of 0 across 1" if figure == "reflection" else names[near])
    assert "training point" not in names[near]


# Rivals


def rival_problem(rng):
    """Return twelve noisy points of a wave."""
    x = np.sort(rng.uniform(-2, 2, size=12))
    return x, np.sin(2.5 * x) + 0.2 * rng.normal(size=12)


@pytest.mark.parametrize("name", ["relu3", "relu4", "abs3", "abs4"])
@pytest.mark.parametrize("method", ["adam", "lbfgs"])
@pytest.mark.parametrize("starts", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_gradient_descent_never_wins(name, method, starts, rng):
    row, (x, y) = ROWS[name], rival_problem(rng)
    alpha = 0.02 * alpha_max(x[:, None], y, **row.options)
    model = fit(row, x[:, None], y, alpha, tol=1e-10)
    beta, units = 12 * alpha, 24

    def objective(theta):
        return deep_training.loss_and_gradient(theta, x, y, beta, row.depth, units, row.activation)

    theta = deep_training.random_starts(starts, x, row.depth, units, rng)
    ends = getattr(deep_training, method)(theta, objective, steps=1500 if starts == 5 else 6000)
    assert ends.min() >= model.objective_ * (1 - model.dual_gap_ - 1e-12)
    assert ends.min() < model.objective_ + 0.2 * (12 * y.var() / 2 - model.objective_)  # the rival did train


@pytest.mark.parametrize("activation", ["relu", "abs"])
@pytest.mark.parametrize("depth", [3, 4])
def test_gradients_of_the_rivals(activation, depth, rng):
    x, y = rival_problem(rng)
    theta = deep_training.random_starts(3, x, depth, 4, rng)
    _, gradient = deep_training.loss_and_gradient(theta, x, y, 0.3, depth, 4, activation)
    for k in range(theta.shape[1]):
        step = 1e-6 * np.eye(theta.shape[1])[k]
        shifted = (theta + step, theta - step)
        up, down = (deep_training.loss_and_gradient(t, x, y, 0.3, depth, 4, activation)[0] for t in shifted)
        np.testing.assert_allclose((up - down) / 2e-6, gradient[:, k], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["relu3", "relu4", "abs3", "abs4"])
def test_rivals_measure_the_same_objective(name, rng):
    row, (x, y) = ROWS[name], rival_problem(rng)
    alpha = 0.05 * alpha_max(x[:, None], y, **row.options)
    model = fit(row, x[:, None], y, alpha)
    coefs, intercepts, _ = model.get_network_weights()
    inner = [np.sum(coefs[0], axis=0), *(np.sum(coef, axis=0) for coef in coefs[1:-1])]
    theta = np.concatenate([*inner, *intercepts[:-1], coefs[-1][:, 0], intercepts[-1]])
    units, beta = len(model.coef_), 12 * alpha
    value, gradient = deep_training.loss_and_gradient(theta, x, y, beta, row.depth, units, row.activation)
    assert value == pytest.approx(model.objective_, rel=1e-9)
    weights = np.concatenate([gradient[: (row.depth - 1) * units] * theta[: (row.depth - 1) * units]])
    assert weights.sum() == pytest.approx(0, abs=10 * (row.depth - 1) * units * beta)


# Small problems on which a solver once stopped early

LINE = np.arange(5.0)
HEAVY = [1.937486676002016, 0.9591981768834517, 100.0]
STOPPED = {
    "line of narrow relu": (ROWS["relu3"], "auto", False, LINE, [4, -4, 1, 0, -2], None, 0.8),
    "line of symmetrized": (ROWS["symmetrized3"], "auto", False, LINE, [4, -4, 1, 0, -2], None, 0.8),
    "three points": (Row(2, "leaky_relu", slope=0.5), "auto", False, [0.7, 1.8, 3.7], [2.5, 0.3, 1.3], None, 0.35),
    "heavy point": (ROWS["relu3"], "coordinate_descent", False, [-1, 4, 3], [-17, -37, 5], HEAVY, 0.015963017228035975),
}


@pytest.mark.parametrize("case", STOPPED)
def test_solver_goes_on(case):
    row, solver, skip, x, y, w, alpha = STOPPED[case]
    X, y, w = np.array(x, dtype=float)[:, None], np.array(y, dtype=float), None if w is None else np.array(w)
    model = fit(row, X, y, alpha, w, solver=solver, skip_connection=skip)
    assert model.objective_ == pytest.approx(deep.best_objective(X, y, alpha, row, skip, w), rel=1e-9)


# Dependent columns


@pytest.mark.parametrize("digits", [None, 3, 2])  # inputs of two digits: most reflections coincide
def test_small_alpha_with_dependent_columns(digits, rng):
    X = rng.normal(size=(1000, 1))
    X = X if digits is None else np.round(X, digits)
    y = np.sin(3 * X[:, 0]) + rng.normal(size=1000)
    alpha = 1e-4 * alpha_max(X, y, depth=3, activation="abs")
    model = fit(ROWS["abs3"], X, y, alpha, tol=1e-9)
    assert model.converged_ and model.exact_ and model.certify().relative_gap <= 1e-9
    assert np.isfinite(model.coef_).all() and np.isfinite(model.predict(X)).all()
    cost = deep.network_objective(X, y, None, model.get_network_weights(), alpha, ROWS["abs3"])
    assert cost == pytest.approx(model.objective_, rel=1e-9)


@each_row
def test_equally_spaced_points_at_small_alpha(name, rng):
    row, X, y = ROWS[name], np.arange(40.0)[:, None], rng.normal(size=40)
    alpha = 1e-4 * alpha_max(X, y, **row.options)
    model = fit(row, X, y, alpha, tol=1e-9)
    reach = 1.0 if row.steps else 39.0
    # What rounding of the predictions, sums of terms of size |z| * reach, may change of the largest correlation.
    rounding = 4e-16 * np.abs(model.coef_).sum() * reach * 40 * reach / (40 * alpha)
    assert model.converged_ and model.certify().relative_gap <= 1e-9 + rounding and np.isfinite(model.coef_).all()


# scikit-learn

# a tree is priced and solved as a parallel network of as many switches: it is among the costly ones
CHECKED = ("relu3", "leaky3", "leaky4", "abs3", "symmetrized3", "sign3-parallel2", "threshold3-parallel1")
THINNED = ("abs3",)


@parametrize_with_checks(
    [ConvexNNRegressor(**ROWS[name].options) for name in CHECKED]
    + [ConvexNNRegressor(**ROWS[name].options, max_breakpoints=5) for name in THINNED]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
# of 200 points depth 5 of absolute value cannot visit all features, and says so
@pytest.mark.filterwarnings("ignore:.*the search for features was cut short:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([ConvexNNRegressor(**row.options) for name, row in ROWS.items() if name not in CHECKED])
def test_scikit_learn_checks_of_the_costly(estimator, check):
    check(estimator)


def test_grid_search_over_depth(rng):
    X = rng.uniform(-2, 2, size=(60, 1))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=60)
    activations = ["relu", "leaky_relu", "abs", "sign", "threshold"]
    grid = {"depth": [2, 3], "activation": activations, "alpha": [0.1, 0.01, "auto"]}
    search = GridSearchCV(ConvexNNRegressor(), grid, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_score_ > 0.8
    assert search.best_estimator_.converged_


def test_summary_of_a_constant():
    model = ConvexNNRegressor().fit([[0.0], [1.0]], [2.0, 2.0])
    assert "alpha 0 (the critical one is 0)" in model.summary()


def test_summary_names_what_breakpoints_are():
    X, y = [[0.0], [1.0], [3.0], [7.0]], [0.0, 2.0, -1.0, 0.5]
    lines = ConvexNNRegressor(depth=3, activation="abs", alpha=1e-3).fit(X, y).summary().splitlines()
    # there are several optimal networks; all have both kinds of features
    assert any(line.endswith("reflection of x0 at -1 (reflection of 3 across 1), 1, 3") for line in lines)
    middles = {"0, 1.5 (midpoint of 0 and 3), 3", "0, 3.5 (midpoint of 0 and 7), 7"}
    assert any(line.endswith(f"reflection of x0 at {middle}") for line in lines for middle in middles)


def test_a_search_cut_short_is_not_called_rounding(monkeypatch, rng):
    monkeypatch.setattr("convexnn.dictionaries.deep_reflections.VISITS", 0)
    x = rng.normal(size=(20, 1))
    with pytest.warns(ConvergenceWarning, match="the search for features was cut short"):
        ConvexNNRegressor(5, activation="abs", alpha=0.01).fit(x, rng.normal(size=20))
