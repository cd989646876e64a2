"""Two-layer dictionaries: ramps of every slope, and steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import (
    ACTIVATIONS,
    centred,
    check_batch,
    check_forms,
    check_origins,
    check_tight,
    problems,
    scale_of,
)

from convexnn.dictionaries.ramps import Ramps
from convexnn.dictionaries.steps import Steps

SLOPES = {"relu": 0.0, "leaky_relu": 0.3, "abs": -1.0}


def check_profile(dictionary, lam):
    """All features of one bias, with their correlations."""
    for _, rows, correlations in dictionary.profile(lam):
        values = dictionary.evaluate(rows, dictionary.points)
        np.testing.assert_allclose(correlations, lam @ values, atol=1e-12 * scale_of(dictionary.points, lam))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", SLOPES)
@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_ramps(activation, skip, problem):
    points, lam = problem
    slope, sigma = SLOPES[activation], ACTIVATIONS[activation]
    if skip:
        lam = centred(lam, points, points.size > 2)
    dictionary, scale = Ramps(points, slope=slope, skip=skip), scale_of(points, lam)
    values = np.column_stack([sigma(s * (points - a), slope) for a in points for s in (1.0, -1.0)])
    if skip:  # a ramp and its mirror image differ by a line
        values = values[:, ::2]
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-10, atol=1e-13 * scale)
    everything = check_batch(dictionary, lam, scale).features
    check_forms(dictionary, np.concatenate([everything, [[0, 1]]]), activation, slope)
    check_origins(dictionary, everything)
    check_profile(dictionary, lam)
    if not skip:
        check_tight(dictionary, lam, values, scale)


@pytest.mark.parametrize("activation", ["sign", "threshold"])
@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_steps(activation, problem):
    points, lam = problem
    low = -1.0 if activation == "sign" else 0.0
    dictionary = Steps(points, low=low)
    values = np.where(np.arange(points.size)[:, None] > np.arange(points.size - 1), 1.0, low)
    maximum = dictionary.price(lam, 0.0, 5).maximum
    np.testing.assert_allclose(maximum, np.abs(lam @ values).max(), rtol=1e-12, atol=1e-14)
    everything = check_batch(dictionary, lam, np.abs(lam).sum()).features
    check_forms(dictionary, np.concatenate([everything, [[0]]]), activation)
    check_origins(dictionary, everything)
    check_profile(dictionary, lam)
    check_tight(dictionary, lam, values, 1.0)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_batches_are_spread(count, seed):
    """Above the bound every excursion of the curve gives its largest feature, whatever the limit, as far as it goes."""
    rng = np.random.default_rng(seed)
    points, lam = np.sort(rng.normal(size=count)), rng.normal(size=count)
    lam -= lam.mean()
    dictionary = Steps(points, low=0.0)
    curve = lam @ dictionary.evaluate(np.arange(count - 1)[:, None], points)
    bound = 0.5 * np.abs(curve).max()
    stretches, inside = [], 0
    for n, value in enumerate(curve):
        sign = int(np.sign(value)) if abs(value) > bound else 0
        if sign and sign == inside:
            stretches[-1].append(n)
        elif sign:
            stretches.append([n])
        inside = sign
    best = {max(stretch, key=lambda n: abs(curve[n])) for stretch in stretches}
    assert best <= set(dictionary.price(lam, bound, 10**6).features[:, 0].tolist())
