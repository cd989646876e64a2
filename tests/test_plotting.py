"""The displays: what is drawn is what the library says, names come from the data, and the pictures look as they did.

``CONVEXNN_DRAW=1 python -m pytest -n 0 tests/test_plotting.py`` draws the pictures of ``tests/pictures`` anew: look at them.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convexnn import ConvexNNAutoregressor, ConvexNNClassifier, ConvexNNRegressor, ConvexNNRegressorCV, convex_nn_path
from convexnn.datasets import load_mcycle, load_sunspots
from convexnn.plotting import (
    CertificateDisplay,
    CorrelationCurve,
    FeatureCurve,
    FeatureDisplay,
    FitDisplay,
    FitPanel,
    ForecastDisplay,
    PathDisplay,
    Reflection,
)
from convexnn.plotting._style import DARK, LIGHT, palette

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra plot")
plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra plot")
PICTURES = Path(__file__).parent / "pictures"
X, Y = load_mcycle(return_X_y=True, as_frame=True)
NETWORKS = [
    {},
    {"activation": "abs", "skip_connection": True},
    {"activation": "threshold"},
    {"depth": 3},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "activation": "leaky_relu"},
    {"depth": 3, "architecture": "symmetrized"},
    {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
]
networks = pytest.mark.parametrize("options", NETWORKS, ids=str)


@pytest.fixture(autouse=True)
def headless():
    matplotlib.use("Agg")


@pytest.fixture(scope="module")
def folded():
    """Return a network whose features reflect."""
    model = ConvexNNRegressor(3, activation="abs", alpha=0.02)
    return model.fit(pd.DataFrame({"dose": [-1.0, 0.0, 1.0, 2.0, 3.0, 7.0]}), [1.0, 0.0, 1.0, 0.0, 1.0, 0.5])


@networks
def test_fit(options):
    model = ConvexNNRegressor(**options).fit(X[::3], Y[::3])
    display = FitDisplay.from_estimator(model, X, Y)
    (ax,) = display.axes_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("times", "accel")
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), np.column_stack([X, Y]))
    line = next(line for line in ax.lines if line.get_label() == "network")
    x, y = line.get_data()
    np.testing.assert_allclose(y, model.to_piecewise()(x), rtol=0, atol=1e-9)
    marked = np.concatenate([m.get_xdata() for m in ax.lines if m.get_label()[0].isdigit()] or [np.empty(0)])
    inside = model.breakpoints_[0][(model.breakpoints_[0] >= X.min().item()) & (model.breakpoints_[0] <= X.max().item())]
    np.testing.assert_array_equal(np.sort(marked), inside)
    assert set(inside) <= set(x)
    kinds = set(display.fit_panels[0].kinds)
    steps, ramps, folds = {"midpoint"}, {"training point"}, {"training point", "reflection", "midpoint"}
    expected = {"threshold": steps, "sign": steps, "relu": ramps, "leaky_relu": ramps, "abs": folds}
    assert kinds <= expected[model.activation]


def test_kinds_of_breakpoints(folded):
    panel = FitDisplay.from_estimator(folded, [-1, 0, 1, 2, 3, 7], np.zeros(6), x_name="dose").fit_panels[0]
    kinds = dict(zip(panel.breakpoints.tolist(), panel.kinds, strict=True))
    for feature in folded.features_:
        for place, origin in zip(feature.breakpoints, feature.origins, strict=True):
            assert place not in kinds or any(
                kinds[place] == (o if o == "training point" else o.split()[0])
                for f in folded.features_ for p, o in zip(f.breakpoints, f.origins, strict=True) if p == place
            ), (place, origin)  # fmt: skip


def test_fit_of_several_inputs():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 2)), columns=["dose", "age"])
    y = np.abs(table["dose"]) - table["age"] + 0.1 * rng.normal(size=60)
    model = ConvexNNRegressor(alpha=0.01).fit(table, y)
    display = FitDisplay.from_estimator(model, table, y, y_name="effect")
    assert [ax.get_xlabel() for ax in display.axes_] == ["dose", "age"]
    for panel, name in zip(display.fit_panels, table, strict=True):
        np.testing.assert_array_equal(panel.x, table[name])
        # what is left in every panel is the residual
        part = np.interp(panel.x, panel.line_x, panel.line_y)
        np.testing.assert_allclose(panel.y - part, y - model.predict(table), atol=1e-9)
    with pytest.raises(ValueError, match="band and difference need one input"):
        FitDisplay.from_estimator(model, table, y, band=(-1, 1))
    with pytest.raises(ValueError, match="ax must hold 2 axes"):
        FitDisplay.from_estimator(model, table, y, ax=plt.subplots()[1])


def test_bands():
    model = ConvexNNRegressor(alpha=1.0).fit(X, Y)
    lower, upper = (ConvexNNRegressor(alpha=5.0).fit(X, Y + shift) for shift in (-40, 40))
    panel = FitDisplay.from_estimator(model, X, Y, band=(lower, upper)).fit_panels[0]
    np.testing.assert_array_equal(panel.band[0], lower.to_piecewise()(panel.line_x))
    panel = FitDisplay.from_estimator(model, X, Y, band=(-3.0, 5.0)).fit_panels[0]
    np.testing.assert_allclose([panel.line_y - 3.0, panel.line_y + 5.0], panel.band)


def test_difference():
    model = ConvexNNRegressor(alpha=0.1).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.5, 2.0, 3.5])
    panel = FitDisplay.from_estimator(model, [0.0, 1.0, 2.0, 3.0], [0.0, 1.5, 2.0, 3.5], difference=True).fit_panels[0]
    np.testing.assert_array_equal(panel.y, [0.0, 0.5, 0.0, 0.5])
    np.testing.assert_allclose(panel.line_y, model.predict(panel.line_x[:, None]) - panel.line_x, atol=1e-12)


@networks
def test_features(options):
    model = ConvexNNRegressor(**options).fit(X[::3], Y[::3])
    display = FeatureDisplay.from_estimator(model, most=10_000)
    assert len(display.curves) == len(model.coef_)
    probes = np.linspace(X.min().item(), X.max().item(), 300)
    total = np.sum([np.interp(probes, curve.x, curve.y) for curve in display.curves], axis=0) + model.intercept_
    total += model.skip_coef_[0] * probes
    far = (np.abs(probes[:, None] - model.breakpoints_[0]) > 1e-6).all(axis=1)
    np.testing.assert_allclose(total[far], model.predict(pd.DataFrame({"times": probes}))[far], atol=1e-6)
    for arc in display.reflections:
        assert arc.image == pytest.approx(2 * arc.mirror - arc.source)
        assert {arc.source} <= set(X["times"])


def test_arcs_of_reflections(folded):
    display = FeatureDisplay.from_estimator(folded)
    assert display.ax_.get_xlabel() == "dose"
    reflected = [(s, p) for f in folded.features_ for p, o, s in zip(f.breakpoints, f.origins, f.sources, strict=True)
                 if o.startswith("reflection")]  # fmt: skip
    assert {(arc.source, arc.mirror, arc.image) for arc in display.reflections} == {(*s, p) for s, p in reflected}
    assert len(display.reflections) > 0


def test_arcs_of_generalised_reflections():
    # the reference solver finds a unit with a breakpoint at 8 + 13 - 14, the image of 14 across the middle of 8 and 13
    X = np.array([[2.0], [7.0], [8.0], [10.0], [13.0], [14.0]])
    y = [1.7, 0.5, -2.1, -1.1, -0.6, 0.3]
    model = ConvexNNRegressor(3, architecture="symmetrized", alpha=0.01, solver="coordinate_descent").fit(X, y)
    arcs = {(arc.source, arc.mirror, arc.image) for arc in FeatureDisplay.from_estimator(model).reflections}
    assert (14.0, 10.5, 7.0) in arcs
    assert all(image == 2.0 * mirror - source for source, mirror, image in arcs)


@networks
def test_certificate(options):
    model = ConvexNNRegressor(**options).fit(X[::3], Y[::3])
    display = CertificateDisplay.from_estimator(model)
    certificate = model.certify()
    assert display.beta == pytest.approx(model.alpha_ * len(X[::3]))
    largest = max(np.abs(curve.correlations).max() for curve in display.curves)
    assert largest <= certificate.max_correlation * (1 + 1e-9)
    assert largest == pytest.approx(certificate.max_correlation, rel=1e-6)
    # every active feature is at the bound, on the side of its coefficient
    np.testing.assert_allclose(np.abs(display.active.correlations), display.beta, rtol=1e-3)
    assert display.ax_.get_xlabel() == "bias on times"


def test_ramps_of_the_certificate_are_correlations_of_the_residuals():
    model = ConvexNNRegressor(alpha=1.0).fit(X, Y)
    display = CertificateDisplay.from_estimator(model)
    residuals = Y - model.predict(X)
    right = next(curve for curve in display.curves if "right" in curve.label)
    expected = [residuals @ np.maximum(X["times"] - a, 0.0) for a in right.biases]
    np.testing.assert_allclose(right.correlations, expected, atol=1e-6 * display.beta)


def test_path():
    model = ConvexNNRegressor(alpha=1.0).fit(X, Y)
    display = PathDisplay.from_estimator(model, alphas=12)
    path = convex_nn_path(X, Y, alphas=12, eps=1e-3)
    np.testing.assert_allclose(display.alphas, path.alphas)
    np.testing.assert_allclose(np.abs(display.coefs).sum(axis=1), [np.abs(coef).sum() for coef in path.coefs])
    assert len(display.ax_.lines) == display.coefs.shape[1] + 1
    display = PathDisplay.from_path(path, kind="breakpoints", x_name="times")
    assert display.ax_.get_ylabel() == "breakpoint on times"
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), np.concatenate(display.breakpoints))


def test_path_of_a_cross_validated_model():
    model = ConvexNNRegressorCV(alphas=8, cv=3).fit(X, Y)
    display = PathDisplay.from_estimator(model)
    mean = next(line for line in display.ax_.lines if line.get_label() == "mean of 3 folds")
    np.testing.assert_allclose(mean.get_ydata(), model.mse_path_.mean(axis=1))
    assert PathDisplay.from_estimator(model, kind="coefficients", alphas=5).coefs.shape[0] == 5
    with pytest.raises(ValueError, match='kind="cv" needs a ConvexNNRegressorCV'):
        PathDisplay.from_estimator(ConvexNNRegressor().fit(X, Y), kind="cv")
    with pytest.raises(ValueError, match="kind must be one of"):
        display.plot(kind="x")
    with pytest.raises(ValueError, match="no data for kind='coefficients'"):
        display.plot()


def test_forecast():
    model = ConvexNNAutoregressor(lags=2).fit(load_sunspots().target)
    display = ForecastDisplay.from_estimator(model, 7, level=[80, 95], name="sunspots", shown=30)
    table = model.forecast(7, level=[80, 95])
    np.testing.assert_array_equal(display.forecast, table[:, 0])
    np.testing.assert_array_equal(display.bounds[1], table[:, 3:].T)
    np.testing.assert_array_equal(display.past_y, load_sunspots().target[-30:])


@pytest.mark.parametrize("display", [FeatureDisplay, CertificateDisplay])
@pytest.mark.parametrize("feature", [-1, 1])
def test_the_input_must_exist(display, feature):
    with pytest.raises(ValueError, match="feature must be 0 to 0"):
        display.from_estimator(ConvexNNRegressor().fit(X, Y), feature=feature)


@pytest.mark.parametrize("display", [FitDisplay, FeatureDisplay, CertificateDisplay, PathDisplay])
def test_several_networks_are_drawn_one_by_one(display):
    arguments = (X, Y > 0.0) if display is FitDisplay else ()
    model = ConvexNNClassifier().fit(X, Y > 0.0)
    with pytest.raises(TypeError, match="one network of this package, got ConvexNNClassifier; draw each of its estimators_"):
        display.from_estimator(model, *arguments)
    display.from_estimator(model.estimators_[0], *arguments)
    plt.close("all")


def test_forecasts_are_those_of_an_autoregressor():
    with pytest.raises(TypeError, match="must be a ConvexNNAutoregressor, got ConvexNNRegressor"):
        ForecastDisplay.from_estimator(ConvexNNRegressor().fit(X, Y), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": np.zeros((3, 2)), "y": [0.0] * 3}, "X has 2 features, but the estimator was fitted to 1"),
        ({"X": [0.0, 1.0], "y": [0.0] * 3}, "inconsistent numbers of samples"),
        ({"X": X, "y": Y, "x_name": ["a", "b"]}, "x_name has 2 names, the estimator 1 inputs"),
    ],
)
def test_a_fit_is_drawn_with_data_that_fit(options, message):
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(ConvexNNRegressor(alpha=1.0).fit(X, Y), **options)


def test_correlations_say_nothing_under_a_shape_constraint():
    model = ConvexNNRegressor(alpha=1.0, monotonic_cst=[1]).fit(X, Y)
    with pytest.raises(ValueError, match="not drawn for fits under a shape constraint"):
        CertificateDisplay.from_estimator(model)


@pytest.mark.parametrize("missing", ["matplotlib", "matplotlib.pyplot"])
def test_without_matplotlib(missing, monkeypatch):
    model = ConvexNNRegressor(alpha=1.0).fit(X, Y)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delattr(matplotlib, "pyplot")
    with pytest.raises(ImportError, match=r"convexnn\[plot\]"):
        FitDisplay.from_estimator(model, X, Y)


def test_a_model_from_a_file_is_drawn_but_not_certified():
    model = ConvexNNRegressor.from_json(ConvexNNRegressor(alpha=1.0).fit(X, Y).to_json())
    assert FitDisplay.from_estimator(model, X, Y).axes_[0].get_xlabel() == "times"
    assert len(FeatureDisplay.from_estimator(model).curves) == 5
    with pytest.raises(ValueError, match="training data"):
        CertificateDisplay.from_estimator(model)


def test_colours_follow_the_ground():
    for style, expected in (("default", LIGHT), ("dark_background", DARK)):
        with plt.style.context(style):
            ax = plt.subplots()[1]
            assert palette(ax) is expected
            ax.set_facecolor("none")  # what is seen is the figure's
            assert palette(ax) is expected


def luminance(color):
    channels = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize(("colors", "ground"), [(LIGHT, "white"), (DARK, "black")])
def test_contrast_with_the_ground(colors, ground):
    back = luminance(ground)
    for role, color in colors.items():
        high, low = max(luminance(color), back) + 0.05, min(luminance(color), back) + 0.05
        assert high / low >= (2.0 if role in ("third", "other") else 3.0), role


# protanopia and deuteranopia of full strength (Machado, Oliveira and Fernandes 2009), on linear RGB
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_fit_data_and_marks_differ_for_the_colour_blind(colors, kind):
    seen = {}
    for role in ("data", "fit", "first"):
        channels = np.array(matplotlib.colors.to_rgb(colors[role]))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        linear = np.clip(np.array(BLINDNESS[kind]) @ linear, 0.0, 1.0)
        seen[role] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    for a, b in (("data", "fit"), ("fit", "first"), ("data", "first")):
        assert np.linalg.norm(seen[a] - seen[b]) > 0.15, (a, b)


def picture_fit(ax):
    x = np.linspace(0, 10, 30)
    kinds = ("training point", "reflection", "midpoint", "composite")
    panel = FitPanel(x, np.sin(x), np.array([0.0, 2, 5, 8, 10]), np.array([0.0, 1, -1, 1, -0.5]), np.array([2.0, 5, 8, 9]),
                     np.array([1.0, -1, 1, 0.25]), kinds, "dose", "effect",
                     (np.array([-0.5, 0.5, -1.5, 0.5, -1]), np.array([0.5, 1.5, -0.5, 1.5, 0])))  # fmt: skip
    FitDisplay([panel]).plot(ax)


def picture_features(ax):
    x = np.array([0.0, 1, 2, 3, 4])
    curves = [FeatureCurve(x, np.array([2.0, 1, 0, 1, 0]), "one"), FeatureCurve(x, np.array([-1.0, 0, -1, 0, -1]), "two")]
    FeatureDisplay(curves, [Reflection(1.0, 2.0, 3.0), Reflection(0.0, 1.0, 2.0)], x, "dose").plot(ax)


def picture_certificate(ax):
    x = np.linspace(0, 6, 50)
    curves = [CorrelationCurve(x, np.sin(x), "right", True), CorrelationCurve(x, np.cos(x), "left", True)]
    active = CorrelationCurve(np.array([np.pi / 2, 3 * np.pi / 2]), np.array([1.0, -1]), "active", False)
    CertificateDisplay(curves, active, 1.0, x_name="bias on dose", title="largest correlation 1 β").plot(ax)


def picture_path(ax):
    alphas = np.geomspace(1, 0.01, 9)
    PathDisplay(alphas, coefs=np.outer(1 - alphas, [1.0, -2.0, 0.5]), alpha=0.1).plot(ax=ax)


def picture_errors(ax):
    alphas = np.geomspace(1, 0.01, 9)
    errors = np.array([[1.0], [1.2], [0.9]]) * (np.log10(alphas) + 1) ** 2 + 1
    PathDisplay(alphas, mse_path=errors.T, alpha=0.1).plot(kind="cv", ax=ax)


def picture_forecast(ax):
    t, h = np.arange(-40, 1), np.arange(1, 12)
    bounds = [(np.sin(h / 3) - s * np.sqrt(h), np.sin(h / 3) + s * np.sqrt(h)) for s in (0.2, 0.4)]
    ForecastDisplay(t, np.sin(t / 3), h, np.sin(h / 3), bounds=bounds, labels=["80 %", "95 %"], y_name="level").plot(ax)


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("draw", [picture_fit, picture_features, picture_certificate, picture_path, picture_errors,
                                  picture_forecast], ids=lambda f: f.__name__)  # fmt: skip
def test_pictures(tmp_path, draw, style):
    """The picture is that which was looked at, up to what another matplotlib does to edges of lines and letters."""
    name = f"{draw.__name__.removeprefix('picture_')}_{'light' if style == 'default' else 'dark'}.png"
    # releases of matplotlib make letters of different sizes: axes and legends have fixed places, which do not depend on them
    with plt.style.context([style, {"legend.loc": "upper left"}]):
        figure = plt.figure(figsize=(5, 3.4))
        draw(figure.add_axes((0.15, 0.15, 0.6, 0.75)))
        figure.savefig(tmp_path / name, dpi=120)
    if os.environ.get("CONVEXNN_DRAW"):
        PICTURES.mkdir(exist_ok=True)
        figure.savefig(PICTURES / name, dpi=120)
    images = [plt.imread(folder / name)[..., :3] for folder in (tmp_path, PICTURES)]
    assert images[0].shape == images[1].shape
    blurred = [image[:400, :600].reshape(40, 10, 60, 10, 3).mean(axis=(1, 3)) for image in images]
    difference = np.abs(blurred[0] - blurred[1])
    assert np.sqrt((difference**2).mean()) < 0.03
    assert difference.max() < 0.4
