"""Inputs rounded to a grid: the bounds hold on the original rows in both directions, and mean something."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import activate
from strategies import fractions, problems

from convexnn import ConvexNNRegressor, compress
from convexnn.architecture import Architecture
from convexnn.datasets import load_engel, load_mcycle, make_minute_prices

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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the bounds hold for any gap
@given(problem=problems(2), fraction=fractions, width=st.sampled_from([1e-3, 0.1]))
def test_bounds_hold_for_several_inputs(problem, fraction, width):
    X, y, w = problem.data
    grid = [width * max(np.ptp(X), 1e-3), 0.0]
    check(*both(X, y, w, grid, fraction, {}), X, y, w)
    model, rounded = both(X, y, w, grid, fraction, {"skip_connection": True})
    check(model, rounded, X, y, w)
    if compress([(X, y)], grid=grid).moved.any():
        assert rounded.objective_bounds_[0] == 0.0


def random_units(x, row, rng, count=3000):
    """Return values of units with real biases, inner weights one in size."""
    def bias(hidden):
        return hidden[np.arange(count), rng.integers(0, x.size, count)][:, None]

    def layer(hidden):
        return activate(rng.choice([-1, 1], (count, 1)) * (hidden - bias(hidden)), row.activation, row.negative_slope)

    if row.architecture == "symmetrized":
        first, second = layer(np.tile(x, (count, 1))), layer(np.tile(x, (count, 1)))
        return layer(rng.choice([-1, 1], (count, 1)) * first + second) / 2 ** (2 / 3)
    hidden = np.tile(x, (count, 1))
    for _ in range(row.depth - 1):
        hidden = layer(hidden)
    return hidden


@pytest.mark.parametrize("options", [*ARCHITECTURES[:6], {"activation": "abs", "depth": 4},
                                     {"activation": "leaky_relu", "depth": 4, "negative_slope": 0.5}], ids=str)  # fmt: skip
def test_slopes_of_units_add_up_to_no_more_than_is_said(options, rng):
    row, x = Architecture(**options), np.linspace(-1, 1, 1001)
    slopes = np.diff(random_units(x, row, rng)) / np.diff(x) / row.unit_slope
    sizes, jumps = row.unit_variation
    assert np.abs(slopes).max() == pytest.approx(1.0)
    assert np.abs(np.diff(slopes)).sum(axis=1).max() <= jumps + 1e-9
    # the slope of a piece is that of its second interval on; the one that holds the breakpoint has a mean of two
    begins = np.abs(np.diff(slopes)) > 1e-9
    begins = begins[:, :-1] & ~begins[:, 1:]
    total = np.abs(slopes[:, 0]) + (np.abs(slopes[:, 2:]) * begins).sum(axis=1)
    assert 1.0 - 1e-9 <= total.max() <= sizes + 1e-9


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
        assert above - original_objective(rounded, X, y, None) <= part * rounded.objective_
        widths.append((above - below) / rounded.objective_)
    assert widths[1] <= min(0.003, 0.25 * widths[0])


def test_bound_at_work():
    """Minute prices of thirty thousand values on a grid of half a dollar: the errors are noise, which the bound can tell."""
    prices = make_minute_prices(100_000)
    X, y = prices[:-1, None], np.diff(prices)
    model, rounded = both(X, y, None, 0.5, 0.1, {})
    data = compress([(X, y)], grid=0.5)
    assert data.y.size < 3000 < 30_000 < compress([(X, y)]).y.size
    assert 0.9 < data.moved[0] / (y.size * 0.5**2 / 12) < 1.1
    check(model, rounded, X, y, None)
    below, above = rounded.objective_bounds_
    assert (above - below) / model.objective_ <= 0.02


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


def test_points_rounded_twice_remember_the_way_from_the_first(rng):
    X, y, w = rng.uniform(size=(200, 1)), rng.normal(size=200), rng.uniform(size=200)
    fine = compress([(X, y, w)], grid=0.05)
    found = compress([fine, (X, y, w)], grid=0.07)
    rounded = np.concatenate([np.rint(np.rint(X / 0.05) * 0.05 / 0.07), np.rint(X / 0.07)]) * 0.07
    moved, y, w = np.concatenate([X, X]) - rounded, np.concatenate([y, y]), np.concatenate([w, w])
    assert found.moved[0] == pytest.approx(w @ np.square(moved[:, 0]))
    for point, mean, (shift, squares, products, least, greatest) in zip(found.X, found.y, found.moves, strict=True):
        cell = np.isclose(rounded[:, 0], point[0])
        d, v = moved[cell, 0], w[cell]
        assert shift == pytest.approx(np.average(d, weights=v)) and mean == pytest.approx(np.average(y[cell], weights=v))
        assert squares == pytest.approx(v @ np.square(d - shift)) and products == pytest.approx(v @ ((y[cell] - mean) * d))
        assert least <= min(d.min(), 0.0) + 1e-15 and greatest >= max(d.max(), 0.0) - 1e-15
        assert greatest - least <= 0.07 + 0.05 + 1e-12
    parts = compress([compress([(X[k::3], y[:200][k::3], w[:200][k::3])], grid=0.05) for k in range(3)])
    np.testing.assert_allclose(parts.moves, fine.moves, atol=1e-15)
