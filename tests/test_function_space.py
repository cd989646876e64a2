"""The norms in function space: closed forms against linear programmes on the explicit dictionary, and against fits."""

import deep_reference as deep
import numpy as np
import pytest
from deep_reference import Row
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from convexnn import ConvexNNRegressor
from convexnn.kernels.total_variation import denoise

# (row, skip): every line of the table of norms in function space.
LINES = {
    "relu2": (Row(2, "relu"), False),
    "relu2-skip": (Row(2, "relu"), True),
    "leaky2": (Row(2, "leaky_relu"), False),
    "leaky2-steep": (Row(2, "leaky_relu", slope=0.5), False),
    "abs2": (Row(2, "abs"), False),
    "abs2-skip": (Row(2, "abs"), True),
    "relu3": (Row(3, "relu"), False),
    "relu10": (Row(10, "relu"), False),
    "sign2": (Row(2, "sign"), False),
    "threshold2": (Row(2, "threshold"), False),
    "sign3-all": (Row(3, "sign", "parallel", 7), False),
    "sign4-tree-all": (Row(4, "sign", "tree", (4, 2)), False),
    "threshold3-all": (Row(3, "threshold", "parallel", 20), False),
    "threshold5-tree-all": (Row(5, "threshold", "tree", (2, 2, 2)), False),
}
EXAMPLES = settings.default.max_examples  # 25, many more in the nightly profile
each_line = pytest.mark.parametrize("line", LINES)


@st.composite
def curves(draw):
    """Draw sorted distinct points, random or equally spaced, and values, random, integer, trending or partly flat."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    count = draw(st.integers(3, 8))
    x = np.arange(count) - 2.0 if draw(st.booleans()) else np.cumsum(rng.uniform(0.1, 2.0, size=count))
    f = rng.normal(size=count) + draw(st.sampled_from([0.0, 0.7, -3.0])) * x
    shape = draw(st.sampled_from(["as is", "integers", "flat"]))
    if shape == "flat":
        f[count // 2 :] = f[count // 2]
    return x, np.round(3 * f) if shape == "integers" else f


@each_line
def test_norm_is_the_linear_programme(line):
    row, skip = LINES[line]

    @settings(max_examples=2 * EXAMPLES)
    @given(curve=curves())
    def check(curve):
        x, f = curve
        by_programme = deep.smallest_norm(x, f, row, skip)
        close = pytest.approx(by_programme, rel=1e-4 if row.activation == "leaky_relu" else 1e-9, abs=1e-9)
        assert deep.norm_in_function_space(x, f, row, skip) == close

    check()


@each_line
def test_fit_has_the_least_norm_of_its_values(line):
    row, skip = LINES[line]

    @settings(max_examples=2 * EXAMPLES)
    @given(curve=curves(), fraction=st.sampled_from([0.5, 0.1, 0.01]))
    def check(curve, fraction):
        x, y = curve
        options = {**row.options, "skip_connection": skip, "tol": 1e-12}
        top = ConvexNNRegressor(**options, alpha=1e9).fit(x[:, None], y).alpha_max_
        assume(top > 1e-9)
        model = ConvexNNRegressor(**options, alpha=fraction * top).fit(x[:, None], y)
        norm = deep.norm_in_function_space(x, model.predict(x[:, None]), row, skip)
        close = {"rel": 1e-3 if row.activation == "leaky_relu" else 1e-6, "abs": 1e-9 * np.ptp(y)}
        assert np.abs(model.coef_).sum() == pytest.approx(norm, **close)

    check()


@pytest.mark.parametrize("activation", ["sign", "threshold"])
@pytest.mark.parametrize("depth", [3, 4])
def test_enough_switches_clip_the_data(activation, depth, rng):
    """With the norm (max - min) / size the optimum clips y to an interval whose excess on each side is beta / size."""
    X, y, alpha = rng.normal(size=(50, 1)), rng.normal(size=50), 0.02
    beta = 50 * alpha / (2 if activation == "sign" else 1)
    high = brentq(lambda level: np.maximum(y - level, 0).sum() - beta, y.min(), y.max())
    low = brentq(lambda level: np.maximum(level - y, 0).sum() - beta, y.min(), y.max())
    options = {"activation": activation, "architecture": "parallel", "width": 49, "tol": 1e-10}
    model = ConvexNNRegressor(depth, **options, alpha=alpha).fit(X, y)
    np.testing.assert_allclose(model.predict(X), np.clip(y, low, high), atol=1e-5)


def test_denoising_stands_weights_of_very_different_sizes():
    rng = np.random.default_rng(11)
    for _ in range(2000):
        y, w, penalty = rng.normal(size=5), 10.0 ** rng.uniform(-30, 0, 5), 10.0 ** rng.uniform(-30, 0)
        assert np.isfinite(denoise(y, w, penalty)).all()
