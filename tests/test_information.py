"""alpha by information criterion: the criterion as written down, its choice, and what the degrees of freedom estimate."""

import numpy as np
import pytest

from convexnn import ConvexNNRegressor
from convexnn.datasets import load_mcycle


@pytest.fixture
def data(rng):
    X = rng.uniform(-2, 2, size=(120, 1))
    return X, np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=120)


@pytest.mark.parametrize("name", ["aic", "bic"])
@pytest.mark.parametrize("parameters", [{}, {"depth": 3}, {"activation": "threshold"}, {"skip_connection": True}], ids=str)
def test_criterion_and_choice(name, parameters, data):
    X, y = data
    w = np.random.default_rng(0).integers(1, 4, size=120).astype(float)
    model = ConvexNNRegressor(alpha=name, **parameters).fit(X, y, sample_weight=w)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)] and model.dual_gap_ <= 1e-6
    expected = []
    places = (0, len(model.alphas_) // 3, int(np.argmin(model.criterion_)))
    for place in places:
        fit = ConvexNNRegressor(alpha=model.alphas_[place], **parameters).fit(X, y, sample_weight=w)
        df = fit.coef_.size + 1 + np.count_nonzero(fit.skip_coef_)
        n, squares = w.sum(), np.sum(w * (y - fit.predict(X)) ** 2)
        expected.append(n * np.log(squares / n) + (2 if name == "aic" else np.log(n)) * df)
    # up to a feature more or less, of no size, in one of two fits of a small gap
    np.testing.assert_allclose(model.criterion_[list(places)], expected, atol=2 * np.log(n))


def test_weights_count_as_rows(data):
    X, y = data
    w = np.arange(120) % 3
    weighted = ConvexNNRegressor(alpha="bic").fit(X, y, sample_weight=w)
    repeated = ConvexNNRegressor(alpha="bic").fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert weighted.alpha_ == pytest.approx(repeated.alpha_, rel=1e-9)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-6)


def test_bic_is_plainer_than_aic(data):
    models = {name: ConvexNNRegressor(alpha=name).fit(*data) for name in ("aic", "bic")}
    assert models["bic"].alpha_ >= models["aic"].alpha_
    X = np.linspace(-1.9, 1.9, 200)[:, None]
    for model in models.values():
        assert np.sqrt(np.mean((model.predict(X) - np.sin(3 * X[:, 0])) ** 2)) < 0.2


@pytest.mark.parametrize("parameters", [{}, {"depth": 3}, {"activation": "threshold"}], ids=str)
def test_active_features_estimate_the_degrees_of_freedom(parameters):
    # df = sum of cov(fit, y) / variance, by simulation at one alpha
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(size=40))
    truth, noise = np.sin(6 * x), 0.4 * rng.normal(size=(400, 40))
    fits, sizes = [], []
    for e in noise:
        model = ConvexNNRegressor(alpha=0.01 if parameters.get("activation") else 0.002, tol=1e-10, **parameters)
        model.fit(x[:, None], truth + e)
        fits.append(model.predict(x[:, None]))
        sizes.append(model.coef_.size + 1)
    covariance = np.sum((np.array(fits) - np.mean(fits, axis=0)) * noise) / len(noise) / 0.16
    spread = np.std(np.sum((np.array(fits) - np.mean(fits, axis=0)) * noise, axis=1)) / 20 / 0.16
    assert np.mean(sizes) == pytest.approx(covariance, abs=4 * spread + 0.3)


def test_real_data_and_refit():
    X, y = load_mcycle(return_X_y=True)
    model = ConvexNNRegressor(alpha="bic").fit(X, y)
    assert 3 <= model.coef_.size <= 30 and model.score(X, y) > 0.7
    assert not hasattr(model.set_params(alpha=1.0).fit(X, y), "criterion_")


def test_interpolation_ends_the_path():
    model = ConvexNNRegressor(alpha="aic").fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0])
    assert np.isfinite(model.criterion_).all() and model.dual_gap_ <= 1e-6
    assert ConvexNNRegressor(alpha="aic").fit([[0.0], [1.0]], [1.0, 1.0]).predict([[5.0]]) == 1.0


def test_only_the_squared_loss(data):
    with pytest.raises(ValueError, match="needs loss='squared'"):
        ConvexNNRegressor(alpha="bic", loss="huber").fit(*data)


@pytest.mark.parametrize("name", ["aic", "bic"])
def test_weights_that_count_no_rows_are_refused(name, data):
    X, y = data
    with pytest.raises(ValueError, match="takes the sum of sample_weight for the number of rows, and it is 1:"):
        ConvexNNRegressor(alpha=name).fit(X, y, np.full(len(y), 1.0 / len(y)))


@pytest.mark.parametrize("options", [{}, {"activation": "abs"}, {"activation": "leaky_relu"}], ids=str)
def test_what_rounding_leaves_is_no_degree_of_freedom(options, rng):
    """A unit of weight 1e-17, which rounding leaves, is no degree of freedom."""
    X = rng.integers(0, 12, size=(60, 2)).astype(float)
    y = np.abs(X[:, 0] - 6) + rng.normal(size=60)
    model = ConvexNNRegressor(alpha="bic", **options).fit(X, y)
    for alpha, criterion in zip(model.alphas_[:40:4], model.criterion_[:40:4], strict=True):
        fit = ConvexNNRegressor(alpha=alpha, **options).fit(X, y)
        df = (criterion - 60 * np.log(np.mean((y - fit.predict(X)) ** 2))) / np.log(60)
        real = np.abs(fit.coef_) > 1e-12 * np.abs(fit.coef_).sum()
        assert df == pytest.approx(1 + np.count_nonzero(real), abs=1e-3)
