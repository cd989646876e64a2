"""The order of the inputs by whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convexnn.canonical import _affine
from convexnn.sorting import sort

SAMPLES = {
    "even": lambda rng, n: rng.random(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n) ** 3,
    "two clusters": lambda rng, n: rng.integers(0, 2, n) + 1e-9 * rng.random(n),
    "a few neighbours": lambda rng, n: np.where(rng.random(n) < 1e-3, 1.0 + 1e-13 * rng.random(n), rng.random(n)),
    "ties": lambda rng, n: rng.integers(0, 50, n) / 7.0,
    "offset": lambda rng, n: 1e9 + rng.random(n),
    "tiny": lambda rng, n: 5e-324 * rng.integers(0, 1000, n),
    "huge": lambda rng, n: 1.7e308 * rng.uniform(-1.0, 1.0, n),
    "one outlier": lambda rng, n: np.concatenate([[1e300], rng.random(n - 1)]),
}


def check(x):
    out, order = sort(x, _affine(x)[0])
    np.testing.assert_array_equal(np.sort(order), np.arange(x.size))
    np.testing.assert_array_equal(x[order], np.sort(x))
    np.testing.assert_array_equal(out, x[order])


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65, 5000, 65536, 65537])
@pytest.mark.parametrize("kind", SAMPLES)
def test_order(kind, size, rng):
    check(SAMPLES[kind](rng, size))


@given(arrays(np.float64, st.integers(1, 300), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_order_of_any_numbers(x):
    check(x)
