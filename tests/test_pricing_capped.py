"""Narrow ReLU of depth three and more."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import check_batch, check_forms, check_origins, check_tight, forward, problems, scale_of

from convexnn.dictionaries.base import Units
from convexnn.dictionaries.capped import CappedRamps

SIGNS = (-1.0, 1.0)


def library(points):
    """The stated dictionary, written out: ramps both ways and capped ramps."""
    ramps = [np.maximum(s * (points - a), 0.0) for a in points for s in SIGNS]
    capped = [np.clip(points - a, 0.0, b - a) for a, b in itertools.combinations(points, 2)]
    return np.array(ramps + capped).T


@settings(max_examples=60, deadline=None)
@given(problems())
def test_maximum_equals_explicit_library(problem):
    points, lam = problem
    dictionary, values, scale = CappedRamps(points), library(points), scale_of(points, lam)
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-10, atol=1e-13 * scale)
    check_tight(dictionary, lam, values, scale)


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1), st.sampled_from([3, 4]))
def test_no_real_bias_does_better(problem, seed, depth):
    points, lam = problem
    rng = np.random.default_rng(seed)
    weights = rng.choice(SIGNS, (400, depth - 1, 1, 1))
    biases = rng.uniform(-1.5, 1.5, (400, depth - 1, 1)) * np.abs(points).max()
    biases[:200, 0] = -weights[:200, 0, 0] * rng.choice(points, (200, 1))
    units = Units(tuple(weights.swapaxes(0, 1)), tuple(biases.swapaxes(0, 1)))
    best = np.abs(lam @ forward(units, points, "relu")).max()
    assert best <= CappedRamps(points, depth=depth).price(lam, 0.0, 1).maximum + 1e-9 * scale_of(points, lam)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from([3, 4, 10]))
def test_batch_and_forms(problem, depth):
    points, lam = problem
    dictionary = CappedRamps(points, depth=depth)
    everything = check_batch(dictionary, lam, scale_of(points, lam)).features
    check_forms(dictionary, everything, "relu")
    check_origins(dictionary, everything)
    assert len(dictionary.units(everything).weights) == depth - 1


@settings(max_examples=30, deadline=None)
@given(problems(5))
def test_thinned(problem):
    points, lam = problem
    dictionary = CappedRamps(points, candidates=np.array([1, 3]))
    chosen = points[[0, 1, 3, -1]]
    capped = [np.clip(points - a, 0.0, b - a) for a, b in itertools.combinations(chosen, 2)]
    expected = np.abs(lam @ np.array(capped).T).max()
    np.testing.assert_allclose(dictionary.price(lam, 0.0, 5).maximum, expected, rtol=1e-10)
    check_batch(dictionary, lam, scale_of(points, lam))
    assert not dictionary.exact


def test_one_point_has_no_features():
    priced = CappedRamps(np.array([3.0])).price(np.zeros(1), 0.0, 5)
    assert priced.maximum == 0.0 and len(priced.features) == 0


def test_depth_two_is_refused():
    with pytest.raises(ValueError, match="depth >= 3"):
        CappedRamps(np.arange(3.0), depth=2)
