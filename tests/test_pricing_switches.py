"""Deep sign and threshold networks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import check_batch, check_forms, check_origins, check_tight, forward, problems

from convexnn.dictionaries import switches as module
from convexnn.dictionaries.base import Units
from convexnn.dictionaries.switches import Switches

WIDTHS = st.sampled_from([(1,), (2,), (3,), (50,), (3, 1), (2, 2), (1, 2), (3, 2), (2, 2, 2), (2, 1, 3)])
LOW = {"sign": -1.0, "threshold": 0.0}


def library(count, switches, low):
    """Every vector of two values with at most so many switches, written out."""
    patterns = np.array(list(itertools.product([low, 1.0], repeat=count)))
    return patterns[np.sum(np.diff(patterns) != 0, axis=1) <= switches].T


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize("activation", LOW)
@settings(max_examples=60, deadline=None)
@given(problem=problems(), widths=WIDTHS)
def test_maximum_equals_explicit_library(tables, activation, problem, widths):
    points, lam = problem
    dictionary = Switches(points, widths=widths, low=LOW[activation])
    values = library(points.size, math.prod(widths), LOW[activation])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TABLE_LIMIT", 10**9 if tables else 0)
        priced = dictionary.price(lam, 0.0, 3)
    np.testing.assert_allclose(priced.maximum, np.abs(lam @ values).max(), rtol=1e-12, atol=1e-13)
    check_tight(dictionary, lam, values, 1.0)


@pytest.mark.parametrize("activation", LOW)
@pytest.mark.parametrize("widths", [(2,), (3, 1), (2, 2), (3, 2)])
@settings(max_examples=15, deadline=None)
@given(problem=problems(5), seed=st.integers(0, 2**32 - 1))
def test_no_real_weights_do_better(activation, widths, problem, seed):
    points, lam = problem
    rng = np.random.default_rng(seed)
    units = random_trees(rng, points, widths, 300)
    best = np.abs(lam @ forward(units, points, activation)).max()
    assert best <= Switches(points, widths=widths, low=LOW[activation]).price(lam, 0.0, 1).maximum + 1e-12


def random_trees(rng, points, widths, count):
    """Tree units with random weights and biases, first-layer thresholds among the points."""
    leaves = math.prod(widths)
    slopes = rng.choice([-1.0, 1.0], (count, 1, leaves))
    weights, biases = [slopes], [-slopes[:, 0] * rng.uniform(points[0] - 0.1, points[-1] + 0.1, (count, leaves))]
    for width in widths:
        block = np.kron(np.eye(leaves // width), np.ones((width, 1)))
        weights.append(block * rng.choice([-1.0, 1.0], (count, leaves, 1)))
        leaves //= width
        biases.append(rng.uniform(-width, width, (count, leaves)))
    return Units(tuple(weights), tuple(biases))


@pytest.mark.parametrize("activation", LOW)
@settings(max_examples=60, deadline=None)
@given(problem=problems(), widths=WIDTHS)
def test_batch_and_forms(activation, problem, widths):
    points, lam = problem
    dictionary = Switches(points, widths=widths, low=LOW[activation])
    everything = check_batch(dictionary, lam, np.abs(lam).sum()).features
    check_forms(dictionary, everything, activation)
    check_origins(dictionary, everything)
    assert len(dictionary.units(everything).weights) == len(widths) + 1


@pytest.mark.parametrize("activation", LOW)
@settings(max_examples=30, deadline=None)
@given(problem=problems(4), widths=WIDTHS, seed=st.integers(0, 2**32 - 1))
def test_units_of_any_pattern(activation, problem, widths, seed):
    points, _ = problem
    dictionary = Switches(points, widths=widths, low=LOW[activation])
    rng = np.random.default_rng(seed)
    rows = np.full((6, dictionary.switches), -1)
    for row in rows:
        size = rng.integers(1, dictionary.switches + 1)
        row[:size] = np.sort(rng.choice(points.size - 1, size, replace=False))
    check_forms(dictionary, rows, activation)


@settings(max_examples=30, deadline=None)
@given(problem=problems(5), widths=WIDTHS)
def test_thinned(problem, widths):
    points, lam = problem
    dictionary = Switches(points, widths=widths, low=-1.0, candidates=np.array([1, 3]))
    patterns = library(points.size, math.prod(widths), -1.0)
    allowed = np.all(np.delete(np.diff(patterns, axis=0), [1, 3], axis=0) == 0, axis=0)
    expected = np.abs(lam @ patterns[:, allowed]).max()
    np.testing.assert_allclose(dictionary.price(lam, 0.0, 5).maximum, expected, atol=1e-12)
    assert not dictionary.exact


@pytest.mark.parametrize("width", [5, 6, 500])
def test_merging_agrees_with_tables_on_many_points(width, monkeypatch):
    rng = np.random.default_rng(width)
    points, lam = np.sort(rng.random(3000)), rng.standard_normal(3000)
    dictionary = Switches(points, widths=(width,), low=-1.0)
    tables = dictionary.price(lam - lam.mean(), 0.0, 20)
    monkeypatch.setattr(module, "TABLE_LIMIT", 0)
    merged = dictionary.price(lam - lam.mean(), 0.0, 20)
    np.testing.assert_allclose(merged.maximum, tables.maximum, rtol=1e-12)
    assert min(len(tables.features), len(merged.features)) >= 5


def test_one_point_has_no_features():
    priced = Switches(np.array([3.0]), widths=(2,), low=0.0).price(np.zeros(1), 0.0, 5)
    assert priced.maximum == 0.0 and len(priced.features) == 0
