"""Quantiles and outliers: the coverage theorem, quantiles that do not cross, fits that gross errors do not move."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexnn import ConvexNNQuantileRegressor, ConvexNNRegressor
from convexnn.datasets import load_mcycle

OPTIONS = [{}, {"skip_connection": True}, {"activation": "abs"}, {"depth": 3}, {"activation": "threshold"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_coverage_on_training_data(options):
    @given(seed=st.integers(0, 1000), quantile=st.sampled_from([0.05, 0.3, 0.5, 0.9]), alpha=st.sampled_from([0.05, 0.005]))
    def check(seed, quantile, alpha):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(80, 1)), rng.normal(size=80)
        model = ConvexNNRegressor(loss="pinball", quantile=quantile, alpha=alpha, tol=1e-9, **options).fit(X, y)
        pieces = model.coef_.size + (2 if model.skip_connection else 1)
        below = np.mean(y <= model.predict(X) + 1e-9)
        strictly = np.mean(y < model.predict(X) - 1e-9)
        assert strictly <= quantile + 1e-12 and below >= quantile - 1e-12
        assert abs(np.mean(y <= model.predict(X)) - quantile) <= (pieces + 1) / len(y)

    check()


def test_coverage_of_mcycle():
    X, y = load_mcycle(return_X_y=True)
    for quantile in (0.1, 0.5, 0.9):
        model = ConvexNNRegressor(loss="pinball", quantile=quantile, alpha=0.2).fit(X, y)
        assert abs(np.mean(y <= model.predict(X)) - quantile) <= (model.coef_.size + 1) / len(y)


@pytest.mark.parametrize("alpha", ["auto", 0.01])
def test_quantiles_do_not_cross(alpha):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 1))
    y = X[:, 0] ** 2 + rng.normal(size=60)
    base, levels = ConvexNNRegressor(alpha=alpha), [0.1, 0.3, 0.5, 0.7, 0.9]
    free = ConvexNNQuantileRegressor(levels, estimator=base, crossing="allow").fit(X, y)
    sorted_ = ConvexNNQuantileRegressor(levels, estimator=base).fit(X, y)
    rows = np.linspace(-6, 6, 400)[:, None]
    assert (np.diff(free.predict(rows), axis=1) < 0).any()
    assert (np.diff(sorted_.predict(rows), axis=1) >= 0).all()
    assert sorted_.score(X, y) >= free.score(X, y)
    assert sorted_.dual_gap_.shape == (5,) and sorted_.converged_
    assert all(proof.relative_gap <= 1e-6 for proof in sorted_.certify())
    single = ConvexNNRegressor(loss="pinball", quantile=0.3, alpha=alpha).fit(X, y)
    np.testing.assert_array_equal(free.predict(X)[:, 1], single.predict(X))


@pytest.mark.parametrize("quantile", [[], [0.5, 0.1], [0.0, 0.5], [0.5, 1.0], [[0.1]], [0.5, 0.5], ["median"]])
def test_bad_quantiles(quantile):
    with pytest.raises(ValueError, match="quantile must be rising numbers"):
        ConvexNNQuantileRegressor(quantile).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize(("loss", "options", "alpha"), [("huber", {"huber_delta": 20.0}, 1.0), ("absolute", {}, 0.05)])
def test_gross_errors_do_not_move_the_fit(loss, options, alpha):
    X, y = load_mcycle(return_X_y=True)
    rng = np.random.default_rng(0)
    spoilt = y.copy()
    spoilt[rng.choice(len(y), size=round(0.05 * len(y)), replace=False)] += 1000.0
    options = {"loss": loss, "alpha": alpha, **options}
    clean, dirty = (ConvexNNRegressor(**options).fit(X, t).predict(X) for t in (y, spoilt))
    squared = [ConvexNNRegressor(alpha=1.0).fit(X, t).predict(X) for t in (y, spoilt)]
    moved, moved_squared = (np.sqrt(np.mean((a - b) ** 2)) for a, b in ((clean, dirty), squared))
    # y has a standard deviation of 48; the errors are 1000
    assert moved <= 8.0
    assert moved_squared >= 4.0 * moved


@pytest.mark.parametrize("loss", ["absolute", "pinball"])
def test_ties_are_several_rows_of_one_point(loss, rng):
    X, y = rng.integers(0, 4, size=(60, 1)).astype(float), np.round(rng.normal(size=60), 1)
    model = ConvexNNRegressor(loss=loss, quantile=0.3, alpha=1e-7).fit(X, y)
    for x in range(4):
        targets = y[X[:, 0] == x]
        q = 0.5 if loss == "absolute" else 0.3
        f = model.predict([[float(x)]])[0]
        assert np.mean(targets < f - 1e-7) <= q and np.mean(targets > f + 1e-7) <= 1 - q


def test_score_is_the_mean_pinball_loss_and_checks_its_input(rng):
    X, y, w = rng.normal(size=(20, 1)), rng.normal(size=20), rng.uniform(size=20)
    model = ConvexNNQuantileRegressor([0.2, 0.7]).fit(X, y)
    rest, levels = y[:, None] - model.predict(X), np.array([0.2, 0.7])
    losses = np.maximum(levels * rest, (levels - 1.0) * rest)
    assert model.score(X, y) == pytest.approx(-losses.mean(), rel=1e-12)
    assert model.score(X, y, sample_weight=w) == pytest.approx(-np.average(losses.mean(axis=1), weights=w), rel=1e-12)
    for bad in ({"y": y[:1]}, {"y": y, "sample_weight": w[:3]}, {"y": np.full(20, np.nan)}):
        with pytest.raises(ValueError, match=r"inconsistent|NaN|sample_weight"):
            model.score(X, **bad)
