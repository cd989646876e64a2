"""The Lasso of a working set, on columns that are random, equal, dependent and nearly dependent."""

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from convexnn import ConvexNNRegressor, alpha_max
from convexnn.solvers import active_set, orthogonal

METHODS = pytest.mark.parametrize("solve_lasso", [active_set.solve_lasso, orthogonal.solve_lasso])
EXAMPLES = settings.default.max_examples  # 20, many more in the nightly profile


def lasso_value(columns, target):
    """Return the optimum by an interior-point method: variables (z, bound), |z| <= bound."""
    n = columns.shape[1]
    quadratic = sp.block_diag([columns.T @ columns, sp.csc_matrix((n, n))], format="csc")
    linear = np.concatenate([-columns.T @ target, np.ones(n)])
    eye = sp.identity(n)
    limits = sp.bmat([[eye, -eye], [-eye, -eye]], format="csc")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.NonnegativeConeT(2 * n)]
    upper = sp.triu(quadratic, format="csc")
    answer = clarabel.DefaultSolver(upper, linear, limits, np.zeros(2 * n), cones, settings).solve()
    return answer.obj_val + 0.5 * target @ target


def objective(columns, target, z):
    residual = target - columns @ z
    return 0.5 * residual @ residual + np.abs(z).sum()


@st.composite
def working_sets(draw):
    """Draw columns, some of them copies, sums of others, or either up to a small error; a target; and a start."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows, count = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    error = draw(st.sampled_from([0.0, 1e-14, 1e-10, 1e-8, 1e-6, 1e-3]))
    columns = rng.normal(size=(rows, count)) if draw(st.booleans()) else rng.integers(-2, 3, size=(rows, count)) * 1.0
    copies = columns[:, rng.integers(0, count, size=4)]
    sums = columns @ rng.integers(-1, 2, size=(count, 4))
    columns = np.column_stack([columns, copies, sums])
    columns = columns + error * rng.normal(size=columns.shape)
    target = draw(st.sampled_from([0.5, 5.0, 1e4])) * rng.normal(size=rows)
    start = rng.normal(size=columns.shape[1]) * (rng.random(columns.shape[1]) < draw(st.sampled_from([0.0, 0.3, 1.0])))
    return columns[:, rng.permutation(columns.shape[1])], target, start


@METHODS
@settings(max_examples=10 * EXAMPLES)
@given(problem=working_sets())
def test_optimality_conditions(solve_lasso, problem):
    columns, target, start = problem
    z = solve_lasso(columns, columns.T @ columns, target, start)
    correlations = columns.T @ (target - columns @ z)
    # the size of the terms that cancel in a correlation
    rounding = 1e-13 * np.linalg.norm(columns, axis=0) * (np.linalg.norm(target) + np.abs(columns @ np.diag(z)).sum())
    assert np.isfinite(z).all()
    assert (np.abs(correlations) <= 1.0 + 1e-12 + rounding).all()
    used = z != 0
    assert (np.abs(correlations - np.sign(z))[used] <= 1e-12 + rounding[used]).all()


@METHODS
@settings(max_examples=3 * EXAMPLES)
@given(problem=working_sets())
def test_value_is_that_of_an_interior_point_method(solve_lasso, problem):
    columns, target, start = problem
    target = 5 * target / np.linalg.norm(target)  # what an interior-point method can solve
    z = solve_lasso(columns, columns.T @ columns, target, start)
    assert objective(columns, target, z) == pytest.approx(lasso_value(columns, target), rel=1e-6)


@METHODS
def test_support_is_independent(solve_lasso, rng):
    """Twenty columns in three dimensions: an optimum of at most three, from any start."""
    columns = rng.normal(size=(3, 20))
    for start in (np.zeros(20), rng.normal(size=20)):
        z = solve_lasso(columns, columns.T @ columns, 10 * rng.normal(size=3), start)
        assert 1 <= np.count_nonzero(z) <= 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(4))
def test_large_cancelling_coefficients_do_not_run_away(seed):
    """Weights over twelve decades, outliers of 1e8, next to no penalty: rounding in one long step ruined all others."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, 21, 40), rng.normal(size=40), 1.5e9 + rng.integers(0, 20, 40)])
    y = rng.normal(size=40) + 1e8 * (rng.random(40) < 0.1)
    w = 10 ** rng.uniform(-6, 6, 40)
    options = {"activation": "abs", "monotonic_cst": [1, 0, 1]}
    model = ConvexNNRegressor(**options, alpha=1e-9 * alpha_max(X, y, sample_weight=w, **options))
    model.fit(X, y, sample_weight=w)
    assert np.isfinite(model.predict(X)).all() and 0.0 <= model.dual_gap_ <= 1.0
    assert model.objective_ <= 0.5 * np.dot(w, (y - np.average(y, weights=w)) ** 2)


@METHODS
def test_never_ends_worse_than_it_began(solve_lasso, rng):
    columns = rng.normal(size=(30, 5)) @ rng.normal(size=(5, 40)) + 1e-9 * rng.normal(size=(30, 40))
    columns *= 1e12
    target, start = rng.normal(size=30), np.zeros(40)
    for _ in range(5):
        found = solve_lasso(columns, columns.T @ columns, target, start)
        assert objective(columns, target, found) <= objective(columns, target, start) * (1 + 1e-12)
        start = found * (1 + 1e-6)


@pytest.mark.parametrize("distance", [1e-9, 1e-11])
def test_an_orthonormal_basis_tells_columns_apart_that_a_gram_matrix_does_not(distance, rng):
    base, apart = rng.normal(size=(12, 5)), rng.normal(size=(12, 5))
    columns = np.column_stack([base, base + distance * apart])
    z = np.zeros(10)
    z[[1, 6, 3, 8]] = np.array([-1.0, 1.0, 1.0, -1.0]) * 1e3 / distance**2  # a fit by two differences
    target = columns @ z
    found = orthogonal.solve_lasso(columns, columns.T @ columns, target, np.zeros(10))
    assert objective(columns, target, found) <= objective(columns, target, z)
    lost = active_set.solve_lasso(columns, columns.T @ columns, target, np.zeros(10))
    assert objective(columns, target, lost) > 1.5 * objective(columns, target, found)
