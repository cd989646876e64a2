"""Shape constraints: the corners of the constrained unit balls, against linear programmes in function space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from convexnn.dictionaries.base import SplineNorm
from convexnn.dictionaries.shapes import Shape, Shapes

NORMS = {
    "relu": SplineNorm(1.0, coupled=True, flat=False),
    "abs": SplineNorm(0.5, coupled=True, flat=False),
    "narrow": SplineNorm(0.5, coupled=False, flat=True),
    "symmetrized": SplineNorm(0.5 / 2.0 ** (1.0 / 3.0), coupled=False, flat=True),
    "relu-skip": SplineNorm(1.0, coupled=False, flat=False),
    "abs-skip": SplineNorm(0.5, coupled=False, flat=False),
}
SHAPES = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c]
CASES = [(name, *shape) for name in NORMS for shape in SHAPES if not ("skip" in name and shape[0])]


def norm_value(norm, h):
    """Return R of slopes h, by the formulas of theory section 4."""
    variation, ends = np.abs(np.diff(h)).sum(), abs(h[0] + h[-1])
    if norm.flat:
        return norm.kink * (abs(h[0]) + variation + abs(h[-1]))
    return max(norm.kink * variation, 0.5 * (variation + ends)) if norm.coupled else norm.kink * variation


def support(norm, monotonic, convexity, moments):
    """Return max moments @ h over slopes of the shape with R <= 1, as a linear programme."""
    n = moments.size
    # variables: h (n), |kinks| (n - 1), |h_1|, |h_n|, |h_1 + h_n|
    size = n + n - 1 + 3
    turn = np.zeros((n - 1, size))
    turn[np.arange(n - 1), np.arange(n - 1) + 1], turn[np.arange(n - 1), np.arange(n - 1)] = 1.0, -1.0
    first, last, ends = np.zeros(size), np.zeros(size), np.zeros(size)
    first[0], last[n - 1], ends[0], ends[n - 1] = 1.0, 1.0, 1.0, 1.0
    ends = first + last
    rows, right = [], []
    for expressions, place in ((turn, n), (first[None], 2 * n - 1), (last[None], 2 * n), (ends[None], 2 * n + 1)):
        for k, row in enumerate(expressions):
            for sign in (1.0, -1.0):
                bound = sign * row
                bound[place + k] -= 1.0
                rows.append(bound)
                right.append(0.0)
    variation = np.zeros(size)
    variation[n : 2 * n - 1] = 1.0
    unit = np.eye(size)
    if norm.flat:
        balls = [norm.kink * (variation + unit[2 * n - 1] + unit[2 * n])]
    elif norm.coupled:
        balls = [norm.kink * variation, 0.5 * (variation + unit[2 * n + 1])]
    else:
        balls = [norm.kink * variation]
    rows += balls
    right += [1.0] * len(balls)
    if monotonic:
        rows += list(-monotonic * unit[:n])
        right += [0.0] * n
    if convexity:
        rows += list(-convexity * turn)
        right += [0.0] * (n - 1)
    cost = np.concatenate([-moments, np.zeros(size - n)])
    free = norm.coupled is False and not norm.flat
    bounds = [(-1e3, 1e3)] * n if free else [(None, None)] * n
    return -linprog(cost, A_ub=np.array(rows), b_ub=right, bounds=bounds + [(0, None)] * (size - n)).fun


def dual_vector(rng, x, skip):
    lam = rng.normal(size=x.size) * rng.integers(0, 2, size=x.size)
    free = np.column_stack([np.ones(x.size), x]) if skip else np.ones((x.size, 1))
    return lam - free @ np.linalg.lstsq(free, lam, rcond=None)[0]


@pytest.mark.parametrize(("name", "monotonic", "convexity"), CASES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 8))
def test_pricing_is_the_support_function(name, monotonic, convexity, seed, n):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, n))
    lam = dual_vector(rng, x, "skip" in name)
    dictionary = Shapes(x, norm=NORMS[name], shape=Shape(monotonic, convexity))
    priced = dictionary.price(lam, 0.0, 10**6)
    moments = np.diff(x) * np.cumsum(lam[::-1])[::-1][1:]
    assert priced.maximum == pytest.approx(support(NORMS[name], monotonic, convexity, moments), abs=1e-8)
    # what it names is in the set, costs at most one, and has the correlation that it says
    values = dictionary.evaluate(priced.features, x)
    np.testing.assert_allclose(lam @ values, priced.correlations, atol=1e-12)
    for k in range(len(priced.features)):
        h = np.diff(values[:, k]) / np.diff(x)
        assert norm_value(NORMS[name], h) <= 1.0 + 1e-9
        assert (monotonic * h >= -1e-12).all()
        assert (convexity * np.diff(h) >= -1e-9).all()
        slopes = dictionary.slopes(priced.features[k : k + 1], np.ones(1))
        np.testing.assert_allclose(slopes, h, atol=1e-9)
