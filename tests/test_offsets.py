"""Inputs far from zero: a fit is that of the inputs nearer to it, moved, in every form in which it can be read."""

from fractions import Fraction

import numpy as np
import pytest
from deep_reference import ROWS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convexnn import ConvexNNRegressor
from convexnn.canonical import canonicalize

OPTIONS = {
    **{name: {"activation": name} for name in ("relu", "leaky_relu", "abs", "sign", "threshold")},
    **{name: row.options for name, row in ROWS.items()},
}
# inputs are whole multiples of the spacing, so that offset + x is exact
OFFSETS = [(1.5e9, 2.0**-10), (2.0**20, 2.0**-20), (-(2.0**40), 2.0**-8)]
offsets = pytest.mark.parametrize(("offset", "spacing"), OFFSETS)


def fits(options, offset, spacing):
    """Return the fit of inputs near zero, that of the same inputs moved, and inputs near zero to compare at."""
    rng = np.random.default_rng(2)
    # a few ranges away from zero, so that both are centred, to the same numbers
    x = np.sort(rng.choice(np.arange(216.0, 297.0), size=12, replace=False))[:, None] * spacing
    y = np.sin(0.2 * x[:, 0] / spacing) + 0.3 * rng.normal(size=12)
    near = ConvexNNRegressor(**options).fit(x, y)
    near.set_params(alpha=0.03 * near.alpha_max_).fit(x, y)
    far = ConvexNNRegressor(**options, alpha=near.alpha).fit(offset + x, y)
    # every multiple of the spacing of doubles there, and beyond the data
    grain = max(np.spacing(abs(offset) * 2), spacing / 64)
    low, high = (edge * spacing / grain for edge in (196, 316))
    return near, far, np.concatenate([x, rng.integers(low, high, (300, 1)) * grain])


@offsets
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_moved_fit(name, skip, offset, spacing):
    near, far, x = fits({**OPTIONS[name], "skip_connection": skip}, offset, spacing)
    expected, X = near.predict(x), offset + x
    np.testing.assert_allclose(far.predict(X), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(far.network_(X), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(far.to_piecewise()(X[:, 0]), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-12)
    assert far.objective_ == pytest.approx(near.objective_, rel=1e-12)
    assert max(far.certify().relative_gap, far.dual_gap_) <= 1e-6
    for here, there in zip(near.breakpoints_, far.breakpoints_, strict=True):
        # never more than one double away, and no double between
        assert np.isin(there, np.concatenate([offset + here, np.nextafter(offset + here, np.inf)])).all()


@offsets
@pytest.mark.parametrize("name", ["abs3", "abs4", "symmetrized3", "leaky4", "sign4-tree22", "relu"])
def test_what_is_taken_away(tmp_path, name, offset, spacing):
    torch = pytest.importorskip("torch", reason="needs the extra export")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    near, far, x = fits({**OPTIONS[name], "skip_connection": True}, offset, spacing)
    expected, X = near.predict(x), offset + x
    space: dict = {}
    exec(far.to_python(), space)
    copy = ConvexNNRegressor.from_json(far.to_json())
    far.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        values = far.to_torch()(torch.as_tensor(X)).numpy()
    for found in (
        [space["predict"](v) for v in X[:, 0]],
        copy.predict(X),
        copy.network_(X),
        values,
        session.run(None, {"X": X})[0],
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_one_kink_at_any_scale(depth, scale):
    # the feature |x - a| has one breakpoint, however deep: nothing but the data says how far to look beside it
    x = scale * np.arange(6.0)
    model = ConvexNNRegressor(depth, activation="abs", alpha=1e-3 * scale).fit(x[:, None], np.abs(np.arange(6.0) - 2.0))
    assert model.certify().relative_gap <= 1e-9
    np.testing.assert_allclose(model.network_(x[:, None]), model.predict(x[:, None]), rtol=0, atol=1e-12)


@given(
    offset=st.sampled_from([0.0, 3.0, -1e6, 1.5e9, 2.0**52]),
    grains=st.lists(st.integers(-(2**12), 2**12), min_size=2, max_size=8, unique=True),
    places=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=8),
)
@settings(max_examples=200, deadline=None)
@example(offset=1.5e9, grains=[0, 1], places=[0.0])
def test_places_go_to_the_next_double(offset, grains, places):
    spacing = max(float(np.spacing(abs(offset) + 1.0)), 2.0**-20)
    x = np.sort(offset + spacing * np.array(grains))
    data = canonicalize(x[:, None], np.arange(x.size) * 1.0, None)
    axis = data.axes[0]
    np.testing.assert_array_equal(axis.place(axis.points), axis.origin)
    center, scale = Fraction(axis.center), Fraction(axis.scale)
    for place, found in zip(places, axis.place(np.array(places)), strict=True):
        exact = center + scale * Fraction(place)
        # the least double that is not below, one further at most where x - center rounds
        assert exact <= Fraction(found) or abs(exact - Fraction(found)) <= Fraction(2.0**-50) * scale
        assert Fraction(np.nextafter(found, -np.inf)) < exact + Fraction(2.0**-50) * scale
        assert (axis.origin >= found).tolist() == (axis.points >= place).tolist()


@pytest.mark.parametrize("ties", [1, 3])
@pytest.mark.parametrize("offset", [1.7e9, -(2.0**40)])
@pytest.mark.parametrize("name", OPTIONS)
def test_offset_targets_of_equal_inputs(name, offset, ties, rng):
    # means of equal inputs are those of the targets nearer to zero: else the certificate is of other data
    x = np.repeat(np.arange(10.0), ties)[:, None]
    spacing = 2.0**14 * np.spacing(abs(offset))
    y = offset + spacing * (20.0 * np.sin(x[:, 0]) + 2.0 * rng.normal(size=x.size))
    near = ConvexNNRegressor(**OPTIONS[name]).fit(x, y - offset)
    near.set_params(alpha=0.03 * near.alpha_max_).fit(x, y - offset)
    far = ConvexNNRegressor(**OPTIONS[name], alpha=near.alpha).fit(x, y)
    assert far.objective_ == pytest.approx(near.objective_, rel=1e-8)
    assert far.alpha_max_ == pytest.approx(near.alpha_max_, rel=1e-9)
    assert far.certify().dual <= near.objective_ * (1.0 + 1e-10)
    np.testing.assert_allclose(far.predict(x) - offset, near.predict(x), atol=2.0 * np.spacing(abs(offset)))
