"""The loss objects: conjugates by the Fenchel-Young inequality, derivatives by differences, models above, best constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from convexnn.losses import LOGISTIC, SQUARED, Envelope, make_loss

LOSSES = {
    "squared": SQUARED,
    "huber": make_loss("huber", 0.5, 0.7),
    "absolute": make_loss("absolute", 0.5, 1.0),
    "pinball": make_loss("pinball", 0.8, 1.0),
    "lopsided huber": Envelope(-0.2, 1.5, 0.3),
    "logistic": LOGISTIC,
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
fits = st.floats(-30, 30)
shares = st.floats(0, 1)


def written_out(loss, f, y):
    """Return the loss by its textbook formula."""
    r = y - f
    if loss is LOGISTIC:
        return np.logaddexp(0, f) - y * f
    if loss is SQUARED:
        return r * r / 2
    if loss.width == 0:
        return max(loss.low * r, loss.high * r)
    slope = loss.high if r > 0 else loss.low
    return r * r / 2 / loss.width if loss.low < r / loss.width < loss.high else slope * r - loss.width * slope**2 / 2


def target(loss, share):
    """Return a target that the loss can have."""
    return share if loss is LOGISTIC else 20 * share - 10


def inside(loss, y, share):
    """Return a dual variable in the interval of the loss."""
    low, high = np.clip(loss.interval(y), -50, 50)
    return low + share * (high - low)


@each_loss
@given(f=fits, share=shares)
def test_value_is_the_formula(loss, f, share):
    y = target(loss, share)
    assert loss.value(np.float64(f), np.float64(y)) == pytest.approx(written_out(loss, f, y), rel=1e-12, abs=1e-14)


@each_loss
@given(f=fits, share=shares, at=shares)
def test_fenchel_young(loss, f, share, at):
    f, y = np.float64(f), np.float64(target(loss, share))
    v = inside(loss, y, at)
    sum_of_parts = loss.value(f, y) + loss.conjugate(v, y) + v * f
    excess = loss.excess(f, v, y)
    assert excess >= 0
    assert excess == pytest.approx(sum_of_parts, abs=1e-12 * (1 + abs(f) + abs(v * y) + v * v))


@each_loss
@given(f=fits, share=shares)
def test_fenchel_young_is_tight_at_the_derivative(loss, f, share):
    f, y = np.float64(f), np.float64(target(loss, share))
    v = loss.dual(f, y)
    low, high = loss.interval(y)
    assert low <= v <= high
    assert loss.excess(f, v, y) <= 1e-15


@each_loss
@given(share=shares, at=shares)
def test_conjugate_is_the_largest_difference(loss, share, at):
    y = target(loss, share)
    v = inside(loss, y, 0.05 + 0.9 * at)
    f = np.linspace(-80, 80, 64_001)
    attained = (-v * f - loss.value(f, np.full(f.shape, y))).max()
    assert loss.conjugate(np.float64(v), np.float64(y)) == pytest.approx(attained, abs=3e-3)  # the grid is 0.0025 wide
    assert loss.conjugate(np.float64(v), np.float64(y)) >= attained - 1e-9


@each_loss
@given(f=fits, share=shares)
def test_derivative_by_differences(loss, f, share):
    y, h = target(loss, share), 1e-6
    before, after = (loss.value(np.float64(f + d), np.float64(y)) for d in (-h, h))
    if loss.smooth or abs(y - f) > h:
        assert loss.dual(np.float64(f), np.float64(y)) == pytest.approx((before - after) / (2 * h), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("loss", [x for x in LOSSES.values() if x.smooth], ids=[n for n, x in LOSSES.items() if x.smooth])
@given(f=fits, g=fits, share=shares)
def test_majorizer_lies_above(loss, f, g, share):
    f, g, y = np.float64(f), np.float64(g), np.float64(target(loss, share))
    model = loss.value(f, y) - loss.dual(f, y) * (g - f) + loss.majorizer(f, y) * (g - f) ** 2 / 2
    assert loss.value(g, y) <= model + 1e-12 * (1 + abs(model))
    assert loss.curvature(f, y) > 0


@each_loss
@given(seed=st.integers(0, 1000), n=st.integers(1, 40))
def test_best_constant(loss, seed, n):
    rng = np.random.default_rng(seed)
    y, w = rng.normal(size=n), rng.uniform(0.1, 2, size=n)
    y = rng.uniform(0.01, 0.99, size=n) if loss is LOGISTIC else np.round(y, 1)

    def cost(c):
        return float(w @ loss.value(np.full(n, c), y))

    best = minimize_scalar(cost, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10})
    assert cost(loss.best_constant(y, w)) <= best.fun * (1 + 1e-12) + 1e-14


@each_loss
@given(f=fits, share=shares, power=st.integers(-3, 3))
def test_scaled(loss, f, share, power):
    unit, y = 2.0**power, np.float64(target(loss, share))
    small, factor = loss.scaled(unit)
    unit = unit if loss.shifts else 1.0
    assert factor * small.value(np.float64(f), y) == pytest.approx(loss.value(np.float64(unit * f), unit * y), rel=1e-12)
