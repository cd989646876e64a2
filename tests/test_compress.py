"""Rows merged from chunks: the statistics against exact rationals, and the fit against the fit on all rows."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import problems

from convexnn import Compressed, ConvexNNRegressor, compress
from convexnn.datasets import make_minute_prices

EPS = np.finfo(np.float64).eps
chunkings = st.tuples(st.lists(st.integers(0, 40), max_size=5), st.integers(0, 10**6))
ARCHITECTURES = [
    {},
    {"depth": 3},
    {"activation": "leaky_relu", "negative_slope": 0.2},
    {"activation": "abs", "skip_connection": True},
    {"activation": "threshold"},
    {"activation": "sign", "depth": 3, "architecture": "parallel", "width": 3},
    {"convexity_cst": [1]},
]


def cut(X, y, w, chunking):
    """Return the rows as chunks that end at the places of the chunking, in an order of its own."""
    places, seed = chunking
    rows = np.split(np.arange(y.size), np.sort(np.minimum(places, y.size)).astype(int))
    np.random.default_rng(seed).shuffle(rows)
    return [(X[r], y[r]) if w is None else (X[r], y[r], w[r]) for r in rows]


def exactly(X, y, w):
    """Return points, mean targets, weights and constant in rational numbers."""
    groups = {}
    for x, target, weight in zip(X.tolist(), y.tolist(), np.ones(y.size) if w is None else w.tolist(), strict=True):
        if weight > 0.0:
            groups.setdefault(tuple(x), []).append((Fraction(target), Fraction(weight)))
    points = sorted(groups)
    weights = [sum(weight for _, weight in groups[x]) for x in points]
    means = [sum(t * u for t, u in groups[x]) / total for x, total in zip(points, weights, strict=True)]
    constant = sum(u * (t - mean) ** 2 for x, mean in zip(points, means, strict=True) for t, u in groups[x]) / 2
    return np.array(points), means, weights, constant


def errors(values, exact):
    """Return how far numbers are from rational ones."""
    return np.array([abs(float(Fraction(value) - truth)) for value, truth in zip(values.tolist(), exact, strict=True)])


@pytest.mark.parametrize("n_features", [1, 2])
@given(data=st.data(), chunking=chunkings, offset=st.sampled_from([0.0, 1e9, -1e-9]))
def test_statistics_are_those_of_exact_arithmetic(n_features, data, chunking, offset):
    X, y, w = data.draw(problems(n_features)).data
    y = y + offset
    found = compress(cut(X, y, w, chunking))
    points, means, weights, constant = exactly(X, y, w)
    assert_array_equal(found.X, points)
    size = max(np.abs(y).max(), np.ptp(y))
    assert errors(found.y, means).max() <= EPS * size
    assert (errors(found.sample_weight, weights) <= EPS * found.sample_weight).all()
    slack = 4 * EPS * found.sample_weight.sum() * size * EPS * size  # means are rounded
    assert abs(found.constant - float(constant)) <= 16 * EPS * float(constant) + slack
    assert found.n_rows == y.size and not found.moved.any()


def test_half_a_million_rows_lose_nothing_in_any_order(rng):
    cents = rng.integers(0, 30, size=500_000)
    y = 1e6 + rng.normal(size=cents.size)
    X = (cents / 100)[:, None]
    forth = compress([(X, y)])
    back = compress((X[k : k + 997][::-1], y[k : k + 997][::-1]) for k in range(0, y.size, 997)[::-1])
    means = [sum(map(Fraction, y[cents == k].tolist())) / int((cents == k).sum()) for k in range(30)]
    spread = sum(sum((Fraction(v) - m) ** 2 for v in y[cents == k][:3].tolist()) for k, m in enumerate(means))
    assert spread > 0
    for found in (forth, back):
        assert errors(found.y, means).max() <= EPS * 1e6
        wide = sum(np.square(np.longdouble(y[cents == k]) - np.longdouble(float(m))).sum() for k, m in enumerate(means))
        assert found.constant == pytest.approx(float(wide) / 2, rel=1e-13)
    assert_array_equal(forth.sample_weight, back.sample_weight)


@given(problem=problems(), chunking=chunkings)
def test_parts_merge_to_the_whole(problem, chunking):
    X, y, w = problem.data
    chunks = cut(X, y, w, chunking)
    kept = [c for c in chunks if c[1].size and (len(c) == 2 or c[2].any())]
    whole, parts = compress(chunks), compress([compress([chunk]) for chunk in kept])
    assert_array_equal(parts.X, whole.X)
    assert_allclose(parts.y, whole.y, rtol=0, atol=4 * EPS * np.abs(y).max())
    assert_allclose(parts.sample_weight, whole.sample_weight, rtol=8 * EPS)
    assert_allclose(parts.constant, whole.constant, rtol=1e-12, atol=1e-26 * np.abs(y).max() ** 2 * y.size)


@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
@given(problem=problems(), chunking=chunkings)
def test_the_fit_is_that_of_all_rows(options, problem, chunking):
    X, y, w = problem.data
    model, data = ConvexNNRegressor(**options).fit(X, y, sample_weight=w), compress(cut(X, y, w, chunking))
    found = ConvexNNRegressor(**options).fit_compressed(data)
    scale = max(model.objective_, 1e-9 * np.square(y).sum())
    assert abs(found.objective_ - model.objective_) <= 3e-6 * scale
    assert found.alpha_ == pytest.approx(model.alpha_, rel=1e-9, abs=1e-9 * np.abs(y).max())
    assert found.converged_ and found.exact_ == model.exact_
    assert data.score(found) == pytest.approx(found.score(X, y, sample_weight=w), rel=1e-9, abs=1e-9)
    assert found.objective_bounds_ == pytest.approx((found.objective_, found.objective_), rel=1e-5, abs=1e-9 * scale)


def test_predictions_gap_and_certificate_are_those_of_all_rows(rng):
    X = rng.integers(0, 40, size=(3000, 1)) / 4
    y = np.sin(X[:, 0]) + rng.normal(size=3000)
    options = {"alpha": 0.01, "tol": 1e-12}
    model, data = ConvexNNRegressor(**options).fit(X, y), compress((X[k::7], y[k::7]) for k in range(7))
    found = ConvexNNRegressor(**options).fit_compressed(data)
    assert_allclose(found.predict(X), model.predict(X), atol=1e-9)
    assert found.dual_gap_ <= 1e-12 and found.certify().relative_gap <= 1e-9
    assert found.certify().primal == pytest.approx(found.objective_, rel=1e-12)
    assert found.objective_ == pytest.approx(model.objective_, rel=1e-11)
    assert ConvexNNRegressor(alpha="bic").fit_compressed(data).alpha_ == pytest.approx(
        ConvexNNRegressor(alpha="bic").fit(X, y).alpha_
    )
    assert not hasattr(found.fit(X, y), "objective_bounds_")


def test_several_inputs_and_many_points(rng):
    X = rng.integers(0, 60, size=(20_000, 2)) / 8
    y = np.abs(X[:, 0] - 3) + np.cos(X[:, 1]) + rng.normal(size=len(X))
    data = compress((X[k : k + 3000], y[k : k + 3000]) for k in range(0, len(X), 3000))
    assert data.y.size == len(np.unique(X, axis=0))
    model = ConvexNNRegressor(alpha=0.01).fit(X, y)
    found = ConvexNNRegressor(alpha=0.01).fit_compressed(data)
    assert found.objective_ == pytest.approx(model.objective_, rel=2e-6)


def test_memory_is_that_of_the_points():
    def chunks():
        for seed in range(30):
            prices = make_minute_prices(30_000, volatility=1e-4, random_state=seed)
            yield prices[:-1, None], prices[1:]

    compress(next(chunks()) for _ in range(1))
    tracemalloc.start()
    data = compress(chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.n_rows == 30 * 29_999 and data.y.size < 20_000
    assert peak < 5e6 < data.n_rows * 16


def test_names_of_inputs_go_along(rng):
    frame = pd.DataFrame(rng.integers(0, 5, size=(50, 2)), columns=["dose", "age"])
    y = frame["dose"] * 2.0 + rng.normal(size=50)
    data = compress([(frame[:20], y[:20]), (frame[20:], y[20:])])
    rising = ConvexNNRegressor(monotonic_cst={"dose": 1})
    expected = rising.fit(frame, y).predict(frame)
    model = rising.fit_compressed(data)
    assert model.feature_names_in_.tolist() == ["dose", "age"]
    assert_allclose(model.predict(frame), expected, atol=1e-3)
    assert data.score(model) == pytest.approx(model.score(frame, y), rel=1e-12)
    with pytest.raises(ValueError, match=r"fitted to inputs named \('dose', 'age'\), not \('age', 'dose'\)"):
        compress([(frame[["age", "dose"]], y)]).score(model)
    with pytest.raises(ValueError, match=r"chunk 1 of source: its inputs are named \('age', 'dose'\)"):
        compress([(frame, y), (frame[["age", "dose"]], y)])


def test_minus_zero_is_zero_and_integers_and_floats_are_welcome():
    data = compress([([[0]], [1]), (np.array([[-0.0]], dtype=np.float32), np.array([3.0], dtype=np.float32), [2])])
    assert_array_equal(data.X, [[0.0]])
    assert data.y == pytest.approx(7 / 3) and data.sample_weight.tolist() == [3.0]
    frozen = np.ones((2, 1))
    frozen.setflags(write=False)
    assert compress([(frozen[::-1], frozen[:, 0])]).constant == 0.0


def test_a_constant_target_scores_as_in_scikit_learn():
    data = compress([([[0.0], [1.0]], [2.0, 2.0])])
    model = ConvexNNRegressor().fit_compressed(data)
    assert data.score(model) == model.score(data.X, data.y) == 1.0


X, Y = [[1.0], [2.0]], [1.0, 2.0]


@pytest.mark.parametrize(
    ("chunks", "options", "error", "message"),
    [
        ([], {}, ValueError, "source has no chunks"),
        ([(np.empty((0, 1)), [])], {}, ValueError, "source has no row of positive weight; it has 0 rows"),
        ([(X, Y, [0.0, 0.0])], {}, ValueError, "source has no row of positive weight; it has 2 rows"),
        ([(X, Y), (X, [1.0, np.nan])], {}, ValueError, "chunk 1 of source: Input y contains NaN"),
        ([([[np.inf], [0.0]], Y)], {}, ValueError, "chunk 0 of source: Input X contains infinity"),
        ([(X, Y, [1.0, -1.0])], {}, ValueError, "chunk 0 .*Negative values in data passed to `sample_weight`"),
        ([(X, [1.0])], {}, ValueError, "chunk 0 of source: Found input variables with inconsistent numbers of samples"),
        ([(Y, Y)], {}, ValueError, "chunk 0 of source: Expected 2D array, got 1D array"),
        ([(X, ["a", "b"])], {}, ValueError, "could not convert string to float"),
        ([(X, Y), ([[1.0, 2.0]], [1.0])], {}, ValueError, "chunk 1 of source: it has 2 inputs, those before have 1"),
        ((np.array(X), np.array(Y)), {}, TypeError, r"chunk 0 of source: .*got ndarray; one chunk alone is \[\(X, y\)\]"),
        ([(X, Y)], {"grid": 0.0}, ValueError, "'grid' parameter of compress"),
        ([(np.column_stack([X, X]), Y)], {"grid": [0.1, -0.1]}, ValueError, "grid must be a width, .* not negative"),
        ([(X, Y)], {"grid": [0.1, 0.1]}, ValueError, "grid must be a width, or one for each of 1 inputs"),
        ([([[1e300]], [1.0])], {"grid": 1e-300}, ValueError, "grid is too fine"),
        ([(X, Y)], {"y": "price"}, ValueError, "x, y and sample_weight name columns of a Parquet file or Dask DataFrame"),
        ([(X, Y)], {"max_points": 1}, ValueError, "more than max_points=1 distinct values: round them with grid"),
        ([(X, Y), (X, [-1e200, 2.0])], {}, ValueError, "The targets are too large: their squares overflow"),
        (3, {}, TypeError, "not iterable"),
    ],
)
def test_bad_input(chunks, options, error, message):
    with pytest.raises(error, match=message):
        compress(chunks, **options)


def test_bad_fits():
    data = compress([(X, Y)])
    with pytest.raises(TypeError, match=r"data must be what convexnn\.compress returns, got list"):
        ConvexNNRegressor().fit_compressed([(X, Y)])
    with pytest.raises(ValueError, match="fit_compressed needs loss='squared', got 'huber'"):
        ConvexNNRegressor(loss="huber").fit_compressed(data)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        ConvexNNRegressor(alpha=-1.0).fit_compressed(data)
    assert isinstance(data, Compressed) and repr(data) == "<2 rows as 2 points>"
