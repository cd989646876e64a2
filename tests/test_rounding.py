"""Inputs rounded to a grid: the bounds hold on the original rows in both directions, and mean something."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import fractions, problems

from convexnn import ConvexNNRegressor, compress
from convexnn.datasets import load_engel, load_mcycle

ARCHITECTURES = [
    {},
    {"depth": 3},
    {"activation": "leaky_relu", "negative_slope": 0.3},
    {"activation": "abs"},
    {"activation": "abs", "depth": 3},
    {"depth": 3, "architecture": "symmetrized"},
    {"skip_connection": True},
    {"activation": "abs", "skip_connection": True},
]
STEPS = [{"activation": "threshold"}, {"activation": "sign", "depth": 3, "architecture": "parallel", "width": 2}]


def original_objective(model, X, y, w):
    """Return the objective of a fitted network on rows, from its predictions and weights."""
    w = np.ones(y.size) if w is None else w
    return 0.5 * np.dot(w, (y - model.predict(X)) ** 2) + model.alpha_ * w.sum() * np.abs(model.coef_).sum()


def both(X, y, w, grid, fraction, options):
    """Return the network trained on all rows and the one on rounded rows, at the same alpha."""
    model = ConvexNNRegressor(**options).fit(X, y, sample_weight=w)
    options = {**options, "alpha": fraction * model.alpha_max_}
    chunk = (X, y) if w is None else (X, y, w)
    return ConvexNNRegressor(**options).fit(X, y, sample_weight=w), ConvexNNRegressor(**options).fit_compressed(
        compress([chunk], grid=grid)
    )


def check(model, rounded, X, y, w):
    """Assert that the bounds are bounds."""
    below, above = rounded.objective_bounds_
    slack = 1e-10 * np.square(y).sum()
    assert 0.0 <= below <= model.objective_ + slack
    assert original_objective(rounded, X, y, w) <= above + slack
    assert model.objective_ * (1.0 - model.dual_gap_) <= above + slack


@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
@given(problem=problems(max_n=12), fraction=fractions, width=st.sampled_from([1e-3, 0.05, 0.3, 2.0]))
def test_bounds_hold(options, problem, fraction, width):
    X, y, w = problem.data
    check(*both(X, y, w, width * max(np.ptp(X), 1e-3), fraction, options), X, y, w)


@given(problem=problems(2), fraction=fractions, width=st.sampled_from([1e-3, 0.1]))
def test_bounds_hold_for_several_inputs(problem, fraction, width):
    X, y, w = problem.data
    grid = [width * max(np.ptp(X), 1e-3), 0.0]
    check(*both(X, y, w, grid, fraction, {}), X, y, w)
    model, rounded = both(X, y, w, grid, fraction, {"skip_connection": True})
    check(model, rounded, X, y, w)
    if compress([(X, y)], grid=grid).moved.any():
        assert rounded.objective_bounds_[0] == 0.0


@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("load", [load_mcycle, load_engel])
def test_bounds_on_real_data_shrink_with_the_grid(load, options):
    X, y = load(return_X_y=True)
    if options.get("depth", 2) > 2 and load is load_engel:
        X, y = X[::3], y[::3]
    X = X + 1e-3 * np.ptp(X) * np.random.default_rng(0).uniform(-1, 1, size=X.shape)  # measured, not on a grid
    widths = []
    for part in (1e-3, 1e-4):
        model, rounded = both(X, y, None, part * np.ptp(X), 0.03, options)
        check(model, rounded, X, y, None)
        below, above = rounded.objective_bounds_
        assert below <= rounded.objective_ <= above
        widths.append((above - below) / rounded.objective_)
    assert 4.0 <= widths[0] / widths[1] <= 25.0
    assert widths[1] <= 0.02


@pytest.mark.parametrize("options", STEPS, ids=str)
def test_steps_have_no_slope_to_bound(options, rng):
    X, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    _, rounded = both(X, y, None, 0.1, 0.1, options)
    assert rounded.objective_bounds_ == (0.0, math.inf)
    model, same = both(np.round(X, 1) * 8, y, None, 0.0001, 0.1, options)
    assert same.objective_ == pytest.approx(model.objective_)


def test_where_only_the_bound_from_above_is_known(rng):
    X, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    data = compress([(X, y)], grid=0.1)
    for options in ({"alpha": 0.0}, {"monotonic_cst": [1]}):
        model = ConvexNNRegressor(**options).fit_compressed(data)
        below, above = model.objective_bounds_
        assert below == 0.0 and original_objective(model, X, y, None) <= above < math.inf


def test_points_rounded_twice_remember_both(rng):
    X, y = rng.uniform(size=(200, 1)), rng.normal(size=200)
    once, twice = compress([(X, y)], grid=0.07), compress([compress([(X, y)], grid=0.05), (X, y)], grid=0.07)
    moved = np.square(X - np.rint(np.rint(X / 0.05) * 0.05 / 0.07) * 0.07).sum()
    assert once.moved[0] == pytest.approx(np.square(X - np.rint(X / 0.07) * 0.07).sum())
    assert moved + once.moved[0] <= twice.moved[0] <= 4 * moved + once.moved[0]
    assert compress([once], grid=0.07).moved == pytest.approx(once.moved)
