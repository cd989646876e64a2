"""``selection="stack"``: the mean of networks of least error on rows left out, and the problem that it is the optimum of."""

import pickle

import cvxpy as cp
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from convexnn import ConvexNNRegressor, ConvexNNRegressorCV, convex_nn_path
from convexnn.duality import relative_gap
from convexnn.landscape import optimal_set
from convexnn.plotting import CertificateDisplay
from convexnn.stacking import least_error, stack

FOLDS = KFold(3, shuffle=True, random_state=1)
NETWORKS = [
    {},
    {"skip_connection": True},
    {"activation": "leaky_relu"},
    {"activation": "abs"},
    {"activation": "sign"},
    {"activation": "threshold", "skip_connection": True},
    {"depth": 3},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "architecture": "symmetrized"},
    {"depth": 3, "activation": "threshold", "architecture": "parallel", "width": 2},
    {"depth": 3, "activation": "abs", "max_breakpoints": 8},
    {"monotonic_cst": [1]},
]


def stacked(options, X, y, w=None, **more):
    options = {**options, **more}
    depth, activation = options.pop("depth", 2), options.pop("activation", "relu")
    model = ConvexNNRegressorCV((depth,), (activation,), cv=FOLDS, alphas=12, eps=1e-4, selection="stack", **options)
    return model.fit(X, y, w)


@pytest.fixture
def data(rng):
    X = np.sort(rng.uniform(-2, 2, size=(60, 1)), axis=0)
    y = np.sin(3 * X[:, 0]) + np.where(X[:, 0] > 0.5, 1.0, 0.0) + 0.2 * rng.normal(size=60)
    return X, y, rng.integers(0, 3, size=60).astype(float)


@pytest.mark.parametrize("n_rows", [3, 40, 500])
@pytest.mark.parametrize("n_columns", [1, 2, 15])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e6])
def test_shares_are_the_least_squares_on_the_simplex(n_rows, n_columns, spread, rng):
    errors = spread * (rng.normal(size=(n_rows, 1)) + 0.3 * rng.normal(size=(n_rows, n_columns)))
    shares = least_error(errors)
    assert (shares >= 0.0).all() and shares.sum() == pytest.approx(1.0, rel=1e-12)
    pull = errors.T @ (errors @ shares)
    least = np.square(errors @ shares).sum()
    # no corner of the simplex goes down: convex, so that nothing does
    assert (pull >= least - 1e-9 * np.square(errors).sum()).all()
    np.testing.assert_allclose(pull[shares > 0.0], least, atol=1e-9 * np.square(errors).sum())


def test_a_network_without_error_is_taken_alone(rng):
    errors = rng.normal(size=(9, 4))
    errors[:, 2] = 0.0
    np.testing.assert_array_equal(least_error(errors), [0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize("options", NETWORKS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_of_networks(options, weighted, data):
    X, y, w = data
    w = w if weighted else None
    model = stacked(options, X, y, w)
    used = model.stack_weights_ > 0.0
    shares = model.stack_weights_[used]
    path = convex_nn_path(X, y, sample_weight=w, alphas=model.alphas_[used], **options)
    at = np.concatenate((X, np.linspace(-4, 4, 301)[:, None]))  # outside the data too
    mean, scale = path.predict(at) @ shares, np.ptp(y)
    np.testing.assert_allclose(model.predict(at), mean, atol=1e-9 * scale)
    np.testing.assert_allclose(model.network_(at), mean, atol=1e-9 * scale)
    assert model.alpha_ == pytest.approx(shares @ path.alphas) and model.dual_gap_ <= 1e-6
    assert model.objective_ == pytest.approx(shares @ path.objectives, rel=1e-9)
    certificate = model.certify()
    assert certificate.relative_gap <= 1e-6 and certificate.primal == pytest.approx(model.objective_, rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"activation": "threshold"}, {"depth": 3, "activation": "abs"}], ids=str)
def test_two_inputs(options, rng):
    X = rng.uniform(-1, 1, size=(80, 2))
    y = np.abs(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=80)
    model = stacked(options, X, y)
    used = model.stack_weights_ > 0.0
    path = convex_nn_path(X, y, alphas=model.alphas_[used], **options)
    mean = path.predict(3.0 * X) @ model.stack_weights_[used]
    np.testing.assert_allclose(model.predict(3.0 * X), mean, atol=1e-6)
    np.testing.assert_allclose(model.network_(3.0 * X), mean, atol=1e-6)


def test_objective_is_that_of_the_proximal_average(data):
    X, y, _ = data
    model = stacked({}, X, y)
    used = model.stack_weights_ > 0.0
    shares = model.stack_weights_[used]
    assert used.sum() > 1
    path = convex_nn_path(X, y, alphas=model.alphas_[used])
    parts, f = path.predict(X), model.predict(X)
    # at depth 2 the norm of a network is the sum of its coefficients
    norms = np.array([np.abs(z).sum() for z in path.coefs])
    penalty = shares @ (60 * path.alphas * norms + 0.5 * np.square(parts - f[:, None]).sum(axis=0))
    assert model.objective_ == pytest.approx(0.5 * np.square(y - f).sum() + penalty, rel=1e-9)


def norm_of(options, X, part):
    """Return the norm of the values of a function, by theory section 4."""
    change = cp.diff(part)
    if options.get("activation") == "threshold":
        return cp.norm1(change)
    slopes = cp.multiply(1.0 / np.diff(X[:, 0]), change)
    if options.get("depth") == 3:  # its tails are flat
        return 0.5 * cp.norm1(cp.hstack([slopes[0], cp.diff(slopes), slopes[-1]]))
    turns, ends = cp.norm1(cp.diff(slopes)), cp.abs(slopes[0] + slopes[-1])
    return cp.maximum((0.5 if options.get("activation") == "abs" else 1.0) * turns, 0.5 * (turns + ends))


@pytest.mark.parametrize("options", [{}, {"activation": "abs"}, {"activation": "threshold"}, {"depth": 3}], ids=str)
def test_no_network_is_better_for_the_proximal_average(options, data):
    """By a conic solver, over the values of all parts at the data."""
    X, y, _ = data
    path, shares = convex_nn_path(X, y, alphas=[0.3, 0.03, 0.001], tol=1e-9, **options), np.array([0.2, 0.5, 0.3])
    whole = stack(path.trainings, shares)
    parts = [cp.Variable(60) for _ in shares]
    f = sum(share * part for share, part in zip(shares, parts, strict=True))
    proximal = sum(
        share * (60 * alpha * norm_of(options, X, part) + 0.5 * cp.sum_squares(part - f))
        for share, alpha, part in zip(shares, path.alphas, parts, strict=True)
    )
    best = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(y - f) + proximal)).solve(solver=cp.CLARABEL)
    data = whole.problem.data
    assert (whole.solution.gap.primal + data.constant) * data.objective_scale == pytest.approx(best, rel=1e-6)
    assert relative_gap(whole.problem, whole.solution.gap) <= 1e-9


def test_architecture_is_chosen_by_preference(data):
    X, y, _ = data
    arguments = {"depths": (3, 2), "activations": ("relu", "threshold"), "alphas": 8, "cv": FOLDS}
    stack = ConvexNNRegressorCV(**arguments, selection="stack").fit(X, y)
    first = ConvexNNRegressorCV(**arguments, selection="prefer_first").fit(X, y)
    assert (stack.depth_, stack.activation_) == (first.depth_, first.activation_)
    np.testing.assert_array_equal(stack.cv_results_["mse"], first.cv_results_["mse"])
    assert stack.alphas_.shape == stack.stack_weights_.shape == (8,) and not hasattr(first, "stack_weights_")


def test_shares_have_the_least_error_on_the_rows_left_out(data):
    X, y, w = data
    model = stacked({}, X, y, w)
    left_out = np.empty((60, 12))
    for train, test in FOLDS.split(X):
        path = convex_nn_path(X[train], y[train], sample_weight=w[train], alphas=model.alphas_)
        left_out[test] = path.predict(X[test])
    errors = np.sqrt(w)[:, None] * (left_out - y[:, None])
    least = np.square(errors @ model.stack_weights_).sum()
    np.testing.assert_allclose(least, np.square(errors @ least_error(errors)).sum(), rtol=1e-5)
    assert least <= np.square(errors).sum(axis=0).min()


def test_weights_are_of_the_last_fit(data):
    X, y, _ = data
    model = stacked({}, X, y)
    assert not hasattr(model.set_params(selection="best").fit(X, y), "stack_weights_")


@pytest.mark.parametrize("y", [np.zeros(9), np.full(9, 3.0), np.arange(9.0)], ids=["zeros", "constant", "line"])
def test_nothing_to_weigh(y):
    model = stacked({"skip_connection": True}, np.arange(9.0)[:, None], y)
    np.testing.assert_allclose(model.predict(np.arange(9.0)[:, None]), y, atol=1e-9)
    assert model.stack_weights_.sum() == pytest.approx(1.0) and model.dual_gap_ <= 1e-6


def test_stored_and_described(data):
    X, y, _ = data
    model = stacked({"depth": 3}, X, y)
    for loaded in (pickle.loads(pickle.dumps(model)), ConvexNNRegressorCV.from_json(model.to_json())):
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        np.testing.assert_array_equal(loaded.stack_weights_, model.stack_weights_)
    assert f"alpha {model.alpha_:.6g}" in model.summary()
    assert ConvexNNRegressor(3, alpha=model.alpha_).fit(X, y).objective_ != pytest.approx(model.objective_, rel=1e-6)


@pytest.mark.parametrize("what", [optimal_set, CertificateDisplay.from_estimator], ids=["landscape", "display"])
def test_what_is_known_at_one_alpha_only(what, data):
    with pytest.raises(ValueError, match="selection='stack' takes the mean of networks at several"):
        what(stacked({}, *data[:2]))


def test_squared_loss_only(data):
    with pytest.raises(ValueError, match="selection='stack' needs loss='squared', got 'huber'"):
        stacked({}, *data[:2], loss="huber")


@pytest.mark.parametrize("selection", ["best", "stack"])
def test_warns_of_the_gap_in_the_end(selection, data):
    model = ConvexNNRegressorCV(alphas=4, cv=2, max_iter=1, tol=1e-12, selection=selection)
    with pytest.warns(ConvergenceWarning) as record:
        model.fit(*data[:2])
    said = [str(warning.message) for warning in record]
    assert any("fits to the folds" in text for text in said)
    assert any(f"{model.dual_gap_:.3g}, more than tol=1e-12" in text for text in said)
    assert all(warning.filename == __file__ for warning in record)
