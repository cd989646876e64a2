"""The order of the inputs by 16-bit keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convexnn.canonical import _affine
from convexnn.sorting import KEYS, sorted_order

SAMPLES = {
    "even": lambda rng, n: rng.random(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n) ** 3,
    "two clusters": lambda rng, n: rng.integers(0, 2, n) + 1e-9 * rng.random(n),
    "ties": lambda rng, n: rng.integers(0, 50, n) / 7.0,
    "offset": lambda rng, n: 1e9 + rng.random(n),
    "tiny": lambda rng, n: 5e-324 * rng.integers(0, 1000, n),
    "huge": lambda rng, n: 1.7e308 * rng.uniform(-1.0, 1.0, n),
    "one outlier": lambda rng, n: np.concatenate([[1e300], rng.random(n - 1)]),
}


def check(x):
    order = sorted_order(x, *_affine(x))
    np.testing.assert_array_equal(np.sort(order), np.arange(x.size))
    np.testing.assert_array_equal(x[order], np.sort(x))


@pytest.mark.parametrize("size", [2, 3, 70, 5000, KEYS, KEYS + 1])
@pytest.mark.parametrize("kind", SAMPLES)
def test_order(kind, size, rng):
    check(SAMPLES[kind](rng, size))


@given(arrays(np.float64, st.integers(2, 300), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_order_of_any_numbers(x):
    check(x)
