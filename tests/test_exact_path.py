"""The exact path: the optimality conditions hold at and between its kinks, on dictionaries written out anew."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from deep_reference import Row, best_objective, dictionary, smalls
from hypothesis import given, settings
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNRegressor, convex_nn_path
from convexnn.solvers import homotopy, knot_path
from convexnn.solvers.homotopy import trace
from convexnn.solvers.solution import fitted_values

ROWS = {
    "relu": Row(2, "relu"),
    "leaky": Row(2, "leaky_relu", slope=0.3),
    "abs": Row(2, "abs"),
    "threshold": Row(2, "threshold"),
    "sign": Row(2, "sign"),
    "narrow": Row(4, "relu"),
    "leaky3": Row(3, "leaky_relu", slope=0.2),
    "reflections": Row(3, "abs"),
    "symmetrized": Row(3, "relu", "symmetrized"),
    "parallel": Row(3, "sign", "parallel", 3),
    "tree": Row(4, "threshold", "tree", (2, 2)),
}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def check_conditions(path, X, y, w, row, skip=False):
    """Check the conditions of optimality at all kinks, and at the middle and near the ends of all pieces."""
    w = np.ones(len(y)) if w is None else w
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    columns = np.hstack([dictionary(x, row) for x in X.T])
    norms = np.array([np.abs(z).sum() for z in path.coefs])
    alphas = path.alphas
    parts = np.concatenate([alphas, *(alphas[1:] + t * (alphas[:-1] - alphas[1:]) for t in (1e-3, 0.5, 0.999))])
    fits = path.predict(X, alpha=parts)
    scale = w.sum() * np.abs(y - np.average(y, weights=w)).max()
    for alpha, fit, norm in zip(parts, fits.T, np.interp(parts, alphas[::-1], norms[::-1]), strict=True):
        lam, beta = w * (y - fit), alpha * w.sum()
        assert abs(lam.sum()) <= 1e-12 * scale
        if skip:
            assert np.abs(lam @ (X - X.mean(axis=0))).max() <= 1e-12 * scale * np.ptp(X, axis=0).max()
        centred = columns - np.average(columns, axis=0, weights=w)
        assert np.abs(lam @ centred).max() <= beta * (1 + 1e-9)
        # and every active feature is tight, with the sign of its coefficient: lam @ f = beta |z|_1
        assert lam @ (fit - fit.mean()) == pytest.approx(beta * norm, rel=1e-9, abs=1e-12 * scale * np.abs(y).max())


@each_row
@settings(max_examples=12, deadline=None)
@given(problem=smalls(max_n=9))
def test_optimal_at_and_between_kinks(row, problem):
    X, y, w = problem.data
    path = convex_nn_path(X, y, sample_weight=w, exact=True, tol=1e-9, **row.options)
    assert path.kinks and (path.dual_gaps <= 1e-9).all()
    assert path.alphas[0] == path.alpha_max and path.alphas[-1] == pytest.approx(1e-3 * path.alpha_max, rel=1e-12)
    if path.alpha_max > 0:
        check_conditions(path, X, y, w, row)


@pytest.mark.parametrize("row", [ROWS["relu"], ROWS["abs"], ROWS["threshold"], ROWS["narrow"]], ids=str)
@pytest.mark.parametrize(("skip", "n_features"), [(True, 1), (True, 2), (False, 2)])
def test_optimal_with_skip_and_several_inputs(row, skip, n_features, rng):
    X = rng.normal(size=(14, n_features))
    y = np.sin(2 * X).sum(axis=1) + 0.3 * rng.normal(size=14)
    path = convex_nn_path(X, y, exact=True, skip_connection=skip, **row.options)
    check_conditions(path, X, y, None, row, skip)
    for alpha in path.alpha_max * np.array([0.3, 0.02]):
        fit = path.predict(X, alpha=alpha)[:, 0]
        norm = np.interp(alpha, path.alphas[::-1], [np.abs(z).sum() for z in path.coefs][::-1])
        value = 0.5 * np.sum((y - fit) ** 2) + alpha * 14 * norm
        assert value == pytest.approx(best_objective(X, y, alpha, row, skip), rel=1e-6)


@pytest.mark.parametrize("parameters", [{}, {"depth": 3}, {"activation": "abs"}, {"activation": "threshold"}], ids=str)
def test_equals_separate_fits_in_function_space(parameters, rng):
    X = rng.normal(size=(300, 1))
    y = np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=300)
    path = convex_nn_path(X, y, exact=True, **parameters)
    assert len(path) > 100
    for fraction in (0.7, 0.1, 0.03, 0.0011):
        alpha = fraction * path.alpha_max
        model = ConvexNNRegressor(alpha=alpha, tol=1e-13, **parameters).fit(X, y)
        np.testing.assert_allclose(path.predict(X, alpha=alpha)[:, 0], model.predict(X), atol=1e-6)


def test_every_kink_is_one(rng):
    X = rng.normal(size=(40, 1))
    y = np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=40)
    path = convex_nn_path(X, y, exact=True)
    fits = path.predict(X)
    rates = np.diff(fits, axis=1) / np.diff(path.alphas)
    turns = np.linalg.norm(np.diff(rates, axis=1), axis=0) / np.linalg.norm(rates, axis=0)[1:]
    assert turns.min() > 1e-6


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("parameters", [{}, {"activation": "abs"}, {"skip_connection": True}, {"depth": 3}], ids=str)
def test_one_exchange_at_a_time_finds_the_same_path(parameters, symmetric, rng, monkeypatch):
    x = rng.uniform(0.1, 3.0, size=12)
    x = np.concatenate([-x, x])
    y = np.cos(3 * x) if symmetric else rng.normal(size=24)  # kinks come in pairs, or alone
    path = convex_nn_path(x[:, None], y, exact=True, **parameters)
    monkeypatch.setattr(knot_path, "PATIENCE", 0)
    slow = convex_nn_path(x[:, None], y, exact=True, **parameters)
    assert len(path) > 10
    np.testing.assert_allclose(slow.alphas, path.alphas, rtol=1e-9)
    np.testing.assert_allclose(slow.predict(x[:, None]), path.predict(x[:, None]), atol=1e-9)


def test_many_kinks_at_once():
    # mirror images: pairs of features become tight together, and on a grid neighbouring columns depend on each other
    x = np.arange(-6.0, 7.0)
    y = np.abs(x) % 3
    for row in (ROWS["relu"], ROWS["narrow"], ROWS["reflections"], ROWS["threshold"]):
        path = convex_nn_path(x[:, None], y, exact=True, **row.options)
        check_conditions(path, x[:, None], y, None, row)
        np.testing.assert_allclose(path.predict(x[:, None]), path.predict(-x[:, None]), atol=1e-9)


def test_ends_and_constant_targets(rng):
    X, y = rng.normal(size=(20, 1)), rng.normal(size=20)
    path = convex_nn_path(X, y, exact=True, alphas=[0.02, 0.3])
    assert path.alphas[-1] == 0.02
    np.testing.assert_allclose(path.predict(X, alpha=[5.0])[:, 0], y.mean())
    assert len(convex_nn_path(X, y, exact=True, alphas=[1e3])) == 1
    assert (convex_nn_path(X, np.ones(20), exact=True).predict(X, alpha=[0.0, 1.0]) == 1.0).all()


@pytest.mark.parametrize(
    ("exact", "alpha", "match"), [(True, 1e-9, "at least"), (False, 0.1, "exact path only"), (True, -1.0, "non-negative")]
)
def test_alphas_that_cannot_be_asked_for(exact, alpha, match, rng):
    path = convex_nn_path(rng.normal(size=(9, 1)), rng.normal(size=9), exact=exact, alphas=3)
    with pytest.raises(ValueError, match=match):
        path.predict([[0.0]], alpha=alpha)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"loss": "huber"}, "needs loss='squared'"),
        ({"monotonic_cst": [1]}, "not followed under monotonic_cst"),
        ({"depth": 3, "max_breakpoints": 2}, "needs max_breakpoints=None"),
    ],
)
def test_what_has_no_exact_path_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        convex_nn_path([[0.0], [1.0], [2.0]], [0.0, 1.0, 1.0], exact=True, **options)


@pytest.mark.parametrize("network", [{}, {"activation": "threshold"}], ids=["knots", "columns"])
def test_a_path_that_rounding_stops_says_where(network, monkeypatch, rng):
    x, y, steps = rng.normal(size=(20, 1)), rng.normal(size=20), itertools.count()
    leave, kink = knot_path.KnotPath.leave, homotopy.Homotopy.next_kink
    monkeypatch.setattr(knot_path, "FAR", 0.0)
    monkeypatch.setattr(knot_path.KnotPath, "leave", lambda *args: leave(*args) if next(steps) < 5 else None)

    def stall(self, support, line, alpha, *rest):
        below, vanished = kink(self, support, line, alpha, *rest)
        return (below if next(steps) < 5 else alpha), vanished

    monkeypatch.setattr(homotopy.Homotopy, "next_kink", stall)
    with pytest.warns(ConvergenceWarning, match=r"The path ends at alpha=.*: rounding stopped the exact path: raise eps"):
        path = convex_nn_path(x, y, exact=True, **network)
    assert 1e-3 * path.alpha_max < path.alphas[-1] < path.alpha_max
    assert (path.dual_gaps <= 1e-9).all() and (path.gaps_between <= 1e-9).all()


def test_does_not_end_at_zero():
    with pytest.raises(ValueError, match="ends above zero"):
        convex_nn_path([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], exact=True, alphas=[0.0])


NETWORKS = {
    "relu": {},
    "leaky": {"activation": "leaky_relu", "negative_slope": 0.2},
    "abs": {"activation": "abs"},
    "narrow": {"depth": 3},
}
X_KINDS = {
    "random": lambda n, rng: rng.normal(size=n),
    "grid": lambda n, rng: np.arange(float(n)),
    "ties": lambda n, rng: rng.integers(0, n, n).astype(float),
    "heavy": lambda n, rng: rng.standard_cauchy(n),
}
Y_KINDS = {
    "noise": lambda x, rng: rng.normal(size=x.size),
    "alternating": lambda x, rng: (-1.0) ** np.arange(x.size),
    "integers": lambda x, rng: rng.integers(0, 3, x.size).astype(float),
    "mirrored": lambda x, rng: np.abs(x - np.median(x)) % 3,
    "steps": lambda x, rng: (x > np.median(x)).astype(float),
    "walk": lambda x, rng: np.cumsum(rng.normal(size=x.size)),
}


def check_in_function_space(path, x, y, w, name, rng, number=40):
    """Check the conditions at some kinks and between them by F(a) = sum lam max(x - a, 0), summed in long double."""
    places = np.unique(rng.integers(0, len(path) - 1, number))
    alphas, norms = path.alphas, np.array([np.abs(z).sum() for z in path.coefs])
    parts = np.concatenate([alphas[places + 1] + t * (alphas[places] - alphas[places + 1]) for t in (0.0, 1e-3, 0.5, 0.999)])
    points, inverse = np.unique(x, return_inverse=True)
    steps = np.diff(points.astype(np.longdouble))
    for alpha, fit in zip(parts, path.predict(x[:, None], alpha=parts).T, strict=True):
        lam = w * (y - fit)
        assert abs(lam.sum()) <= 1e-11 * w.sum() * np.ptp(y)
        mass = np.cumsum((np.bincount(inverse, lam) - lam.sum() / points.size).astype(np.longdouble)[::-1])[::-1]
        curve = np.append(np.cumsum((mass[1:] * steps)[::-1])[::-1], 0.0)
        largest = {
            "relu": max(np.abs(curve).max(), np.abs(curve - curve[0]).max()),
            "leaky": max(np.abs(0.8 * curve + 0.2 * curve[0]).max(), np.abs(0.8 * curve - curve[0]).max()),
            "abs": np.abs(2.0 * curve - curve[0]).max(),
            "narrow": np.ptp(curve),
        }[name]
        beta = alpha * w.sum()
        assert largest <= beta * (1.0 + 1e-9)
        norm = np.interp(alpha, alphas[::-1], norms[::-1])
        assert lam @ (fit - np.average(fit, weights=w)) == pytest.approx(beta * norm, rel=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("y_kind", Y_KINDS)
@pytest.mark.parametrize("x_kind", X_KINDS)
def test_optimal_on_hard_data(x_kind, y_kind, name):
    rng = np.random.default_rng([list(X_KINDS).index(x_kind), list(Y_KINDS).index(y_kind), list(NETWORKS).index(name)])
    for n in (9, 80):
        x = X_KINDS[x_kind](n, rng)
        y, w = Y_KINDS[y_kind](x, rng), rng.integers(1, 4, n).astype(float)
        path = convex_nn_path(x[:, None], y, sample_weight=w, exact=True, tol=1e-9, **NETWORKS[name])
        assert path.alphas[-1] == pytest.approx(1e-3 * path.alpha_max, rel=1e-12)
        if path.alpha_max > 0.0:
            check_in_function_space(path, x, y, w, name, rng)


@pytest.mark.parametrize("parameters", [*NETWORKS.values(), {"skip_connection": True}], ids=str)
def test_knots_and_columns_turn_at_the_same_alphas(parameters, rng):
    X = rng.normal(size=(40, 1))
    y = np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=40)
    path = convex_nn_path(X, y, exact=True, **parameters)
    unit = path.trainings[0].problem
    unit = replace(unit, betas=unit.betas / path.alphas[0])
    columns, status = trace(unit, path.alpha_max, path.alphas[-1])
    assert not status
    np.testing.assert_allclose(path.alphas, [alpha for alpha, _ in columns], rtol=1e-8)
    for training, (_, solution) in zip(path.trainings, columns, strict=True):
        np.testing.assert_allclose(
            fitted_values(unit, training.solution), fitted_values(unit, solution), rtol=0.0, atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"depth": 3}], ids=str)
@pytest.mark.parametrize("kind", ["curve", "integers", "alternating"])
def test_ten_thousand_points(kind, parameters, rng):
    n = 10_000
    x = rng.normal(size=n) if kind == "curve" else np.arange(float(n))
    y = np.sin(3 * x) + 0.3 * rng.normal(size=n) if kind == "curve" else Y_KINDS[kind](x, rng)
    path = convex_nn_path(x[:, None], y, exact=True, **parameters)
    assert len(path) > 500 and path.alphas[-1] == pytest.approx(1e-3 * path.alpha_max, rel=1e-12)
    assert path.dual_gaps.max() <= 1e-9
    check_in_function_space(path, x, y, np.ones(n), "narrow" if parameters else "relu", rng, number=20)


def test_kinks_that_rounding_hides_are_reported():
    reported = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=40)
        x[:10] = x[10:20] + 1e-9 * rng.normal(size=10)
        y = rng.normal(size=40)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", ConvergenceWarning)
            path = convex_nn_path(x[:, None], y, exact=True, skip_connection=bool(seed % 2))
        assert path.gaps_between.size == len(path) - 1
        assert any("hides kinks" in str(warning.message) for warning in seen) == bool((path.gaps_between > 1e-6).any())
        reported += bool(seen)
    assert 1 <= reported <= 3


def test_many_columns_that_are_equal_on_the_data():
    """Of the 2000 features that are tight at a kink most are equal on nine points, up to rounding."""
    rng = np.random.default_rng(381712)
    X, y = rng.normal(size=(9, 1)), rng.normal(size=9)
    row = Row(4, "abs")
    check_conditions(convex_nn_path(X, y, exact=True, tol=1e-9, **row.options), X, y, None, row)


def test_units_of_the_data_change_nothing(rng):
    X, y = rng.normal(size=(25, 2)), rng.normal(size=25)
    path, tiny = (convex_nn_path(scale * X, scale * y, exact=True, depth=3) for scale in (1.0, 2.0**-24))
    np.testing.assert_allclose(tiny.alphas * 2.0**48, path.alphas, rtol=1e-9)
    np.testing.assert_allclose(tiny.dual_gaps, 0.0, atol=1e-9)
