"""Symmetrised ReLU at depth three."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import check_batch, check_forms, check_origins, check_tight, forward, problems, scale_of

from convexnn.dictionaries.capped import CappedRamps
from convexnn.dictionaries.symmetrized import Symmetrized

SIGNS = list(itertools.product([-1.0, 1.0], repeat=4))


def relu(u):
    return np.maximum(u, 0.0)


def library(points, chosen=None):
    """The paper's features: two signed ramps at training points, cut at their value at a third."""
    chosen = points if chosen is None else chosen
    columns = []
    for (w1, w2, s1, s2), a1, a2 in itertools.product(SIGNS, chosen, chosen):
        h = [w1 * relu(s1 * (x - a1)) + w2 * relu(s2 * (x - a2)) for x in (points, chosen)]
        columns += [relu(h[0] - level) for level in h[1]]
    return np.array(columns).T / 2 ** (2 / 3)


@settings(max_examples=60, deadline=None)
@given(problems(2, 7))
def test_maximum_equals_explicit_library(problem):
    points, lam = problem
    dictionary, values, scale = Symmetrized(points), library(points), scale_of(points, lam)
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-10, atol=1e-13 * scale)
    ends, tops = (pick(range(points.size), 2) for pick in (itertools.combinations, itertools.combinations_with_replacement))
    rows = [(0, i, j, -1) for i, j in ends]
    rows += [(1, i, j, k) for i, j in tops for k in range(points.size) if not i <= k <= j]
    check_tight(dictionary, lam, dictionary.evaluate(np.array(rows), points), scale)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_no_real_bias_does_better(problem, seed):
    points, lam = problem
    rng = np.random.default_rng(seed)
    span, count = np.ptp(points), 20_000
    w1, w2, s1, s2 = rng.choice([-1.0, 1.0], (4, count))
    a1, a2, t = rng.uniform(points[0] - span, points[-1] + span, (3, count))
    a1, a2, t = (np.where(rng.random(count) < 0.5, rng.choice(points, count), a) for a in (a1, a2, t))
    h = [w1 * relu(s1 * (x - a1)) + w2 * relu(s2 * (x - a2)) for x in (points[:, None], t)]
    best = np.abs(lam @ relu(h[0] - h[1])).max() / 2 ** (2 / 3)
    assert best <= Symmetrized(points).price(lam, 0.0, 1).maximum + 1e-9 * scale_of(points, lam)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_narrow_relu_with_a_smaller_penalty(problem):
    points, lam = problem
    narrow = CappedRamps(points).price(lam, 0.0, 1).maximum
    np.testing.assert_allclose(Symmetrized(points).price(lam, 0.0, 1).maximum, 2 ** (1 / 3) * narrow, rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_batch_and_forms(problem):
    points, lam = problem
    dictionary = Symmetrized(points)
    everything = check_batch(dictionary, lam, scale_of(points, lam), limit=12).features
    check_forms(dictionary, everything, "relu")
    check_origins(dictionary, everything)
    assert dictionary.exact


@settings(max_examples=30, deadline=None)
@given(problems(3), st.integers(0, 2**32 - 1))
def test_forms_of_trapezoids(problem, seed):
    points, _ = problem
    triples = itertools.product(range(points.size), repeat=3)
    rows = np.array([(1, i, j, k) for i, j, k in triples if i <= j and not i <= k <= j])
    rows = np.random.default_rng(seed).permutation(rows)[:30]
    dictionary = Symmetrized(points)
    check_forms(dictionary, rows, "relu")
    check_origins(dictionary, rows)
    knots = dictionary.pieces(rows).breakpoints
    mirror = points[rows[:, 1]] + points[rows[:, 2]] - points[rows[:, 3]]
    assert np.all(np.abs(knots - mirror[:, None]).min(axis=1) <= 1e-12)


@settings(max_examples=30, deadline=None)
@given(problems(5))
def test_thinned(problem):
    points, lam = problem
    dictionary = Symmetrized(points, candidates=np.array([1, 3]))
    narrow = CappedRamps(points, candidates=np.array([1, 3])).price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(dictionary.price(lam, 0.0, 5).maximum, 2 ** (1 / 3) * narrow, rtol=1e-14)
    check_batch(dictionary, lam, scale_of(points, lam), limit=12)
    assert not dictionary.exact


def test_weights_have_one_size_per_layer():
    units = Symmetrized(np.arange(5.0)).units(np.array([[0, 1, 3, -1], [1, 1, 2, 4]]))
    for weights in units.weights:
        np.testing.assert_allclose(np.abs(weights), 2 ** (-1 / 3))
    assert forward(units, [2.0], "relu").shape == (1, 2)


def test_strongest_trapezoids_are_offered():
    """F is 0, -1, 0, -1, 0 at the points: the trapezoid with its top from 1 to 3 is as good as each of its two ramps."""
    priced = Symmetrized(np.arange(5.0)).price(np.array([-1.0, 2.0, -2.0, 2.0, -1.0]), 0.0, 60)
    found = dict(zip(map(tuple, priced.features.tolist()), priced.correlations, strict=True))
    both = [found[row] for row in [(1, 1, 3, 0), (1, 1, 3, 4)] if row in found]
    assert both and np.abs(both[0]) == pytest.approx(priced.maximum, rel=1e-14)
