"""From values to features: the representation is that function, outside the data too, and of least norm."""

import deep_reference as deep
import numpy as np
import pytest
from deep_reference import Row
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_checks import problems

from convexnn.dictionaries.capped import CappedRamps
from convexnn.dictionaries.ramps import Ramps
from convexnn.dictionaries.steps import Steps
from convexnn.dictionaries.switches import Switches
from convexnn.dictionaries.symmetrized import Symmetrized

SPLINES = {
    "relu": (Row(2, "relu"), False, lambda x: Ramps(x, slope=0.0, skip=False)),
    "relu, skip": (Row(2, "relu"), True, lambda x: Ramps(x, slope=0.0, skip=True)),
    "leaky": (Row(2, "leaky_relu", slope=0.5), False, lambda x: Ramps(x, slope=0.5, skip=False)),
    "leaky, skip": (None, True, lambda x: Ramps(x, slope=0.5, skip=True)),
    "abs": (Row(2, "abs"), False, lambda x: Ramps(x, slope=-1.0, skip=False)),
    "abs, skip": (Row(2, "abs"), True, lambda x: Ramps(x, slope=-1.0, skip=True)),
    "capped": (Row(3, "relu"), False, CappedRamps),
    "symmetrized": (Row(3, "relu"), False, Symmetrized),
}
STEPS = {
    "threshold": lambda x: Steps(x, low=0.0),
    "sign": lambda x: Steps(x, low=-1.0),
    "sign, two switches": lambda x: Switches(x, widths=(2,), low=-1.0),
}


@pytest.mark.parametrize("name", SPLINES)
@settings(max_examples=50)
@given(problem=problems(2), seed=st.integers(0, 2**32 - 1), trend=st.sampled_from([0.0, 0.5, -2.0]))
def test_splines(name, problem, seed, trend):
    row, skip, build = SPLINES[name]
    x, rng = problem[0], np.random.default_rng(seed)
    knots = np.flatnonzero(rng.random(x.size) < rng.choice([0.3, 0.9]))
    knots = np.unique([0, *knots, x.size - 1])
    slopes = trend + rng.choice([rng.normal(), rng.normal(), 0.0, 1.0], size=knots.size - 1)
    features, coef, slope = build(x).represent(knots, slopes)
    assert slope == 0.0 or skip
    assert len(np.unique(features, axis=0)) == len(features) == coef.size and np.all(coef != 0.0)
    beyond = np.concatenate([[x[0] - 1.0], x, [x[-1] + 1.0]])
    f = build(x).evaluate(features, beyond) @ coef + slope * beyond
    left, right = build(x).tails(slopes)
    if skip:  # the tails that ramps alone have do not count the line
        left, right = slopes[0], slopes[-1]
    wanted = np.concatenate([[left], np.repeat(slopes, np.diff(knots)), [right]])
    np.testing.assert_allclose(np.diff(f) / np.diff(beyond), wanted, atol=1e-7 * (1.0 + np.abs(slopes).max()))
    shape = build(x).spline_norm
    turns = np.abs(np.diff([0.0, *slopes, 0.0] if shape.flat else slopes)).sum()
    ends = 0.5 * (turns + abs(slopes[0] + slopes[-1])) if shape.coupled else 0.0
    assert np.abs(coef).sum() == pytest.approx(max(shape.kink * turns, ends), rel=1e-9, abs=1e-9)
    if row is not None:
        norm = deep.norm_in_function_space(x, f[1:-1], row, skip) / (2 ** (1 / 3) if name == "symmetrized" else 1.0)
        assert np.abs(coef).sum() == pytest.approx(norm, rel=1e-4 if name == "leaky" else 1e-7, abs=1e-7)


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=20)
@given(problem=problems(2))
def test_steps(name, problem):
    x, levels = problem[0], np.round(3 * problem[1])
    features, coef = STEPS[name](x).represent(levels)
    f = STEPS[name](x).evaluate(features, x) @ coef
    np.testing.assert_allclose(f - f[0], levels - levels[0], atol=1e-12)
    size = 1.0 if name == "threshold" else 2.0
    assert np.abs(coef).sum() == pytest.approx(np.abs(np.diff(levels)).sum() / size)
    assert np.all(coef != 0.0)
