"""Narrow absolute value at depth three."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import centred, check_batch, check_forms, check_names, check_origins, check_tight, problems, scale_of

from convexnn.dictionaries.reflections import Reflections3


def library(points, midpoints=True, chosen=None):
    """The stated dictionary, written out: (a, c) pairs and the values of the features."""
    chosen = points if chosen is None else chosen
    pairs = [(a, abs(t - a)) for a in chosen for t in chosen]
    if midpoints:
        pairs += [((s + t) / 2, (t - s) / 2) for s, t in itertools.combinations(chosen, 2)]
    return fold(points, np.array(pairs))


def fold(x, biases):
    h = x[:, None]
    for bias in biases.T:
        h = np.abs(h - bias)
    return h


@pytest.mark.parametrize("midpoints", [True, False])
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_maximum_equals_explicit_library(midpoints, problem):
    points, lam = problem
    dictionary, values = Reflections3(points, midpoints=midpoints), library(points, midpoints)
    expected, scale = np.abs(lam @ values).max(), scale_of(points, lam)
    np.testing.assert_allclose(dictionary.price(lam, 0.0, 5).maximum, expected, rtol=1e-10, atol=1e-13 * scale)
    check_tight(dictionary, lam, values, scale)


@settings(max_examples=50, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_no_real_bias_does_better(problem, seed):
    points, lam = problem
    rng = np.random.default_rng(seed)
    span = np.ptp(points)
    a = np.concatenate([np.linspace(points[0] - span, points[-1] + span, 120), (points[:, None] + points).ravel() / 2])
    c = np.concatenate([np.linspace(-span, 2 * span, 120), np.abs(points[:, None] - points).ravel() / 2, rng.random(9)])
    features = fold(points, np.array(list(itertools.product(a, c))))
    # the library without midpoints is enough for most dual vectors
    for dual in [lam, *centred(rng.standard_normal((points.size, 20)), points).T]:
        best = np.abs(dual @ features).max()
        assert best <= Reflections3(points).price(dual, 0.0, 1).maximum + 1e-9 * scale_of(points, dual)


@pytest.mark.parametrize("midpoints", [True, False])
@settings(max_examples=40, deadline=None)
@given(problem=problems())
def test_batch_and_forms(midpoints, problem):
    points, lam = problem
    dictionary = Reflections3(points, midpoints=midpoints)
    everything = check_batch(dictionary, lam, scale_of(points, lam)).features
    check_forms(dictionary, everything, "abs")
    check_origins(dictionary, everything)
    check_names(dictionary, everything)
    for unit in (2.0**40, 2.0**-40):  # names do not depend on the unit of the inputs
        assert Reflections3(unit * points, midpoints=midpoints).origins(everything) == dictionary.origins(everything)
    middles = everything[everything[:, 0] == 1]
    assert dictionary.exact == midpoints and np.all(middles[:, 1] < middles[:, 2])


@settings(max_examples=40, deadline=None)
@given(problems(5), st.booleans())
def test_thinned(problem, midpoints):
    points, lam = problem
    chosen = np.array([0, 1, 3, points.size - 1])
    dictionary = Reflections3(points, midpoints=midpoints, candidates=chosen)
    expected = np.abs(lam @ library(points, midpoints, points[chosen])).max()
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, expected, rtol=1e-10, atol=1e-13 * scale_of(points, lam))
    features = check_batch(dictionary, lam, scale_of(points, lam)).features
    assert np.all(np.isin(features[:, 1:], chosen)) and not dictionary.exact


def test_midpoints_beat_the_data_library():
    rng = np.random.default_rng(1)
    better = 0
    for _ in range(30):
        points = np.sort(rng.random(7))
        lam = centred(rng.standard_normal(7), points)
        exact, data = (Reflections3(points, midpoints=m).price(lam, 0.0, 1).maximum for m in (True, False))
        better += exact > data * (1 + 1e-6)
        assert exact >= data * (1 - 1e-12)
    assert better >= 1


def test_reflection_of_the_paper():
    """0 reflected across 1 is a breakpoint at 2, which is not a training point."""
    dictionary = Reflections3(np.array([0.0, 1.0, 5.0]))
    row = np.array([[0, 1, 0]])
    np.testing.assert_array_equal(dictionary.pieces(row).breakpoints, [[0.0, 1.0, 2.0]])
    assert dictionary.origins(row) == [[("data", (0,)), ("data", (1,)), ("reflection", (0, 1))]]
    assert dictionary.origins(np.array([[1, 0, 2]])) == [[("data", (0,)), ("midpoint", (0, 2)), ("data", (2,))]]
    np.testing.assert_array_equal(dictionary.evaluate(row, np.array([-1.0, 0.0, 1.0, 2.0, 3.0]))[:, 0], [1, 0, 1, 0, 1])


def test_many_points_agree_with_sorting_by_distance():
    """At N = 400 the two pointers agree with a direct O(N^3) evaluation of the best centre."""
    rng = np.random.default_rng(2)
    points = np.sort(rng.random(400))
    lam = centred(rng.standard_normal(400), points)
    priced = Reflections3(points).price(lam, 0.0, 50)
    best = max(np.abs(lam @ np.abs(np.abs(points[:, None] - a) - np.abs(points - a))).max() for a in points)
    for i in range(399):
        half = 0.5 * (points[i + 1 :] - points[i])
        best = max(best, np.abs(lam @ np.abs(np.abs(points[:, None] - points[i] - half) - half)).max())
    np.testing.assert_allclose(priced.maximum, best, rtol=1e-12)
    np.testing.assert_allclose(np.abs(priced.correlations[0]), best, rtol=1e-12)
