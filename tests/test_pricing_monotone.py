"""Narrow leaky ReLU."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import check_batch, check_forms, check_origins, check_tight, forward, problems, scale_of

from convexnn.dictionaries.base import Units
from convexnn.dictionaries.monotone import MonotoneRamps

SLOPES = st.sampled_from([0.01, 0.3, 0.9])


def library(points, depth, slope, chosen=None):
    """All sequences of kinds and all ordered breakpoints, each feature integrated from its slopes."""
    chosen = points if chosen is None else chosen
    columns = []
    for kinds in itertools.product([1, -1], repeat=depth - 1):
        for breaks in itertools.combinations_with_replacement(chosen, depth - 1):
            column, power = 0.0, float(kinds.count(1))
            for kind, t in zip(kinds, breaks, strict=True):
                column = column + (slope ** (power - kind) - slope**power) * np.maximum(points - t, 0.0)
                power -= kind
            columns.append(column + slope ** float(kinds.count(1)) * points)
    return np.array(columns).T


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@settings(max_examples=25, deadline=None)
@given(problem=problems(2, 7), slope=SLOPES)
def test_maximum_equals_explicit_library(depth, problem, slope):
    points, lam = problem
    dictionary, values = MonotoneRamps(points, depth=depth, slope=slope), library(points, depth, slope)
    maximum, scale = dictionary.price(lam, 0.0, 5).maximum, scale_of(points, lam)
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-10, atol=1e-13 * scale)
    check_tight(dictionary, lam, values, scale)


@pytest.mark.parametrize("depth", [3, 4, 5])
@settings(max_examples=20, deadline=None)
@given(problem=problems(), slope=SLOPES, seed=st.integers(0, 2**32 - 1))
def test_no_real_bias_does_better(depth, problem, slope, seed):
    """Random signs and biases; each bias places the layer's breakpoint at a data point or anywhere."""
    points, lam = problem
    rng = np.random.default_rng(seed)
    count = 2000
    h, ahead = np.tile(points[:, None], count), rng.choice(points, (depth - 1, count))
    ahead += (rng.random(ahead.shape) < 0.4) * rng.standard_normal(ahead.shape) * 0.2
    weights, biases = rng.choice([-1.0, 1.0], (depth - 1, count)), []
    for layer, weight in enumerate(weights):
        biases.append(-weight * ahead[layer])
        h, ahead = (np.where(u < 0, slope * u, u) for u in (weight * h + biases[-1], weight * ahead + biases[-1]))
    units = Units(tuple(w[:, None, None] for w in weights), tuple(b[:, None] for b in biases))
    np.testing.assert_allclose(forward(units, points, "leaky_relu", slope), h, atol=1e-12)
    maximum = MonotoneRamps(points, depth=depth, slope=slope).price(lam, 0.0, 1).maximum
    assert np.abs(lam @ h).max() <= maximum + 1e-9 * scale_of(points, lam)


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 9])
@settings(max_examples=20, deadline=None)
@given(problem=problems(), slope=SLOPES)
def test_batch_and_forms(depth, problem, slope):
    points, lam = problem
    dictionary = MonotoneRamps(points, depth=depth, slope=slope)
    everything = check_batch(dictionary, lam, scale_of(points, lam)).features
    check_forms(dictionary, everything, "leaky_relu", slope)
    check_origins(dictionary, everything)
    assert dictionary.exact and len(dictionary.units(everything).weights) == depth - 1


@settings(max_examples=30, deadline=None)
@given(problem=problems(5, 8), slope=SLOPES)
def test_thinned(problem, slope):
    points, lam = problem
    dictionary = MonotoneRamps(points, depth=4, slope=slope, candidates=np.array([1, 3]))
    expected = np.abs(lam @ library(points, 4, slope, points[[0, 1, 3, -1]])).max()
    np.testing.assert_allclose(dictionary.price(lam, 0.0, 5).maximum, expected, rtol=1e-10)
    check_batch(dictionary, lam, scale_of(points, lam))
    assert not dictionary.exact


@settings(max_examples=20, deadline=None)
@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_forms_of_any_row(problem, seed):
    points, _ = problem
    rng = np.random.default_rng(seed)
    places = np.sort(rng.integers(0, points.size, (20, 4)), axis=1)
    rows = np.column_stack([rng.integers(0, 16, 20), places])
    check_forms(MonotoneRamps(points, depth=5, slope=0.2), rows, "leaky_relu", 0.2)


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.5])
def test_slope_outside_is_refused(slope):
    with pytest.raises(ValueError, match="negative_slope"):
        MonotoneRamps(np.arange(3.0), depth=3, slope=slope)


def test_depth_outside_is_refused():
    """The directions of the layers are the bits of a number of 64 bits, one of which is its sign."""
    priced = MonotoneRamps(np.arange(2.0), depth=63, slope=0.5).price(np.array([-1.0, 1.0]), 0.0, 1)
    np.testing.assert_allclose(priced.maximum, 1.0)
    for depth in (1, 64):
        with pytest.raises(ValueError, match="between 2 and 63"):
            MonotoneRamps(np.arange(3.0), depth=depth, slope=0.5)
