"""One point, two points, zero dual vectors and empty batches, for every deep dictionary."""

import math

import numpy as np
import pytest

from convexnn.dictionaries import enumeration
from convexnn.dictionaries.capped import CappedRamps
from convexnn.dictionaries.deep_reflections import DeepReflections
from convexnn.dictionaries.monotone import MonotoneRamps
from convexnn.dictionaries.reflections import Reflections3
from convexnn.dictionaries.reflections4 import Reflections4
from convexnn.dictionaries.switches import Switches
from convexnn.dictionaries.symmetrized import Symmetrized

BUILD = {
    "capped": lambda x: CappedRamps(x, depth=4),
    "deep reflections": lambda x: DeepReflections(x, depth=5, midpoints=True),
    "monotone": lambda x: MonotoneRamps(x, depth=4, slope=0.1),
    "reflections 3": Reflections3,
    "reflections 4": Reflections4,
    "switches": lambda x: Switches(x, widths=(2, 2), low=-1.0),
    "symmetrized": Symmetrized,
}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", BUILD)
def test_nothing_to_price(name, count):
    dictionary = BUILD[name](np.arange(float(count)))
    priced = dictionary.price(np.zeros(count), 0.0, 5)
    assert priced.maximum == 0.0 and len(priced.features) == len(priced.correlations) == 0


@pytest.mark.parametrize("name", BUILD)
def test_two_points_have_one_shape(name):
    """Every unit is, on two points, a multiple of the same step."""
    dictionary = BUILD[name](np.array([1.0, 3.0]))
    priced = dictionary.price(np.array([-1.0, 1.0]), 0.1, 5)
    steps = np.diff(dictionary.evaluate(priced.features, dictionary.points), axis=0)
    np.testing.assert_allclose(np.abs(steps).max(), priced.maximum, rtol=1e-14)


@pytest.mark.parametrize("name", BUILD)
def test_empty_batch_has_every_form(name):
    dictionary = BUILD[name](np.arange(4.0))
    empty = dictionary.price(np.zeros(4), 0.0, 5).features
    assert dictionary.evaluate(empty, np.arange(7.0)).shape == (7, 0)
    assert len(dictionary.pieces(empty).breakpoints) == len(dictionary.units(empty).weights[0]) == 0
    assert dictionary.origins(empty) == []


@pytest.mark.parametrize("name", BUILD)
def test_bound_and_input_are_left_alone(name):
    dictionary = BUILD[name](np.array([0.0, 0.2, 0.5, 1.0]))
    lam = np.array([1.0, -3.0, 2.5, -0.5])
    lam.flags.writeable = False
    first = dictionary.price(lam, 0.0, 4)
    second = dictionary.price(lam, 0.0, 4)
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.correlations, second.correlations)


@pytest.mark.parametrize("name", BUILD)
def test_a_feature_at_the_bound_is_tight(name):
    """In numbers that are exact, so that the bound is met and not just missed."""
    dictionary, lam = BUILD[name](np.arange(5.0)), np.array([1.0, -3.0, 2.5, -2.0, 1.5])
    best = dictionary.price(lam, 0.0, 1)
    rows = dictionary.tight(lam, best.maximum).tolist()
    assert best.features.tolist()[0] in rows
    assert len(dictionary.tight(lam, 1.001 * best.maximum)) == 0


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("monotone", 2**3 * math.comb(4 + 2, 3)),
        ("reflections 3", 2 * 4**2),
        ("reflections 4", 7 * 4**3),
        ("deep reflections", 4**4 + 7 * 4**3),
    ],
)
def test_too_many_features_are_not_listed(name, features, monkeypatch):
    """The limit is on values: features, or a bound on their number, times points."""
    dictionary, lam = BUILD[name](np.arange(4.0)), np.array([1.0, -3.0, 2.5, -0.5])
    monkeypatch.setattr(enumeration, "VALUES", 4 * features)
    rows = dictionary.tight(lam, 1.0)
    assert len(rows)
    monkeypatch.setattr(enumeration, "BLOCK", 4)  # one row at a time
    np.testing.assert_array_equal(dictionary.tight(lam, 1.0), rows)
    monkeypatch.setattr(enumeration, "VALUES", 4 * features - 1)
    with pytest.raises(ValueError, match=f"{features} features over 4 distinct inputs"):
        dictionary.tight(lam, 1.0)
