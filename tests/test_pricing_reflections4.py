"""Narrow absolute value at depth four."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import centred, check_batch, check_forms, check_names, check_origins, check_tight, problems, scale_of

from convexnn.dictionaries.reflections import Reflections3
from convexnn.dictionaries.reflections4 import Reflections4


def fold(x, biases):
    h = np.asarray(x, dtype=float)[:, None]
    for bias in np.asarray(biases).T:
        h = np.abs(h - bias)
    return h


def library(x):
    """All biases of theory section 2: four families of a, then c and d from the distances u."""
    centres = list(x) + [(s + t) / 2 for s, t in itertools.combinations(x, 2)]
    centres += [(r + s + 2 * t) / 4 for r, s, t in itertools.product(x, repeat=3)]
    centres += [t + (r - s) / 2 for r, s, t in itertools.product(x, repeat=3)]
    biases = []
    for a in np.unique(np.round(centres, 14)):
        u = np.abs(x - a)
        for c in [*u, *((s + t) / 2 for s, t in itertools.combinations(u, 2))]:
            biases += [(a, c, abs(t - c)) for t in u]
    return np.array(biases)


@settings(max_examples=50, deadline=None)
@given(problems(2, 6))
def test_maximum_equals_the_library_of_the_theory(problem):
    points, lam = problem
    dictionary, values, scale = Reflections4(points), fold(points, library(points)), scale_of(points, lam)
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-9, atol=1e-12 * scale)
    rows = np.array(list(itertools.product(range(7), *[range(points.size)] * 3)))
    check_tight(dictionary, lam, dictionary.evaluate(rows, points), scale)


@settings(max_examples=50, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_no_real_bias_does_better(problem, seed):
    """Random biases, each then improved by coordinate moves onto the kinks of its piecewise-linear correlation."""
    points, lam = problem
    rng = np.random.default_rng(seed)
    span = np.ptp(points)
    biases = rng.uniform(-1, 1, (300, 3)) * span + [0.5 * (points[0] + points[-1]), 0, 0]
    best = np.abs(lam @ fold(points, biases)).max()
    for _ in range(12):
        width = span * 0.5 ** rng.uniform(0, 25, (300, 1))
        moved = biases + width * rng.standard_normal((300, 3)) * (rng.random((300, 3)) < 0.5)
        moved[:40] = on_kinks(points, moved[:40], rng)
        better = np.abs(lam @ fold(points, moved)) > np.abs(lam @ fold(points, biases))
        biases[better] = moved[better]
        best = max(best, np.abs(lam @ fold(points, biases)).max())
    assert best <= Reflections4(points).price(lam, 0.0, 1).maximum + 1e-9 * scale_of(points, lam)


def on_kinks(points, biases, rng):
    """Replace one bias of each triple by a value that puts a kink on a training point."""
    out = biases.copy()
    for row in out:
        layer = rng.integers(3)
        h = rng.choice(points)
        for bias in row[:layer]:
            h = abs(h - bias)
        row[layer] = h
    return out


@settings(max_examples=40, deadline=None)
@given(problems(2, 7))
def test_batch_and_forms(problem):
    points, lam = problem
    dictionary = Reflections4(points)
    everything = check_batch(dictionary, lam, scale_of(points, lam), limit=15).features
    check_forms(dictionary, everything, "abs")
    check_origins(dictionary, everything)
    check_names(dictionary, everything)
    assert dictionary.exact
    assert dictionary.price(lam, 0.0, 1).maximum >= Reflections3(points).price(lam, 0.0, 1).maximum * (1 - 1e-12)


@pytest.mark.parametrize("kind", range(7))
def test_every_kind_of_row(kind):
    points = np.array([0.0, 0.13, 0.3, 0.62, 1.0])
    rows = np.array([(kind, *ijk) for ijk in itertools.product(range(5), repeat=3)])
    dictionary = Reflections4(points)
    check_forms(dictionary, rows, "abs")
    check_origins(dictionary, rows)


@settings(max_examples=25, deadline=None)
@given(problems(6))
def test_thinned(problem):
    points, lam = problem
    chosen = np.array([0, 2, 3, points.size - 1])
    dictionary = Reflections4(points, candidates=chosen)
    biases = dictionary.biases(np.array([(k, *ijk) for k in range(7) for ijk in itertools.product(chosen, repeat=3)]))
    vertex = (np.arange(len(biases)) < 5 * 4**3) | (biases[:, 1] >= biases[:, 2])
    biases = biases[vertex]
    maximum = dictionary.price(lam, 0.0, 5).maximum
    expected = np.abs(lam @ fold(points, biases)).max()
    np.testing.assert_allclose(maximum, expected, rtol=1e-9, atol=1e-12 * scale_of(points, lam))
    features = check_batch(dictionary, lam, scale_of(points, lam), limit=15).features
    assert np.all(np.isin(features[:, 1:], chosen)) and not dictionary.exact


def test_double_reflection_of_the_paper():
    """0 reflected about -1 and then across 2 is a breakpoint at 6."""
    dictionary = Reflections4(np.array([-1.0, 0.0, 2.0]))
    row = np.array([[0, 2, 0, 1]])
    assert 6.0 in dictionary.pieces(row).breakpoints
    np.testing.assert_array_equal(dictionary.evaluate(row, np.array([-2.0, 0.0, 4.0, 6.0]))[:, 0], 0.0)


UNIQUE = [(1, 687, 7), (2, 14, 7), (3, 1264, 7), (4, 273, 7), (5, 3413, 10), (6, 119, 7)]


@pytest.mark.parametrize(("kind", "seed", "count"), UNIQUE)
def test_families_that_cannot_be_left_out(kind, seed, count):
    """Dual vectors whose maximum is in one family of rows alone."""
    rng = np.random.default_rng(seed)
    points = np.sort(rng.random(count))
    priced = Reflections4(points).price(centred(rng.standard_normal(count), points), 0.0, 60)
    size = np.abs(priced.correlations)
    assert set(priced.features[size >= size[0] * (1 - 1e-7), 0]) == {kind}
