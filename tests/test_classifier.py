"""The classifier: its problems against a conic solver, scikit-learn's checks without exceptions, limits that are known."""

import loss_reference as ref
import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import ACTIVATIONS
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks
from strategies import problems
from test_loss_fits import DEEP, EXAMPLES, SHALLOW, TOL

from convexnn import ConvexNNClassifier

fractions = st.sampled_from([1.5, 0.5, 0.1, 0.01])
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


@parametrize_with_checks([ConvexNNClassifier(), ConvexNNClassifier(activation="threshold"), ConvexNNClassifier(depth=3)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def check_fit(options, skip, data, fraction):
    """Fit two classes, and check objective, gap and network against independent code."""
    X, y, w = data
    y = (y > np.median(y)).astype(float)
    kept = np.ones(len(y), bool) if w is None else w > 0
    assume(0 < y[kept].mean() < 1)
    common = {**options, "skip_connection": skip, "tol": TOL}
    try:
        top = ConvexNNClassifier(**common).fit(X, y, sample_weight=w).alpha_max_[0]
    except ValueError as error:
        assert skip and "line separates the classes" in str(error)
        return
    assume(top > 1e-6)
    model = ConvexNNClassifier(**common, alpha=fraction * top).fit(X, y, sample_weight=w)
    best = ref.conic("logistic", X, y, model.alpha_[0], options, skip, w)
    objective, (machine,) = model.objective_[0], model.estimators_
    floor = 1e-7 * objective
    assert objective <= best.objective * (1 + 1e-6) + floor and objective >= best.bound - floor
    assert objective - best.bound <= 1e-6 * objective
    weights = np.ones(len(y)) if w is None else w
    cost = weights @ ref.values("logistic", model.decision_function(X), y)
    cost += model.alpha_[0] * weights.sum() * np.abs(machine.coef_).sum()
    assert cost == pytest.approx(objective, rel=1e-9)
    rows = np.vstack([X, X + 0.37])
    np.testing.assert_allclose(machine.network_(rows), model.decision_function(rows), rtol=0, atol=1e-8)
    rebuilt = machine.network_.objective(X, y, model.alpha_[0], w, loss="logistic")
    assert rebuilt == pytest.approx(objective, rel=1e-9)
    assert model.dual_gap_[0] <= TOL and model.certify()[0].relative_gap <= TOL


@pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
@pytest.mark.parametrize("n_features", [1, 2], ids=["1d", "2d"])
@pytest.mark.parametrize("name", SHALLOW)
def test_one_hidden_layer(skip, n_features, name):
    @settings(max_examples=EXAMPLES // 6)
    @given(problem=problems(n_features, min_n=4, max_n=40), fraction=fractions)
    def check(problem, fraction):
        check_fit(SHALLOW[name], skip, problem.data, fraction)

    check()


@pytest.mark.parametrize("name", DEEP)
def test_deep(name):
    @settings(max_examples=EXAMPLES // 6)
    @given(problem=problems(1, min_n=4, max_n=5 if name in ("abs4", "symmetrized3") else 8), fraction=fractions)
    def check(problem, fraction):
        check_fit(DEEP[name], False, problem.data, fraction)

    check()


@each_activation
@pytest.mark.parametrize("alpha", [1e-2, 1e-4, 1e-6])
def test_separable_classes_have_a_finite_answer(activation, alpha):
    X, y = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])
    model = ConvexNNClassifier(activation=activation, alpha=alpha).fit(X, y)
    odds = model.decision_function(X)
    assert model.converged_ and np.isfinite(odds).all() and (np.sign(odds) == 2 * y - 1).all()
    assert model.objective_[0] < 4 * np.log(2)


def test_separable_classes_with_a_skip_connection_are_refused():
    for X in (np.arange(4.0)[:, None], np.column_stack([np.arange(4.0), [0.0, 2.0, 1.0, 5.0]])):
        with pytest.raises(ValueError, match="line separates the classes"):
            ConvexNNClassifier(skip_connection=True).fit(X, [0, 0, 1, 1])


def test_an_input_that_a_skip_connection_does_not_read_separates_nothing():
    x, y = np.arange(20.0), np.tile([0, 1, 1, 0], 5)
    model, one = (ConvexNNClassifier(skip_connection=True, alpha=0.1) for _ in range(2))
    model.fit(np.column_stack([x, x + 1e-6 * y]), y)
    assert model.converged_
    assert model.objective_[0] == pytest.approx(one.fit(x[:, None], y).objective_[0], rel=1e-6)
    assert model.fit(np.ones((20, 1)), y).converged_


def test_above_alpha_max_it_knows_the_shares_only(rng):
    X, y = rng.normal(size=(40, 1)), np.arange(40) % 4 == 0
    top = ConvexNNClassifier().fit(X, y).alpha_max_[0]
    model = ConvexNNClassifier(alpha=1.01 * top).fit(X, y)
    assert model.n_neurons_ == 0
    np.testing.assert_allclose(model.predict_proba(X), [[0.75, 0.25]] * 40, rtol=1e-12)
    assert ConvexNNClassifier(alpha=0.98 * top).fit(X, y).n_neurons_ > 0
    lam = y - 0.25
    assert top == pytest.approx(reference.price(X, lam, "relu") / 40, rel=1e-12)


def test_a_skip_connection_alone_is_logistic_regression(rng):
    X = rng.normal(size=(200, 2))
    y = rng.random(200) < 1 / (1 + np.exp(-X @ [1.0, -0.5]))
    model = ConvexNNClassifier(skip_connection=True, alpha=1e3, tol=1e-10).fit(X, y)
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), plain.decision_function(X), atol=1e-4)


def test_weights_are_repetitions(rng):
    X, y, w = np.round(rng.normal(size=(60, 1)), 1), rng.integers(0, 3, size=60), rng.integers(0, 4, size=60)
    weighted = ConvexNNClassifier().fit(X, y, sample_weight=w)
    repeated = ConvexNNClassifier().fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("weights", ["balanced", {0: 1.0, 1: 3.0, 2: 0.5}])
def test_class_weight_is_a_sample_weight(weights, rng):
    X, y = load_iris(return_X_y=True)
    by_class = ConvexNNClassifier(class_weight=weights).fit(X[:, 2:], y)
    by_row = ConvexNNClassifier().fit(X[:, 2:], y, sample_weight=compute_sample_weight(weights, y))
    np.testing.assert_array_equal(by_class.decision_function(X[:, 2:]), by_row.decision_function(X[:, 2:]))


def test_several_classes_are_one_against_the_rest():
    X, y = load_iris(return_X_y=True)
    X, names = X[:, 2:], np.array(["setosa", "versicolor", "virginica"])[y]
    model = ConvexNNClassifier().fit(X, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"] and len(model.certify()) == 3
    assert model.dual_gap_.shape == (3,) and model.converged_ and model.score(X, names) > 0.95
    for k, name in enumerate(model.classes_):
        single = ConvexNNClassifier().fit(X, names == name)
        np.testing.assert_array_equal(model.decision_function(X)[:, k], single.decision_function(X))
    shares = model.predict_proba(X)
    odds = 1 / (1 + np.exp(-model.decision_function(X)))
    np.testing.assert_allclose(shares, odds / odds.sum(axis=1, keepdims=True), rtol=1e-10)
    assert "log-odds of class virginica" in model.summary()


def test_tools_for_model_selection(rng):
    X = pd.DataFrame({"dose": rng.uniform(-2, 2, size=150)})
    y = rng.random(150) < 1 / (1 + np.exp(-4 * np.sin(3 * X["dose"])))
    grid = {"alpha": [0.1, 0.01, "auto"], "activation": ["relu", "threshold"]}
    search = GridSearchCV(ConvexNNClassifier(), grid, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert search.best_score_ > -0.6 and search.best_estimator_.feature_names_in_.tolist() == ["dose"]
    assert cross_val_score(ConvexNNClassifier(), X, y, scoring="roc_auc").mean() > 0.7


def test_warm_start_certifies_the_same(rng):
    X = rng.uniform(-2, 2, size=(300, 1))
    y = rng.random(300) < 1 / (1 + np.exp(-4 * np.sin(3 * X[:, 0])))
    model = ConvexNNClassifier(alpha=0.01, warm_start=True, tol=1e-9).fit(X, y)
    model.set_params(alpha=0.001).fit(X, y)
    cold = ConvexNNClassifier(alpha=0.001, tol=1e-9).fit(X, y)
    assert model.objective_[0] == pytest.approx(cold.objective_[0], rel=1e-8) and model.converged_


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([0, 0, 0, 0], {}, "got one class"),
        ([0, 1, 0, 1], {"alpha": 0.0}, "alpha=0"),
        ([0.1, 0.7, 0.3, 0.4], {}, "Unknown label type"),
        ([0, 1, 0, 1], {"class_weight": "heavy"}, "class_weight"),
        ([0, 1, 0, 1], {"class_weight": {0: 0.0, 1: 0.0}}, "All values of `sample_weight` are zero"),
        ([0, 1, 0, 1], {"depth": 1}, "'depth' parameter of ConvexNNClassifier"),
    ],
)
def test_bad_input(y, options, message):
    with pytest.raises(ValueError, match=message):
        ConvexNNClassifier(**options).fit(np.arange(4.0)[:, None], y)


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        ([0, 1, 0, 1], [0, 0, 0, 0], "[Ss]ample.weight"),
        ([0, 1, 0, 1], [1, 0, 2, 0], r"needs rows of two classes, of positive weight; got one class: \[0\]"),
        ([0, 1, 2, 2], [1, 1, 0, 0], r"All rows of the classes \[2\] have weight zero"),
        ([0, 1, 0, 1], [1, 1, 1, -1], "sample_weight"),
    ],
)
def test_bad_weights(y, weights, message):
    with pytest.raises(ValueError, match=message):
        ConvexNNClassifier().fit(np.arange(4.0)[:, None], y, sample_weight=weights)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_bad_class_weights(weight):
    with pytest.raises(ValueError, match="class_weight must hold finite numbers that are not negative, got"):
        ConvexNNClassifier(class_weight={"b": weight, "a": 1.0}).fit([[0.0], [1.0], [2.0]], ["a", "b", "a"])


def test_networks_know_the_names_of_their_inputs():
    X = pd.DataFrame({"dose": [0.0, 1.0, 2.0, 3.0, 4.0]})
    model = ConvexNNClassifier(alpha=1e-3, monotonic_cst={"dose": 1}).fit(X, ["a", "a", "b", "a", "b"])
    assert "of dose at" in model.summary()
    (network,) = model.estimators_
    assert np.array_equal(network.predict(X), model.decision_function(X))
    loaded = ConvexNNClassifier.from_json(model.to_json())
    assert loaded.summary() == model.summary() and np.all(np.diff(loaded.decision_function(X)) >= 0.0)


def test_all_solvers_that_are_named_in_the_docstring():
    X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 1, 0]
    for solver in ("additive", "coordinate_descent", "segments", "spline"):
        assert ConvexNNClassifier(solver=solver).fit(X, y).converged_


def test_verbose_writes_rounds(capsys):
    ConvexNNClassifier(verbose=1).fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    assert "objective" in capsys.readouterr().out
