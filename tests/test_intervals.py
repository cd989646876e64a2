"""Prediction intervals: order statistics by hand, nesting, equivariance, and coverage on simulated series."""

from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor
from convexnn.conformal import conformal_offsets
from convexnn.datasets import load_sunspots

SERIES = load_sunspots().target


@given(st.integers(204, 400), st.sampled_from([50, 80, 90, 95, 99]), st.integers(0, 10))
def test_offsets_are_order_statistics(m, level, seed):
    errors = np.random.default_rng(seed).normal(size=(m, 2))
    errors[m - 5 :, 1] = np.nan
    lower, upper = conformal_offsets(errors, level)
    for column, count in ((0, m), (1, m - 5)):
        ordered = sorted(errors[:count, column])
        rank = floor((count + 1) * (100 - level) / 200)
        assert (lower[column], upper[column]) == (ordered[rank - 1], ordered[count - rank])
        inside = np.count_nonzero((errors[:count, column] >= lower[column]) & (errors[:count, column] <= upper[column]))
        assert inside >= ceil(level / 100 * (count + 1)) - 1


def test_a_further_error_is_covered():
    """The guarantee itself: over all places that the last of 40 exchangeable errors can take, at least 80 per cent."""
    errors = np.random.default_rng(0).normal(size=40)
    inside = 0
    for left_out in range(40):
        lower, upper = conformal_offsets(np.delete(errors, left_out)[:, None], 80)
        inside += lower[0] <= errors[left_out] <= upper[0]
    assert 0.8 <= inside / 40 <= 0.8 + 2 / 40


def by_hand(model, series, steps, level):
    """Return the bounds at each step from a loop over windows, each forecast one by one."""
    first = len(series) - int(model.calibration * len(series))
    early = ConvexNNAutoregressor(**{**model.get_params(), "alpha": model.alpha_}).fit(series[:first])
    center, bounds = model.forecast(steps), []
    for step in range(1, steps + 1):
        origins = range(first, len(series) - step + 1)
        errors = sorted(series[t + step - 1] - early.forecast(step, last_window=series[:t])[-1] for t in origins)
        rank = floor((len(errors) + 1) * (100 - level) / 200)
        bounds.append((center[step - 1], center[step - 1] + errors[rank - 1], center[step - 1] + errors[-rank]))
    return np.array(bounds)


@pytest.mark.parametrize("difference", [0, 1])
@pytest.mark.parametrize("lags", [1, [1, 2]])
def test_bounds_by_hand(lags, difference):
    model = ConvexNNAutoregressor(lags, difference=difference, calibration=0.4).fit(SERIES)
    assert_allclose(model.forecast(3, level=80), by_hand(model, SERIES, 3, 80), rtol=1e-9, atol=1e-9)


def test_levels_nest_and_keep_their_order():
    model = ConvexNNAutoregressor(lags=2).fit(SERIES)
    table = model.forecast(6, level=[95, 50, 80])
    assert (np.diff(table[:, [1, 5, 3, 4, 6, 2]], axis=1) >= 0).all()
    assert_array_equal(table[:, 0], model.forecast(6))
    assert_array_equal(table[:, [0, 5, 6]], model.forecast(6, level=80))
    assert_array_equal(table[:4], model.forecast(4, level=[95, 50, 80]))
    moved = model.forecast(6, last_window=SERIES[:40], level=80)
    assert_allclose(moved - moved[:, :1], table[:, [0, 5, 6]] - table[:, :1], atol=1e-9)


def tent(n, rng):
    """Simulate a noisy chaotic map, kept inside the unit interval."""
    s = np.empty(n)
    s[0] = rng.random()
    for t in range(1, n):
        s[t] = np.clip(1.9 * min(s[t - 1], 1 - s[t - 1]) + 0.05 * rng.normal(), 0, 1)
    return s


def threshold(n, rng):
    """Simulate a threshold autoregression with skew noise."""
    s, noise = np.zeros(n), rng.exponential(size=n) - 1.0
    for t in range(1, n):
        s[t] = (0.8 if s[t - 1] < 0 else -0.5) * s[t - 1] + noise[t]
    return s


def walk(n, rng):
    """Simulate a random walk."""
    return np.cumsum(rng.normal(size=n))


CASES = {"tent": (tent, {}), "threshold": (threshold, {}), "walk": (walk, {"difference": 1})}


def coverage(simulate, options, steps=5, n_series=20, n=1500, windows=500):
    """Return the share of values inside, by level and step, over 500 windows of each of 20 series."""
    inside = np.zeros((2, steps))
    for seed in range(n_series):
        series = simulate(n + windows + steps, np.random.default_rng(seed))
        model = ConvexNNAutoregressor(**options).fit(series[:n])
        table = model.forecast(steps, level=[80, 95])
        offsets = table[:, 1:] - table[:, :1]
        rows = [model.forecast(steps, last_window=series[: n + i]) for i in range(windows)]
        errors = np.array([series[n + i : n + i + steps] - row for i, row in enumerate(rows)])
        for k in range(2):
            inside[k] += np.count_nonzero((errors >= offsets[:, 2 * k]) & (errors <= offsets[:, 2 * k + 1]), axis=0)
    return inside / (n_series * windows)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_coverage(case):
    """Within two points of the level at every step; chance alone accounts for about one point."""
    assert_allclose(coverage(*CASES[case]), [[0.80] * 5, [0.95] * 5], atol=0.02)


def quantiles_by_hand(model, series, steps, level):
    """Return the bounds from the regressor: a network for each step and side, shifted by what it missed."""
    first, width = len(series) - int(model.calibration * len(series)), max(model.lags_) + model.difference
    options = {name: value for name, value in model.get_params().items() if name in ConvexNNRegressor().get_params()}

    def pairs(start, stop, step):
        """Return what the network sees and says of the windows whose target lies in that part of the series."""
        changes = np.concatenate((np.full(model.difference, np.nan), np.diff(series, n=model.difference)))
        ends = np.arange(max(start, width + step - 1), stop) - step
        X = np.column_stack([changes[ends + 1 - lag] for lag in model.lags_])
        return X, series[ends + step] - (series[ends] if model.difference else 0.0)

    last = np.diff(series, n=model.difference)[[-lag for lag in model.lags_]]
    bounds = np.empty((steps, 2))
    for step in range(1, steps + 1):
        for side, quantile in enumerate(((100 - level) / 200, (100 + level) / 200)):
            net = ConvexNNRegressor(**{**options, "quantile": quantile}).fit(*pairs(0, first, step))
            X, y = pairs(first + step - 1, len(series), step)
            errors = sorted(y - net.predict(X))
            rank = floor((len(errors) + 1) * (100 - level) / 200)
            shift = errors[rank - 1] if side == 0 else errors[-rank]
            base = series[-1] if model.difference else 0.0
            bounds[step - 1, side] = base + net.predict(last[None])[0] + shift
    return np.sort(bounds, axis=1)


@pytest.mark.parametrize("difference", [0, 1])
@pytest.mark.parametrize("lags", [1, [1, 2]])
def test_quantile_networks_by_hand(lags, difference):
    model = ConvexNNAutoregressor(lags, difference=difference, loss="pinball", calibration=0.4).fit(SERIES)
    table = model.forecast(2, level=80)
    assert_array_equal(table[:, 0], model.forecast(2))
    assert_allclose(table[:, 1:], quantiles_by_hand(model, SERIES, 2, 80), rtol=1e-6, atol=1e-4)


def test_too_few_windows_for_quantile_networks():
    with pytest.raises(ValueError, match="level=80 at step 2 needs at least 9 calibration windows, but the series has 8"):
        ConvexNNAutoregressor(loss="pinball").fit(SERIES[:31]).forecast(3, level=80)


def volatile(n, rng):
    """Simulate a series whose noise is ten times larger on one side of zero than on the other."""
    s = np.zeros(n)
    for t in range(1, n):
        s[t] = -0.5 * s[t - 1] + (1.0 if s[t - 1] > 0 else 0.1) * rng.normal()
    return s


def test_quantile_networks_see_where_the_series_is_uncertain():
    series = volatile(800, np.random.default_rng(0))
    width = {}
    for loss in ("squared", "pinball"):
        model = ConvexNNAutoregressor(loss=loss).fit(series)
        width[loss] = [np.diff(model.forecast(1, last_window=[s], level=80)[0, 1:])[0] for s in (-0.5, 0.5)]
    assert width["squared"][0] == pytest.approx(width["squared"][1])
    assert width["pinball"][1] > 3.0 * width["pinball"][0]


@pytest.mark.slow
def test_coverage_of_quantile_networks():
    inside, n, windows = np.zeros(2), 1000, 500
    for seed in range(20):
        series = volatile(n + windows, np.random.default_rng(seed))
        model = ConvexNNAutoregressor(loss="pinball", tol=1e-4).fit(series[:n])
        for t in range(n, n + windows):
            _, low80, high80, low95, high95 = model.forecast(1, last_window=series[t - 1 : t], level=[80, 95])[0]
            inside += [low80 <= series[t] <= high80, low95 <= series[t] <= high95]
    assert_allclose(inside / (20 * windows), [0.80, 0.95], atol=0.02)
