"""What must hold for every architecture: symmetries of the training problem, and what can only lower the optimum.

A certified fit brackets the optimum between its dual and its primal value. Two problems that must have the same optimum,
up to a factor, must have brackets that overlap; predictions may differ where optima are not unique.

A unit's value is homogeneous of degree one in x for piecewise-linear activations and of degree zero for steps, so that
x -> s x takes alpha to |s| alpha, or leaves it alone. y -> t y takes the squared loss (and Huber's with its delta times |t|)
to t**2 times itself and its derivative to |t| times it, hence alpha to |t| alpha; the absolute and pinball losses become |t|
times themselves, with the same derivative and alpha.
"""

import numpy as np
import pytest
from deep_reference import ROWS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import ACTIVATIONS, HOMOGENEOUS
from strategies import problems

from convexnn import ConvexNNRegressor, alpha_max

SHALLOW = {name: {"activation": name} for name in ACTIVATIONS}
ARCHITECTURES = SHALLOW | {name: row.options for name, row in ROWS.items()}
LOSSES = {"squared": {}, "huber": {"huber_delta": 0.7}, "absolute": {}, "pinball": {"quantile": 0.3}}
TOL = 1e-6
each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)
few = settings(max_examples=max(4, settings.default.max_examples // 5))


@st.composite
def cases(draw):
    """Draw rows, targets, weights, a loss, whether there is a skip connection, and a share of the critical alpha."""
    problem = draw(problems(draw(st.sampled_from([1, 1, 2])), min_n=3, max_n=9))
    X, y, w = problem.data
    loss = draw(st.sampled_from(list(LOSSES)))
    options = {"loss": loss, **LOSSES[loss], "skip_connection": draw(st.booleans())}
    return X, y, np.ones(len(y)) if w is None else w, options, draw(st.sampled_from([0.5, 0.1, 0.02]))


def fit(name, X, y, w, options, alpha):
    model = ConvexNNRegressor(**ARCHITECTURES[name], **options, alpha=alpha, tol=TOL).fit(X, y, sample_weight=w)
    assert model.dual_gap_ <= TOL
    return model


def first_fit(name, case):
    """Return the fit of a case; cases without anything to explain are left out."""
    X, y, w, options, share = case
    alpha = share * alpha_max(X, y, sample_weight=w, **ARCHITECTURES[name], **options)
    assume(alpha > 1e-9)
    return fit(name, X, y, w, options, alpha)


def assert_same_optimum(model, other, factor=1.0):
    one, two = model.certify(), other.certify()
    rounding = 1e-11 * two.primal
    assert max(one.relative_gap, two.relative_gap) <= 2 * TOL
    assert factor * one.dual <= two.primal + rounding
    assert two.dual <= factor * one.primal + rounding


def assert_not_above(lower, upper):
    """Assert that one optimum is not above another, as far as their brackets tell."""
    assert lower.certify().dual <= upper.certify().primal * (1 + 1e-11)


def check(name, change):
    """Check a change of a case that gives a problem of the same optimum, up to a factor."""

    @few
    @given(case=cases())
    def run(case):
        model = first_fit(name, case)
        changed, alpha, factor = change(name, *case[:4])
        assert_same_optimum(model, fit(name, *changed, alpha * model.alpha_), factor)

    run()


@each_architecture
@pytest.mark.parametrize(("scale", "shift"), [(-3.0, 7.0), (1e-6, 1e-3)])
def test_scaled_shifted_and_reflected_inputs(name, scale, shift):
    def change(name, X, y, w, options):
        homogeneous = ARCHITECTURES[name]["activation"] in HOMOGENEOUS
        return (scale * X + shift, y, w, options), abs(scale) if homogeneous else 1.0, 1.0

    check(name, change)


@each_architecture
@pytest.mark.parametrize(("scale", "shift"), [(2.0, -100.0), (-0.1, 0.0)])
def test_scaled_shifted_and_reflected_targets(name, scale, shift):
    def change(name, X, y, w, options):
        options, size = dict(options), abs(scale)
        straight = options["loss"] in ("absolute", "pinball")
        if "huber_delta" in options:
            options["huber_delta"] *= size
        if "quantile" in options and scale < 0:
            options["quantile"] = 1.0 - options["quantile"]
        return (X, scale * y + shift, w, options), 1.0 if straight else size, size if straight else size**2

    check(name, change)


@each_architecture
def test_order_of_rows_and_inputs(name):
    def change(name, X, y, w, options):
        order = np.random.default_rng(len(y)).permutation(len(y))
        return (X[order, ::-1], y[order], w[order], options), 1.0, 1.0

    check(name, change)


@each_architecture
def test_copies_are_weights(name):
    def change(name, X, y, w, options):
        parts = 1 + np.arange(len(y)) % 3
        return (X.repeat(parts, axis=0), y.repeat(parts), (w / parts).repeat(parts), options), 1.0, 1.0

    check(name, change)


@each_architecture
def test_one_more_input_never_raises_the_optimum(name):
    @few
    @given(case=cases())
    def run(case):
        X, y, w, options, _ = case
        model = first_fit(name, case)
        more = np.column_stack([X, np.cos(np.arange(len(y)) ** 2)])
        assert_not_above(fit(name, more, y, w, options, model.alpha_), model)

    run()


WIDER = [
    ("relu", "relu3"), ("relu3", "relu4"), ("relu10", "relu3"), ("abs", "abs3"), ("abs3-data", "abs3"), ("abs3", "abs4"),
    ("abs4-data", "abs4"), ("sign", "sign3-parallel2"), ("sign3-parallel2", "sign3-parallel99"),
    ("sign3-parallel2", "sign4-tree22"), ("threshold", "threshold3-parallel3"),
    ("threshold3-parallel1", "threshold4-tree22"),
    ("threshold3-parallel3", "threshold4-parallel99"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wider"), WIDER)
def test_a_wider_architecture_never_raises_the_optimum(name, wider):
    @few
    @given(case=cases())
    def run(case):
        X, y, w, options, _ = case
        model = first_fit(name, case)
        assert_not_above(fit(wider, X, y, w, options, model.alpha_), model)

    run()


@each_architecture
def test_alpha_raises_the_optimum_and_bounds_hold_for_other_networks(name):
    @few
    @given(case=cases(), factor=st.sampled_from([1.01, 2.0, 30.0]))
    def run(case, factor):
        X, y, w, options, _ = case
        model = first_fit(name, case)
        other = fit(name, X, y, w, options, factor * model.alpha_)
        assert_not_above(model, other)
        # weak duality: no network is better than the bound, whichever alpha it was trained for
        loss = {key: value for key, value in options.items() if key != "skip_connection"}
        for bound, network in ((model, other), (other, model)):
            value = network.network_.objective(X, y, bound.alpha_, w, **loss)
            certificate = bound.certify()
            assert certificate.dual <= value * (1 + 1e-11) and certificate.gap >= 0.0

    run()


@each_architecture
def test_single_precision_inputs(name):
    @few
    @given(case=cases())
    def run(case):
        X, y, w, options, share = case
        narrow = X.astype(np.float32), y.astype(np.float32), w.astype(np.float32)
        wide = tuple(part.astype(np.float64) for part in narrow)
        model = first_fit(name, (*wide, options, share))
        again = fit(name, *narrow, options, model.alpha_)
        assert again.objective_ == model.objective_
        np.testing.assert_array_equal(again.predict(narrow[0]), model.predict(wide[0]))

    run()
