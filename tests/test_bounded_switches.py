"""Networks with a bounded number of switches in function space: their norm, how it is attained, and the solvers."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from deep_reference import Row, best_objective, dictionary, smallest_norm, smalls
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import OptimizeResult, linprog

from convexnn import ConvexNNRegressor, alpha_max
from convexnn.dictionaries.chains import layers, split
from convexnn.kernels.ladder import factor, substitute
from convexnn.kernels.switches import priced_switches

STEPS = ("sign", "threshold")
SIZE = {"sign": 2.0, "threshold": 1.0}


def norm_by_two_functions(f, switches, free):
    """Return the least H_0 + H_1 over f = free part - h_0 + h_1, falls of each at most floor(K / 2) H: a programme."""
    n, p = len(f), free.shape[1]
    width = 2 * (2 * n + 1) + p  # h, falls (one after the end), H for either function; free coefficients
    equal, rows = np.zeros((n, width)), []
    equal[:, width - p :] = free
    for j in range(2):
        h, fall, high = (j * (2 * n + 1) + k for k in (0, n, 2 * n))
        equal[np.arange(n), h + np.arange(n)] = 2 * j - 1
        for i in range(n):
            rows.append(np.zeros(width))  # h <= H
            rows[-1][[h + i, high]] = 1, -1
            rows.append(np.zeros(width))  # a fall is at least what h loses; after the end all of it if K is even
            rows[-1][[h + i, fall + i]] = 1, -1
            if i < n - 1:
                rows[-1][h + i + 1] = -1
            elif switches % 2:
                rows[-1][h + i] = 0
        rows.append(np.zeros(width))
        rows[-1][fall : fall + n] = 1
        rows[-1][high] = -(switches // 2)
    cost = np.zeros(width)
    cost[[2 * n, 4 * n + 1]] = 1
    bounds = [(0, None)] * (width - p) + [(None, None)] * p
    return linprog(cost, A_ub=np.array(rows), b_ub=np.zeros(len(rows)), A_eq=equal, b_eq=f, bounds=bounds).fun


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", STEPS)
@settings(max_examples=60)
@given(n=st.integers(2, 8), switches=st.integers(1, 7), whole=st.booleans(), seed=st.integers(0, 10**6))
def test_norm_is_the_linear_programme(activation, skip, n, switches, whole, seed):
    rng = np.random.default_rng(seed)
    x, f = np.sort(rng.uniform(-1, 1, n)), rng.normal(size=n)
    f = np.round(2 * f) if whole else f
    free = np.column_stack([np.ones(n), x][: 1 + skip])
    switches = min(switches, n - 1)
    explicit = smallest_norm(x, f, Row(3, activation, "parallel", switches), skip)
    assert norm_by_two_functions(f, switches, free) / SIZE[activation] == pytest.approx(explicit, rel=1e-8, abs=1e-8)


def switch_counts(rows):
    """Count the switches of units between places: one at 0 is none."""
    return [len(row) - (row[0] == 0) for row in rows]


def superpose(rows, masses, n):
    """Add up units that are 0 before their first place, then their mass, and so on in turn."""
    patterns = [np.isin(np.arange(n), row).cumsum() % 2 for row in rows]
    return np.array(masses) @ np.array(patterns)


@settings(max_examples=100)
@given(n=st.integers(2, 60), switches=st.integers(2, 9), coarse=st.booleans(), seed=st.integers(0, 10**6))
def test_split_keeps_the_bound(n, switches, coarse, seed):
    rng = np.random.default_rng(seed)
    levels = rng.uniform(size=n) * (rng.uniform(size=n) < 0.8)
    levels = np.round(4 * levels) / 4 if coarse else levels
    assume(np.ptp(levels) > 0.0)
    after = levels if switches % 2 else np.append(levels, 0.0)
    height = max(levels.max(), np.maximum(-np.diff(after), 0.0).sum() / (switches // 2))
    rows, masses = split(levels, height, switches)
    assert max(switch_counts(rows)) <= switches
    assert len(rows) <= 1 + np.count_nonzero(np.diff(levels, prepend=0.0))
    assert min(masses) > 0.0 and sum(masses) <= height * (1 + 1e-12)
    assert np.ptp(superpose(rows, masses, n) - levels) <= 1e-12 * height * n  # constant units are left out


@pytest.mark.parametrize("n", [2, 20, 400])
def test_layers_add_up_to_the_range(n, rng):
    for levels in (rng.normal(size=n), np.round(3 * rng.normal(size=n)) + np.arange(n) % 2):
        rows, masses = layers(levels)
        assert len(rows) <= 53 and sum(masses) == pytest.approx(np.ptp(levels), rel=1e-14)
        assert_allclose(superpose(rows, masses, n), levels - levels.min(), atol=1e-14 * np.ptp(levels))


@settings(max_examples=40)
@given(n=st.integers(1, 6), width=st.integers(1, 3), spread=st.integers(0, 40), seed=st.integers(0, 10**6))
def test_ladder_is_accurate_however_small_its_row_sums(n, width, spread, seed):
    rng = np.random.default_rng(seed)
    ground, rungs, rails = (10.0 ** rng.uniform(-spread, 0, size) for size in (2 * n, n, 2 * n - 2))
    columns = rng.uniform(size=(2 * n, width))
    matrix = [[Fraction(0)] * (2 * n) for _ in range(2 * n)]
    edges = [(2 * i, 2 * i + 1, rungs[i]) for i in range(n)] + [(k, k + 2, rails[k]) for k in range(2 * n - 2)]
    for k in range(2 * n):
        matrix[k][k] += Fraction(float(ground[k]))
    for a, b, value in edges:
        value = Fraction(float(value))
        for row, column, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            matrix[row][column] += sign * value
    got = substitute(*factor(ground, rungs, rails), columns)
    for c in range(width):
        exact = solve_rationally([row.copy() for row in matrix], [Fraction(float(value)) for value in columns[:, c]])
        assert_allclose(got[:, c], [float(value) for value in exact], rtol=1e-13)


def solve_rationally(matrix, right):
    """Eliminate in exact arithmetic."""
    n = len(right)
    for k in range(n):
        for i in range(k + 1, n):
            ratio = matrix[i][k] / matrix[k][k]
            matrix[i] = [a - ratio * b for a, b in zip(matrix[i], matrix[k], strict=True)]
            right[i] -= ratio * right[k]
    for k in reversed(range(n)):
        right[k] = (right[k] - sum(matrix[k][j] * right[j] for j in range(k + 1, n))) / matrix[k][k]
    return right


@settings(max_examples=40)
@given(n=st.integers(2, 8), closed=st.booleans(), seed=st.integers(0, 10**6))
def test_priced_switches_are_the_best_patterns(n, closed, seed):
    rng = np.random.default_rng(seed)
    sums, first, fall = rng.normal(size=n), rng.uniform(size=n) < 0.5, rng.uniform()
    first[0] = True
    rises, falls = priced_switches(sums, first, fall, closed)
    best = {}
    for pattern in itertools.product([0, 1], repeat=n):
        steps = np.diff(pattern)
        worth = np.dot(sums, pattern) - fall * (np.sum(steps < 0) + (closed and pattern[-1] == 1))
        inside = [r for r in np.flatnonzero(steps) if not first[r + 1]]
        stretches = np.cumsum(first)
        for r in inside:
            if all(stretches[r] == stretches[other] for other in inside):
                key = (int(r), int(steps[r]))
                best[key] = max(best.get(key, -np.inf), worth)
    for r in range(n - 1):
        expected = (-np.inf, -np.inf) if first[r + 1] else (best[r, 1], best[r, -1])
        assert_allclose((rises[r], falls[r]), expected, atol=1e-12)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", STEPS)
@settings(max_examples=40)
@given(small=smalls(), width=st.integers(2, 6), fraction=st.sampled_from([0.7, 0.1, 1e-2, 1e-4]))
def test_fit_is_the_optimum_over_the_explicit_dictionary(activation, skip, small, width, fraction):
    X, y, w = small.data
    row = Row(3, activation, "parallel", width)
    options = {**row.options, "skip_connection": skip}
    top = ConvexNNRegressor(**options, alpha=1e9).fit(X, y, sample_weight=w).alpha_max_
    assume(top > 1e-9)
    model = ConvexNNRegressor(**options, alpha=fraction * top, tol=1e-9).fit(X, y, sample_weight=w)
    expected = best_objective(X, y, model.alpha_, row, skip=skip, w=w)
    assert model.dual_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(expected, rel=1e-7, abs=1e-9 * np.sum(y**2))


def largest_correlation(lam, switches):
    """Return max |lam @ s| over vectors of signs with at most so many switches: a plain dynamic programme."""
    best = np.full((switches + 1, 2), -np.inf)
    best[0] = -lam[0], lam[0]
    for value in lam[1:]:
        switched = np.vstack([[-np.inf, -np.inf], best[:-1, ::-1]])
        best = np.maximum(best, switched) + np.array([-value, value])
    return best.max()


DEEP = {
    "parallel 2": {"architecture": "parallel", "width": 2},
    "parallel 5": {"architecture": "parallel", "width": 5},
    "parallel 40": {"architecture": "parallel", "width": 40},
    "tree 3, 3": {"architecture": "tree", "width": (3, 3), "depth": 4},
    "all": {"architecture": "parallel", "width": 10**6},
}


@pytest.mark.parametrize("seed", [5, 9, 17, 23])
def test_rounding_leaves_less_than_a_billionth(seed):
    """Nearly as many stretches as points, where the multipliers of tiny slacks are what is left of large differences."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (1500, 1))
    y = np.sin(6 * x[:, 0]) + 0.2 * rng.normal(size=1500)
    options = {"activation": "sign", "skip_connection": True, "tol": 1e-9, **DEEP["tree 3, 3"]}
    top = ConvexNNRegressor(**options, alpha=1e9).fit(x, y).alpha_max_
    model = ConvexNNRegressor(**options, alpha=1e-4 * top).fit(x, y)
    assert model.coef_.size > 1400
    assert model.certify().relative_gap <= 1e-9


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("fraction", [1e-1, 1e-2, 1e-4])
def test_gap_on_many_points(name, skip, fraction):
    rng = np.random.default_rng(5)
    n = 1500
    x = rng.uniform(-1, 1, n)
    y = np.sin(6 * x) + 0.2 * rng.normal(size=n)
    options = {"depth": 3, "activation": "sign", "skip_connection": skip, "tol": 1e-9, **DEEP[name]}
    top = ConvexNNRegressor(**options, alpha=1e9).fit(x[:, None], y).alpha_max_
    model = ConvexNNRegressor(**options, alpha=fraction * top).fit(x[:, None], y)
    assert model.converged_
    order = np.argsort(x)
    lam = (y - model.predict(x[:, None]))[order]
    free = np.column_stack([np.ones(n), x[order]][: 1 + skip])
    assert np.abs(free.T @ lam).max() <= 1e-9 * n
    beta, penalty = model.alpha_ * n, model.alpha_ * n * np.abs(model.coef_).sum()
    theta = min(1.0, beta / largest_correlation(lam, min(n - 1, int(np.prod(options["width"])))))
    primal = 0.5 * lam @ lam + penalty
    dual = theta * lam @ y[order] - 0.5 * theta**2 * lam @ lam
    assert primal == pytest.approx(model.objective_, rel=1e-10)
    assert (primal - dual) / primal <= 1e-7
    if name != "all":
        assert model.coef_.size <= np.unique(model.breakpoints_[0]).size + 4


@pytest.mark.parametrize("shift", [0.0, 1e-3, 1.0])
def test_where_rounding_stops_the_best_of_the_last_points_is_found(shift):
    # next to interpolation multipliers are large, and what rounding leaves of their constraints says too little
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 1, 1500)
    y = np.sin(6 * x) + 0.2 * rng.normal(size=1500)
    options = {"depth": 3, "activation": "sign", "skip_connection": True, "architecture": "parallel", "width": 5}
    top = alpha_max(x[:, None] + shift, y, **options)
    model = ConvexNNRegressor(**options, alpha=1e-4 * top, tol=1e-9).fit(x[:, None] + shift, y)
    assert model.converged_ and model.certify().relative_gap <= 2e-9


def test_units_are_as_many_as_steps_and_switch_no_more_than_allowed(rng):
    x = rng.uniform(-1, 1, 3000)
    y = np.sin(6 * x) + 0.2 * rng.normal(size=3000)
    model = ConvexNNRegressor(3, activation="threshold", architecture="parallel", width=7).fit(x[:, None], y)
    assert model.solver_ == "stretches"
    assert max(len(feature.breakpoints) for feature in model.features_) <= 7
    assert 10 < model.coef_.size <= model.breakpoints_[0].size + 4


def test_where_thinning_fails_the_fit_has_more_units(rng, monkeypatch):
    X = np.sort(rng.uniform(-1, 1, size=(300, 1)), axis=0)
    y = np.sin(6 * X[:, 0]) + 0.2 * rng.normal(size=300)
    options = {"activation": "threshold", "architecture": "parallel", "width": 5, "tol": 1e-9}
    few = ConvexNNRegressor(3, **options).fit(X, y)
    monkeypatch.setattr("scipy.optimize.linprog", lambda *args, **more: OptimizeResult(x=None, status=4))
    many = ConvexNNRegressor(3, **options).fit(X, y)
    assert many.solver_ == "stretches" and many.converged_ and many.coef_.size > few.coef_.size
    assert many.objective_ == pytest.approx(few.objective_, rel=2e-9)
    assert_allclose(many.predict(X), few.predict(X), atol=1e-5)


@pytest.mark.parametrize("candidates", [None, 60])
@pytest.mark.parametrize("activation", STEPS)
def test_clipping_and_stretches_agree(activation, candidates, rng):
    X, y, w = rng.normal(size=(200, 1)), rng.normal(size=200), rng.uniform(0.5, 2.0, 200)
    options = {"activation": activation, "architecture": "parallel", "width": 500, "max_breakpoints": candidates}
    clipped = ConvexNNRegressor(3, **options, tol=1e-10).fit(X, y, sample_weight=w)
    model = ConvexNNRegressor(3, **options, tol=1e-10, solver="stretches").fit(X, y, sample_weight=w)
    assert clipped.solver_ == "clipping"
    assert (clipped.n_iter_ == 1) == (candidates is None)  # thinned candidates are refined, and each round is a pass
    assert clipped.objective_ == pytest.approx(model.objective_, rel=1e-10)
    assert_allclose(clipped.predict(X), model.predict(X), atol=1e-8)


def test_one_switch_is_total_variation(rng):
    X, y = rng.normal(size=(200, 1)), rng.normal(size=200)
    deep = ConvexNNRegressor(4, activation="sign", architecture="parallel", width=1).fit(X, y)
    flat = ConvexNNRegressor(2, activation="sign").fit(X, y)
    assert deep.solver_ == "total_variation"
    assert deep.objective_ == pytest.approx(flat.objective_, rel=1e-12)


def test_explicit_dictionary_has_the_complements(rng):
    """The reference lists vectors that begin low only: the others are their negatives up to a constant."""
    x = np.arange(5.0)
    columns = {tuple(np.sign(c)) for c in dictionary(x, Row(3, "sign", "parallel", 3)).T}
    assert all(c[0] == -1 for c in columns) and len(columns) == 4 + 6 + 4
