"""Extended precision: sums against rational numbers, and bases of directions that all but depend on each other."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

from convexnn.dictionaries.capped import CappedRamps
from convexnn.dictionaries.ramps import Ramps
from convexnn.dictionaries.steps import Steps
from convexnn.dictionaries.symmetrized import Symmetrized
from convexnn.extended import EXTENDED, orthonormal, ramp_sums, scatter
from convexnn.solvers.solution import Solution

EPSILON = float(np.finfo(EXTENDED).eps)


def exact(values):
    return np.array([Fraction(*value.as_integer_ratio()) for value in values])


@pytest.mark.parametrize("size", [1, 2, 50])
def test_ramp_sums(size, rng):
    x, lam = np.sort(rng.random(size)), rng.normal(size=size).astype(EXTENDED)
    wanted = [sum(exact(lam) * np.maximum(exact(x) - Fraction(a), 0)) for a in x]
    assert np.abs(exact(ramp_sums(x, lam)) - wanted).max() <= 4 * size * EPSILON


def test_scatter(rng):
    rows, places = rng.normal(size=30).astype(EXTENDED), rng.integers(0, 7, 30)
    found = scatter(rows, places, 7)
    assert found.dtype == EXTENDED
    np.testing.assert_allclose(found.astype(float), np.bincount(places, rows.astype(float), 7), atol=1e-14)


@pytest.mark.parametrize("distance, rank", [(0.0, 2), (1e-14, 2), (1e-12, 3), (1e-6, 3)])
def test_directions_count_if_they_are_told_apart(distance, rank, rng):
    x, u, v = rng.random((3, 20)).astype(EXTENDED)
    basis = orthonormal(np.column_stack((x, u, x + distance * v)), 1e-13)
    assert basis.shape == (20, rank)
    np.testing.assert_allclose((basis.T @ basis - np.eye(rank)).astype(float), 0.0, atol=32 * EPSILON)


DICTIONARIES = {
    "ramps": lambda x: Ramps(x, slope=0.3, skip=False),
    "steps": lambda x: Steps(x, low=-1.0),
    "capped ramps": lambda x: CappedRamps(x),
    "symmetrized": lambda x: Symmetrized(x),
}


@pytest.mark.parametrize("make", DICTIONARIES.values(), ids=DICTIONARIES.keys())
def test_prices_are_those_of_doubles(make, rng):
    x, lam = np.sort(rng.random(40)), rng.normal(size=40)
    lam -= lam.mean()
    wanted, found = (make(x).price(point, 0.1, 10) for point in (lam, lam.astype(EXTENDED)))
    assert found.maximum == pytest.approx(wanted.maximum, rel=1e-13)
    np.testing.assert_array_equal(found.features, wanted.features)
    np.testing.assert_allclose(found.correlations, wanted.correlations, rtol=1e-12)


def test_pickles_hold_doubles_and_all_digits(rng):
    lam = rng.normal(size=20).astype(EXTENDED) / 3
    before = Solution((), (), 0.0, np.zeros(1), None, 1, lam=lam)
    text = pickle.dumps(before)
    assert lam.dtype.str[1:].encode() not in text or lam.dtype == np.float64
    found = pickle.loads(text).lam
    assert found.dtype == EXTENDED and (found == lam).all()
