"""Problems whose answer is known: limits of alpha, few points, symmetries of the training problem, awkward numbers."""

import warnings

import numpy as np
import pytest
import reference
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import ACTIVATIONS, HOMOGENEOUS
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from strategies import problems

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor, alpha_max

pytestmark = pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
each_width = pytest.mark.parametrize("n_features", [1, 2], ids=["1d", "2d"])
BOUNCE = np.array([[0.0], [2.0], [6.0], [7.0]]), np.array([0.0, 0.0, 3.0, 7.0])


def network(activation, skip=False, **options):
    """Return an unfitted estimator."""
    return ConvexNNRegressor(activation=activation, skip_connection=skip, **options)


# Limits of alpha


@pytest.mark.parametrize("alpha", [0.0, 1e-9])
def test_bounce_without_regularisation(alpha):
    model = network("relu", alpha=alpha).fit(*BOUNCE)
    np.testing.assert_allclose(model.predict(BOUNCE[0]), BOUNCE[1], atol=1e-6)
    assert np.abs(model.coef_).sum() == pytest.approx(4.0, rel=1e-6)
    np.testing.assert_allclose(model.breakpoints_[0], [2.0, 6.0])
    np.testing.assert_allclose(np.diff(model.slopes_[0]), [0.75, 3.25], rtol=1e-6)
    np.testing.assert_allclose(sorted(model.coef_), [0.75, 3.25], rtol=1e-6)


@each_activation
@each_skip
@each_width
@pytest.mark.parametrize("factor", [1.0, 1.5, 1e6])
def test_above_alpha_max_there_are_no_neurons(activation, skip, n_features, factor, rng):
    X, y, w = rng.normal(size=(30, n_features)), rng.normal(size=30) + 5, rng.uniform(size=30)
    top = network(activation, skip).fit(X, y, sample_weight=w).alpha_max_
    model = network(activation, skip, alpha=factor * top).fit(X, y, sample_weight=w)
    line = LinearRegression().fit(X, y, sample_weight=w).predict(X)
    expected = line if skip else np.full(30, np.average(y, weights=w))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)
    assert model.n_iter_ == 1 and model.n_neurons_ == 0 and model.coef_.size == 0 and model.converged_
    assert model.objective_ == pytest.approx(np.sum(w * (y - expected) ** 2) / 2, rel=1e-12)
    assert model.get_network_weights()[0][0].shape == (n_features, 0)


@each_activation
@each_skip
@each_width
def test_just_below_alpha_max_there_are_neurons(activation, skip, n_features, rng):
    X, y = rng.normal(size=(30, n_features)), rng.normal(size=30)
    top = network(activation, skip).fit(X, y).alpha_max_
    model = network(activation, skip, alpha=0.999 * top, tol=1e-10).fit(X, y)
    assert model.n_neurons_ > 0
    assert model.objective_ < network(activation, skip, alpha=top).fit(X, y).objective_


@each_activation
def test_auto_is_a_hundredth_of_alpha_max(activation, rng):
    model = network(activation).fit(rng.normal(size=(30, 1)), rng.normal(size=30))
    assert model.alpha_ == pytest.approx(model.alpha_max_ / 100, rel=1e-14)


@each_activation
@each_skip
def test_no_penalty_interpolates_the_means_with_least_norm(activation, skip):
    @given(problem=problems(1, min_n=4, max_n=20))
    def check(problem):
        X, y, w = problem.data
        rows, mean, _, constant = reference.merge(X, y, w)
        x, f = rows[:, 0].astype(float), mean.astype(float)
        assume(len(x) > 2 and np.ptp(f) > 1e-3)
        model = network(activation, skip, alpha=0.0).fit(X, y, sample_weight=w)
        np.testing.assert_allclose(model.predict(x[:, None]), f, rtol=0, atol=1e-8 * np.abs(f).max())
        best = reference.smallest_norm(x, f - f.mean(), activation, skip)
        assert np.abs(model.coef_).sum() == pytest.approx(best, rel=1e-6, abs=1e-8)
        assert model.objective_ == pytest.approx(float(constant), rel=1e-9, abs=1e-14 * np.sum(np.square(y)))

    check()


# Few points


@each_activation
@each_skip
@pytest.mark.parametrize("alpha", ["auto", 0.0, 0.1, 10.0])
def test_one_point(activation, skip, alpha):
    model = network(activation, skip, alpha=alpha).fit([[3.0]], [5.0])
    np.testing.assert_array_equal(model.predict([[3.0], [-8.0], [1e6]]), 5.0)
    assert model.objective_ == 0 and model.dual_gap_ == 0 and model.n_neurons_ == 0 and model.n_iter_ >= 1


@each_activation
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 4.0)])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.3, 0.9, 5.0])
def test_two_points_are_a_soft_threshold(activation, weights, alpha):
    x, y, w = np.array([-1.0, 1.5]), np.array([4.0, 2.0]), np.array(weights)
    price = {"sign": 0.5, "threshold": 1.0}.get(activation, 1 / 2.5)  # the norm of a rise of 1 between the points
    rise = -max(2.0 - alpha * w.sum() * price * (1 / w[0] + 1 / w[1]), 0.0)
    mean = np.average(y, weights=w)
    model = network(activation, alpha=alpha, tol=1e-11).fit(x[:, None], y, sample_weight=w)
    expected = mean + rise * np.array([-w[1], w[0]]) / w.sum()
    np.testing.assert_allclose(model.predict(x[:, None]), expected, atol=1e-5)
    best = np.sum(w * (y - expected) ** 2) / 2 + alpha * w.sum() * price * abs(rise)
    assert model.objective_ == pytest.approx(best, rel=1e-10, abs=1e-14)


@each_activation
@pytest.mark.parametrize("alpha", ["auto", 0.0, 0.1])
def test_two_points_with_a_skip_are_a_line(activation, alpha):
    model = network(activation, True, alpha=alpha).fit([[1.0], [3.0]], [4.0, 8.0])
    np.testing.assert_allclose(model.predict([[1.0], [2.0], [3.0], [11.0]]), [4.0, 6.0, 8.0, 24.0], rtol=1e-12)
    assert model.objective_ <= 1e-24 and model.n_neurons_ == 0


@each_activation
@each_skip
@pytest.mark.parametrize("alpha", ["auto", 0.0, 0.1])
def test_constant_input_gives_the_mean(activation, skip, alpha):
    y, w = np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.0, 1.0])
    model = network(activation, skip, alpha=alpha).fit(np.full((3, 1), 0.1), y, sample_weight=w)
    np.testing.assert_allclose(model.predict([[0.1], [7.0]]), 2.75, rtol=1e-14)
    assert model.objective_ == pytest.approx(np.sum(w * (y - 2.75) ** 2) / 2, rel=1e-13)
    assert model.dual_gap_ <= 1e-6 and model.n_neurons_ == 0 and model.alpha_max_ == pytest.approx(0, abs=1e-14)


@each_activation
@each_skip
@pytest.mark.parametrize("alpha", ["auto", 0.0, 0.1])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_constant_target(activation, skip, alpha, value, rng):
    X = rng.normal(size=(20, 1))
    model = network(activation, skip, alpha=alpha).fit(X, np.full(20, value))
    np.testing.assert_allclose(model.predict(X), value, rtol=1e-15)
    assert model.n_neurons_ == 0 and model.converged_ and model.dual_gap_ <= 1e-6
    assert model.objective_ <= 1e-28 * value**2


@each_activation
@each_skip
def test_one_constant_input_among_others_is_ignored(activation, skip, rng):
    X, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    alone = network(activation, skip, alpha=0.02, tol=1e-10).fit(X, y)
    both = network(activation, skip, alpha=0.02, tol=1e-10).fit(np.column_stack([X, np.full(30, 2.0)]), y)
    assert both.objective_ == pytest.approx(alone.objective_, rel=1e-9)
    assert both.breakpoints_[1].size == 0 and both.slopes_[1].tolist() == [0.0]


@each_activation
@each_skip
def test_a_repeated_input_changes_nothing(activation, skip, rng):
    X, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    alone = network(activation, skip, alpha=0.02, tol=1e-10).fit(X, y)
    twice = network(activation, skip, alpha=0.02, tol=1e-10).fit(np.hstack([X, X]), y)
    assert twice.objective_ == pytest.approx(alone.objective_, rel=1e-9)


# Symmetries: two fits of gap g have values within sqrt(2 g / w) of the unique optimal ones at each row of weight w

TIGHT = 1e-9


def assert_same_fit(values, model, other_values, other, factor=1.0, least=1.0):
    """Assert that two models have the same objective up to a factor, and the same values at rows of weight >= least."""
    rounding = 1e-14 * np.square(values).sum()
    assert other.objective_ == pytest.approx(factor * model.objective_, rel=3 * TIGHT, abs=abs(factor) * rounding)
    reach = 2 * np.sqrt(2 * (TIGHT * model.objective_ + rounding) / least)
    np.testing.assert_allclose(other_values, values, rtol=1e-9, atol=reach)


def check_change(problem, activation, skip, change, alpha=1.0, objective=1.0, undo=lambda f: f):
    """Check that a change of the data changes alpha and the objective by these factors; ``undo`` maps the fit back."""
    X, y, w = problem.data
    w = np.ones(len(y)) if w is None else w
    first = 0.05 * reference.alpha_max(X, y, activation, skip, w)
    assume(first > 1e-9)
    X2, y2, w2 = change(X, y, w)
    model = network(activation, skip, alpha=first, tol=TIGHT).fit(X, y, sample_weight=w)
    other = network(activation, skip, alpha=alpha * first, tol=TIGHT).fit(X2, y2, sample_weight=w2)
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    values, other_values = model.predict(X), undo(other.predict(change(X, y, w)[0]))
    assert_same_fit(values, model, other_values, other, objective, w.min())


@each_activation
@each_skip
@each_width
@pytest.mark.parametrize(("scale", "shift"), [(3.0, 0.0), (-0.125, 7.0), (1e6, -1e6), (1e-120, 0.0), (1e120, 0.0)])
def test_scaled_and_shifted_target(activation, skip, n_features, scale, shift):
    @given(problem=problems(n_features, max_n=20))
    def check(problem):
        change, undo = lambda X, y, w: (X, scale * y + shift, w), lambda f: (f - shift) / scale
        check_change(problem, activation, skip, change, abs(scale), scale**2, undo)

    check()


@each_activation
@each_skip
@each_width
@pytest.mark.parametrize(("scale", "shift"), [(3.0, 0.0), (-1.0, 0.0), (-0.125, 7.0), (1e100, 0.0), (1e-100, 0.0)])
def test_scaled_shifted_and_reflected_input(activation, skip, n_features, scale, shift):
    @given(problem=problems(n_features, max_n=20))
    def check(problem):
        penalty = abs(scale) if activation in HOMOGENEOUS else 1.0
        check_change(problem, activation, skip, lambda X, y, w: (scale * X + shift, y, w), penalty)

    check()


@each_activation
@each_skip
@each_width
@pytest.mark.parametrize("factor", [2.0, 0.1, 1e30])
def test_scaled_weights(activation, skip, n_features, factor):
    @given(problem=problems(n_features, max_n=20))
    def check(problem):
        check_change(problem, activation, skip, lambda X, y, w: (X, y, factor * w), objective=factor)

    check()


@each_activation
@each_skip
@each_width
def test_order_of_rows_and_inputs(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=25))
    def check(problem):
        change, undo = lambda X, y, w: (X[::-1, ::-1], y[::-1], w[::-1]), lambda f: f[::-1]
        check_change(problem, activation, skip, change, undo=undo)

    check()


@each_activation
@each_skip
@each_width
def test_weights_count_copies(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=20), seed=st.integers(0, 99))
    def check(problem, seed):
        copies = np.random.default_rng(seed).integers(1, 4, size=problem.n)
        X, y, _ = problem.data
        alpha = 0.05 * reference.alpha_max(X, y, activation, skip, copies)
        assume(alpha > 1e-9)
        model = network(activation, skip, alpha=alpha, tol=TIGHT).fit(X, y, sample_weight=copies)
        copied = network(activation, skip, alpha=alpha, tol=TIGHT).fit(X.repeat(copies, axis=0), y.repeat(copies))
        assert_same_fit(model.predict(X), model, copied.predict(X), copied)

    check()


@each_activation
@each_skip
@each_width
def test_rows_of_no_weight_might_as_well_not_be_there(activation, skip, n_features, rng):
    X, y, w = rng.normal(size=(40, n_features)), rng.normal(size=40), rng.uniform(size=40)
    w[::3] = 0.0
    X[0], y[3], keep = 1e12, -1e12, w > 0
    weighted = network(activation, skip).fit(X, y, sample_weight=w)
    removed = network(activation, skip).fit(X[keep], y[keep], sample_weight=w[keep])
    np.testing.assert_array_equal(weighted.predict(X), removed.predict(X))
    assert weighted.objective_ == removed.objective_ and weighted.alpha_ == removed.alpha_


# Awkward numbers


@each_activation
@each_skip
@pytest.mark.parametrize("offset", [1e9, -1e9, 2.0**40])
def test_large_offset_of_the_input(activation, skip, offset, rng):
    X, y = rng.integers(-500, 500, size=(60, 1)) / 16.0, rng.normal(size=60)
    near = network(activation, skip, alpha=0.05, tol=TIGHT).fit(X, y)
    far = network(activation, skip, alpha=0.05, tol=TIGHT).fit(X + offset, y)
    assert_same_fit(near.predict(X), near, far.predict(X + offset), far)
    rounding = 8 * np.finfo(float).eps * abs(offset) * (np.abs(far.coef_).sum() + np.abs(far.skip_coef_).sum())
    by_hand = reference.forward(X + offset, *far.get_network_weights(), activation)
    if activation in HOMOGENEOUS:  # the weights of a network cannot be more exact than x itself
        np.testing.assert_allclose(by_hand, far.predict(X + offset), rtol=1e-9, atol=rounding)


@each_activation
@each_skip
@pytest.mark.parametrize("offset", [1e9, 1e12])
def test_large_offset_of_the_target(activation, skip, offset, rng):
    X, y = rng.normal(size=(60, 1)), rng.integers(-500, 500, size=60) / 16.0
    near = network(activation, skip, alpha=0.5, tol=1e-9).fit(X, y)
    far = network(activation, skip, alpha=0.5, tol=1e-9).fit(X, y + offset)
    assert far.objective_ == pytest.approx(near.objective_, rel=1e-8) and far.converged_
    reach = 2 * np.sqrt(2e-9 * near.objective_) + 1e-15 * offset
    np.testing.assert_allclose(far.predict(X) - offset, near.predict(X), rtol=0, atol=reach)


@each_activation
@each_skip
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 1e-300])
def test_tiny_gaps_between_inputs(activation, skip, gap, rng):
    x = np.concatenate([[0.0, gap, 3 * gap], rng.uniform(0.1, 1, size=20)])
    y = np.concatenate([[0.0, 1.0, -1.0], rng.normal(size=20)])
    alpha = 0.05 * reference.alpha_max(x[:, None], y, activation, skip)
    model = network(activation, skip, alpha=alpha).fit(x[:, None], y)
    norm, fit = np.abs(model.coef_).sum(), model.predict(x[:, None])
    proof = reference.certificate(x[:, None], y, fit, norm, alpha, activation, skip)
    assert proof.relative <= 1e-6 * (1 + 1e-3) and np.isfinite(fit).all()
    assert proof.objective == pytest.approx(model.objective_, rel=1e-9)


@each_activation
@each_skip
@pytest.mark.parametrize("base", [1.0, 1e9, 1e-200])
def test_neighbouring_floats(activation, skip, base):
    x = base * (1 + np.finfo(float).eps * np.arange(6))
    y = np.array([0.0, 1.0, 0.0, 2.0, 5.0, 4.0])
    model = network(activation, skip).fit(x[:, None], y)
    assert np.isfinite(model.predict(x[:, None])).all() and model.dual_gap_ <= 1e-6
    assert np.isfinite(model.objective_) and model.objective_ <= np.sum((y - y.mean()) ** 2) / 2 * (1 + 1e-12)


@each_activation
@each_skip
@pytest.mark.parametrize("unit", [1e-150, 1e150])
@pytest.mark.parametrize("unit_of_y", [1e-150, 1.0, 1e150])
def test_extreme_units_give_no_nan(activation, skip, unit, unit_of_y, rng):
    X, y = rng.normal(size=(20, 2)) * unit, rng.normal(size=20) * unit_of_y
    model = network(activation, skip).fit(X, y)
    values = [model.predict(X), model.coef_, model.objective_, model.dual_gap_, model.intercept_, model.alpha_]
    assert all(np.isfinite(value).all() for value in values) and model.dual_gap_ <= 1e-6


@each_activation
@each_skip
@each_width
@pytest.mark.parametrize("alpha", ["auto", 1e-12, 1e-6, 1.0])
def test_never_a_nan(activation, skip, n_features, alpha):
    @given(problem=problems(n_features, min_n=1, max_n=12))
    def check(problem):
        X, y, w = problem.data
        with warnings.catch_warnings():  # rounding may keep it from tol at the smallest alpha
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = network(activation, skip, alpha=alpha).fit(X, y, sample_weight=w)
        far = np.vstack([X, X * 1e6, -X * 1e6])
        assert np.isfinite(model.predict(far)).all() and np.isfinite(model.network_(far)).all()
        assert np.isfinite([model.objective_, model.dual_gap_, model.alpha_max_, model.intercept_]).all()

    check()


HARD = {  # small problems on which an algorithm has stopped short: activation, skip, alpha, x, y, weights
    "end gap 1e-9": ("abs", False, 0.01, [0, 1e-9, 3e-9, 0.5, 1], [0, 1, -1, 1, 0], None),
    "end gap 1e-11": ("abs", False, 0.01, [0, 1e-11, 3e-11, 0.5, 1], [0, 1, -1, 1, 0], None),
    "nearly tied ends": ("abs", False, 1e-8, [0, 1e-7, 0.4, 1 - 1e-7, 1], [0, 1, -1, 1, 0], None),
    "weights 0.01 to 1": ("sign", True, 1e-3, [0, 1, 2], [3, 2, 3], [0.1, 0.01, 1]),
    "weights 0.001 to 1000": ("threshold", True, 1e-2, [0, 1, 2, 3], [1, -2, 3, 0], [1e-3, 1e3, 1, 10]),
    "gaps of 1e-6": ("relu", False, 0.0692638908, [2, 0, 0.999999, 1.999997], [0, -1, -1, 2], None),
    "linear trend": ("sign", True, 1e-3, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3.5, 4, 5], None),
    "cancelling ends": ("leaky_relu", False, 0.1, [0, 1e-9, 1, 2 - 1e-9, 2], [0, 1, 0, 1, 0], [1, 1e4, 1, 1e4, 1]),
}


# with columns 1e-7 apart at alpha = 1e-8, a Gram matrix in float64 cannot tell them apart: the reference solver warns
TOO_FINE = {("coordinate_descent", "nearly tied ends")}


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize("solver", ["auto", "coordinate_descent"])
def test_hard_problems(case, solver):
    if (solver, case) in TOO_FINE:
        activation, skip, alpha, x, y, w = HARD[case]
        with pytest.warns(ConvergenceWarning, match="gap"):
            network(activation, skip, alpha=alpha, solver=solver).fit(np.array(x, dtype=float)[:, None], y, sample_weight=w)
        return
    activation, skip, alpha, x, y, w = HARD[case]
    X, y, w = np.array(x, dtype=float)[:, None], np.array(y, dtype=float), np.ones(len(y)) if w is None else np.array(w)
    model = network(activation, skip, alpha=alpha, solver=solver).fit(X, y, sample_weight=w)
    norm = np.abs(model.coef_).sum()
    proof = reference.certificate(X, y, model.predict(X), norm, alpha, activation, skip, w)
    assert proof.relative <= 1.001e-6 and model.objective_ == pytest.approx(proof.objective, rel=1e-9)


# Nothing local beats it


@pytest.mark.parametrize("seed", range(20))
def test_local_training_never_beats_it(seed):
    rng = np.random.default_rng(seed)
    X, alpha = rng.uniform(-2, 2, size=(50, 1)), 0.003
    y = np.sin(3 * X[:, 0]) + 0.2 * rng.normal(size=50) + 3
    model = network("relu", alpha=alpha).fit(X, y)
    assert model.converged_
    options = {"solver": "lbfgs", "max_iter": 400, "max_fun": 10**6, "tol": 1e-9, "random_state": seed}
    with warnings.catch_warnings():  # of the local method, which may not converge
        warnings.simplefilter("ignore", ConvergenceWarning)
        local = MLPRegressor(hidden_layer_sizes=(60,), alpha=50 * alpha, **options).fit(X, y)
    reached = reference.network_objective(X, y, local.coefs_, local.intercepts_, None, alpha, "relu")
    assert 50 * local.loss_ == pytest.approx(reached, rel=1e-8)  # it minimises the same function
    assert reached >= model.objective_ * (1 - model.dual_gap_)


@pytest.mark.parametrize("n", range(3, 40))
def test_levels_that_just_meet(n):
    # at beta = 1 all inner targets 1, -1, 1, ... are shrunk to zero exactly: no step between them has a sign
    X, y = np.arange(float(n))[:, None], np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    model = ConvexNNRegressor(activation="sign", alpha=1.0 / n, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.predict(X), [0.5, *np.zeros(n - 2), 0.5 * y[-1]], atol=1e-12)


# Where rounding rules: an answer, or a warning with figures and what to do

FOUR_SWITCHES = {"activation": "sign", "depth": 3, "architecture": "parallel", "width": 4}


@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball", "huber"])
@pytest.mark.parametrize("options", [{}, {"depth": 3}, FOUR_SWITCHES], ids=["relu", "narrow", "sign"])
@pytest.mark.parametrize("fraction", [0.0, 1e-9, 1e-12])
@pytest.mark.parametrize("n", [2, 3, 12])
def test_next_to_no_penalty_is_certified_or_warned(loss, options, fraction, n):
    rng = np.random.default_rng(n)
    X, y, w = rng.normal(size=(n, 1)), rng.normal(size=n), 10 ** rng.uniform(-6, 6, n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        top = alpha_max(X, y, sample_weight=w, loss=loss, **options)
        model = ConvexNNRegressor(loss=loss, alpha=fraction * top, **options).fit(X, y, sample_weight=w)
    assert model.converged_ == (not caught) and all(np.isfinite(model.predict(X)))
    for warning in caught:
        assert warning.category is ConvergenceWarning
        assert f"{model.dual_gap_:.3g}, more than tol=1e-06" in str(warning.message)
        assert "iterations: ." not in str(warning.message) and "raise tol or alpha" in str(warning.message)


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_least_norm_whatever_the_scale_of_the_target(scale):
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    model, other = (ConvexNNRegressor(**FOUR_SWITCHES, alpha=0).fit(X, factor * y) for factor in (1.0, scale))
    np.testing.assert_allclose(other.predict(X), scale * y, atol=1e-9 * scale)
    assert np.abs(other.coef_).sum() == pytest.approx(scale * np.abs(model.coef_).sum(), rel=1e-6)


def test_rounding_is_no_progress():
    # two fits equally good but for the last digit, each of which once took the other's place
    x, y = np.arange(400.0)[:, None], (-1.0) ** np.arange(400)
    model = ConvexNNRegressor(3, alpha=0.03964898247307389 * alpha_max(x, y, depth=3), tol=1e-12).fit(x, y)
    assert model.dual_gap_ <= 1e-9
    assert model.n_iter_ < 50


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
def test_points_as_close_as_rounding_are_no_ties(loss):
    """Their correlations are as small as what rounding leaves of ties, and worth all of the objective."""
    X, y = np.array([[0.0], [1e-17], [1.0]]), np.array([1.0, -1.0, 0.0])
    model = ConvexNNRegressor(alpha=0, loss=loss).fit(X, y)
    assert 0.0 < model.alpha_max_ < 1e-17
    np.testing.assert_allclose(model.predict(X), y, atol=1e-12)


@pytest.mark.parametrize("lags", [2, 3, 4, 6])
def test_a_sinusoid_is_its_own_skip_connection(lags):
    model = ConvexNNAutoregressor(lags=lags, skip_connection=True).fit(np.sin(2 * np.pi * np.arange(60) / 7.3))
    assert model.alpha_max_ == 0.0 and model.coef_.size == 0
    assert np.count_nonzero(model.skip_coef_) == 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_features", [1, 2, 3])
@pytest.mark.parametrize("loss", ["squared", "huber", "absolute", "pinball"])
def test_no_unit_gains_beside_a_skip_connection_on_inputs_of_two_values(loss, n_features, weighted, rng):
    # the critical alpha is zero, not the rounding of a correlation, a hundredth of which would be the default
    X = rng.integers(0, 2, (60, n_features)).astype(float)
    y, w = X.sum(axis=1) + 0.3 * rng.normal(size=60), rng.uniform(0.1, 2.0, 60) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ConvexNNRegressor(loss=loss, huber_delta=0.5, skip_connection=True).fit(X, y, w)
    X = np.column_stack([X, 3.0 * X[:, 0] - 1.0])  # a line that others are, but for rounding
    more = ConvexNNRegressor(loss=loss, huber_delta=0.5, skip_connection=True).fit(X, y, w)
    assert model.alpha_max_ == more.alpha_max_ == 0.0 and model.coef_.size == more.coef_.size == 0
    X = X[:, :-1]
    far = ConvexNNRegressor(loss=loss, huber_delta=0.5, skip_connection=True, alpha=1.0).fit(X, y, w)
    assert model.objective_ == pytest.approx(far.objective_, rel=1e-9)
    np.testing.assert_allclose(model.network_(X), model.predict(X), atol=1e-9)
