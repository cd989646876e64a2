"""Narrow absolute value at depth four and more: the library of repeated reflections."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from pricing_checks import centred, check_batch, check_forms, check_names, check_origins, check_tight, problems, scale_of

from convexnn.dictionaries import deep_reflections as module
from convexnn.dictionaries.deep_reflections import DeepReflections
from convexnn.dictionaries.reflections4 import Reflections4


def library(points, depth, chosen=None):
    """Every pre-activation vanishes at a chosen point: all chains, written out by recursion."""
    chosen = points if chosen is None else chosen
    columns = []
    for path in itertools.product(range(len(chosen)), repeat=depth - 1):
        h, at = points, chosen
        for n in path:
            h, at = np.abs(h - at[n]), np.abs(at - at[n])
        columns.append(h)
    return np.array(columns).T


@pytest.mark.parametrize("depth", [4, 5, 6])
@settings(max_examples=25, deadline=None)
@given(problem=problems(2, 5))
def test_maximum_equals_explicit_library(depth, problem):
    points, lam = problem
    dictionary, values, scale = DeepReflections(points, depth=depth), library(points, depth), scale_of(points, lam)
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-10, atol=1e-12 * scale)
    check_tight(dictionary, lam, values, scale)


@pytest.mark.parametrize("depth", [4, 5, 7])
@settings(max_examples=15, deadline=None)
@given(problem=problems(2, 6))
def test_batch_and_forms(depth, problem):
    points, lam = problem
    dictionary = DeepReflections(points, depth=depth)
    everything = check_batch(dictionary, lam, scale_of(points, lam)).features[:200]
    check_forms(dictionary, everything, "abs")
    check_origins(dictionary, everything[:50])
    check_names(dictionary, everything[:50])
    assert not dictionary.exact


@pytest.mark.parametrize("depth", [4, 5, 6])
@settings(max_examples=15, deadline=None)
@given(problem=problems(2, 6))
def test_midpoints_contain_exact_depth_four(depth, problem):
    points, lam = problem
    dictionary = DeepReflections(points, depth=depth, midpoints=True)
    everything = check_batch(dictionary, lam, scale_of(points, lam)).features[:200]
    check_forms(dictionary, everything, "abs")
    parts = DeepReflections(points, depth=depth), Reflections4(points)
    expected = max(part.price(lam, 0.0, 1).maximum for part in parts)
    maximum = dictionary.price(lam, 0.0, 1).maximum
    np.testing.assert_allclose(maximum, expected, rtol=1e-10, atol=1e-12 * scale_of(points, lam))


@settings(max_examples=20, deadline=None)
@given(problems(6, 7))
def test_thinned(problem):
    points, lam = problem
    chosen = np.array([0, 2, 3, points.size - 1])
    dictionary = DeepReflections(points, depth=5, candidates=chosen)
    expected = np.abs(lam @ library(points, 5, points[chosen])).max()
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, expected, rtol=1e-10, atol=1e-12 * scale_of(points, lam))
    check_batch(dictionary, lam, scale_of(points, lam))


def test_exact_depth_four_is_never_below_the_library():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = np.sort(rng.random(9))
        lam = centred(rng.standard_normal(9), points)
        data = DeepReflections(points, depth=4).price(lam, 0.0, 1).maximum
        assert Reflections4(points).price(lam, 0.0, 1).maximum >= data * (1 - 1e-12)


def test_incomplete_search_says_so(monkeypatch):
    rng = np.random.default_rng(1)
    points = np.sort(rng.random(12))
    lam = centred(rng.standard_normal(12), points)
    dictionary = DeepReflections(points, depth=5)
    complete = dictionary.price(lam, 0.0, 5).maximum
    monkeypatch.setattr(module, "VISITS", 0)
    cut_short = dictionary.price(lam, 0.0, 5)
    assert np.abs(cut_short.correlations).max() <= complete * (1 + 1e-12)
    assert complete <= cut_short.maximum * (1 + 1e-12)


def test_deeper_search_is_never_worse(monkeypatch):
    """Also where it is cut short: the beam of a deeper search contains that of a shallower one."""
    rng = np.random.default_rng(2)
    points = np.sort(rng.random(15))
    lam = centred(rng.standard_normal(15), points)
    monkeypatch.setattr(module, "VISITS", 0)
    found = [DeepReflections(points, depth=depth).price(lam, 0.0, 5).correlations for depth in range(4, 9)]
    best = [np.abs(correlations).max() for correlations in found]
    assert np.all(np.diff(best) >= -1e-12)


def test_triple_reflection():
    """A kink at 6, the double reflection of 0 about -1 and across 2, reflected once more across 7: 8."""
    dictionary = DeepReflections(np.array([-1.0, 0.0, 2.0, 7.0]), depth=5)
    row = np.array([[0, 3, 2, 0, 1]])
    assert {6.0, 8.0} <= set(dictionary.pieces(row).breakpoints[0])
