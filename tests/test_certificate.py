"""The certificate that a user asks for, against the data, the predictions and the feature that it names."""

import numpy as np
import pytest
from pricing_checks import ACTIVATIONS

from convexnn import ConvexNNRegressor, alpha_max

OPTIONS = {
    **{name: {"activation": name} for name in ACTIVATIONS},
    "huber": {"loss": "huber", "huber_delta": 0.5},
    "absolute": {"loss": "absolute"},
    "skip": {"skip_connection": True},
}


def made(options, width, fraction=0.1):
    """Fit weighted rows, some of them of equal inputs, at a scale of its own."""
    rng = np.random.default_rng(5)
    X, w = 100.0 * np.round(rng.normal(size=(14, width)), 1), rng.uniform(0.5, 4.0, 14)
    y = 7.0 + 0.01 * rng.normal(size=14)
    known = {name: value for name, value in options.items() if not name.endswith("_cst")}
    alpha = fraction * alpha_max(X, y, sample_weight=w, **known)
    return X, y, w, ConvexNNRegressor(alpha=alpha, tol=1e-10, **options).fit(X, y, w)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("name", OPTIONS)
def test_figures(name, width):
    X, y, w, model = made(OPTIONS[name], width)
    found, penalty = model.certify(), model.alpha_ * w.sum() * np.abs(model.coef_).sum()
    r = np.abs(y - model.predict(X))
    loss = {"huber": np.where(r < 0.5, r * r / 2, 0.5 * (r - 0.25)), "absolute": r}.get(name, r * r / 2)
    assert found.primal == pytest.approx(w @ loss + penalty, rel=1e-9)
    assert found.beta == pytest.approx(model.alpha_ * w.sum(), rel=1e-14)
    assert found.gap == pytest.approx(found.primal - found.dual, abs=1e-12 * found.primal) and found.gap >= 0.0
    assert found.relative_gap == pytest.approx(found.gap / found.primal, rel=1e-12) and found.relative_gap <= 1e-8
    assert found.max_correlation == pytest.approx(found.beta, rel=1e-6)
    assert found.exact and model.dual_gap_ <= 1e-9


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "absolute"])
def test_feature_has_the_largest_correlation(name, width):
    X, y, w, model = made(OPTIONS[name], width)
    found = model.certify()
    lam = w * np.clip(y - model.predict(X), -0.5, 0.5)  # the derivatives of Huber's loss; no residual of the others is large
    sigma, (place,), (sign,) = ACTIVATIONS[model.activation], found.feature.breakpoints, found.feature.signs
    g = sigma(sign * (X[:, found.feature.input] - place), 0.01)
    assert abs(lam @ g) == pytest.approx(found.max_correlation, rel=1e-6)
    (origin,), (sources,) = found.feature.origins, found.feature.sources
    assert set(sources) <= set(X[:, found.feature.input])
    if model.activation in ("sign", "threshold"):
        assert place == pytest.approx(np.mean(sources)) and len(sources) == 2
        assert origin == f"midpoint of {sources[0]:.6g} and {sources[1]:.6g}"
    else:
        assert sources == (place,) and origin == "training point"


def test_without_a_feature():
    _, _, _, model = made({"monotonic_cst": [1]}, 1)
    assert model.certify().feature is None  # it would be a sum of features
    X, y, w, model = made({}, 1)
    found = model.set_params(alpha=0.0).fit(X, y, w).certify()
    # no dual point but zero is feasible; what is left of the objective is the spread of targets of equal inputs
    assert found.beta == found.max_correlation == 0.0 and found.feature is None
    assert found.primal == pytest.approx(found.dual, rel=1e-12) and found.dual > 0.0
    assert model.set_params(alpha=1.0).fit(X, np.full(14, 3.0), w).certify().feature is None


def test_a_dictionary_that_is_not_complete():
    *_, model = made({"depth": 3, "max_breakpoints": 5}, 2)
    assert not model.certify().exact


def test_gap_is_that_of_the_predictions():
    """With several inputs rounding in their sum counts; with one the solver's values are those of the function."""
    for width in (1, 2):
        X, y, w, model = made({}, width, fraction=1e-3)
        primal = 0.5 * w @ (y - model.predict(X)) ** 2 + model.alpha_ * w.sum() * np.abs(model.coef_).sum()
        assert model.objective_ == pytest.approx(primal, rel=1e-9)
        assert model.dual_gap_ >= (primal - model.certify().dual) / primal - 1e-12
