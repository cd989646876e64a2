"""Primal value, dual point and gap against what they are by definition, without a solver in between."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from test_losses import LOSSES

from convexnn.architecture import Architecture, Shape
from convexnn.canonical import canonicalize
from convexnn.duality import Gap, evaluate_gap, feasible, null_point, price, refit, relative_gap
from convexnn.losses import LOGISTIC, SQUARED
from convexnn.training import make_problem

each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
SMOOTH = {name: loss for name, loss in LOSSES.items() if loss.smooth}
each_skip = pytest.mark.parametrize("skip", [False, True], ids=["plain", "skip"])
each_width = pytest.mark.parametrize("width", [1, 2, 3], ids=["one", "two", "three dependent"])
SEEDS = range(4)


def make(rng, loss, skip, width, rows=12):
    """Return a problem with tied inputs and weights; a third input is the sum of the others."""
    X = np.round(rng.normal(size=(rows, width)), 1) + 3.0
    if width == 3:
        X[:, 2] = X[:, 0] + X[:, 1]
    y = rng.uniform(0.0, 1.0, rows) if loss is LOGISTIC else rng.normal(size=rows)
    if loss is LOGISTIC:
        y[:4] = [0.0, 1.0, 0.0, 1.0]
    spec = Architecture(skip_connection=skip, shapes=(Shape(),) * width)
    unit = make_problem(canonicalize(X, y, rng.uniform(0.2, 3.0, rows), loss=loss), spec)
    return replace(unit, betas=0.1 * unit.betas)


def cases(loss, skip, width):
    """Yield a generator, its problem, the data and the free directions for every seed."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        problem = make(rng, loss, skip, width)
        yield rng, problem, problem.data, problem.free_columns()


def dual_point(problem, rng):
    """Return a feasible dual point: that of a fit, with corners rounded off, which has the same interval."""
    data = problem.data
    smooth = replace(problem, data=replace(data, loss=data.loss.rounded(0.5)))
    fit = refit(smooth, rng.normal(size=data.y.size))
    return feasible(problem, data.w * smooth.data.loss.dual(fit, data.y))


def correlations(problem, lam):
    """Return |lam @ g| / beta for all ramps of all inputs, written out."""
    rows = []
    for axis, beta in zip(problem.data.axes, problem.betas, strict=True):
        x = axis.points if axis.inverse is None else axis.points[axis.inverse]
        for a in axis.points:
            rows += [abs(lam @ np.maximum(s * (x - a), 0.0)) / beta for s in (1.0, -1.0)]
    return np.array(rows)


def by_definition(problem, fit, penalty, lam):
    """Return the primal value, the dual value of the largest multiple theta <= 1 of lam that is feasible, and theta."""
    data, v = problem.data, lam / problem.data.w
    theta = 1.0 / max(1.0, correlations(problem, lam).max())
    low, high = (np.broadcast_to(bound, v.shape) for bound in data.loss.interval(data.y))
    for value, bound in zip(v, np.where(v > 0.0, high, low), strict=True):
        if abs(value) > abs(bound) + 1e-12:
            theta = min(theta, bound / value)
    primal = data.w @ data.loss.value(fit, data.y) + penalty
    return primal, -data.w @ data.loss.conjugate(np.clip(theta * v, low, high), data.y), theta


@each_loss
@each_skip
@each_width
@pytest.mark.parametrize("size", [0.01, 1.0, 20.0])
def test_gap_is_primal_minus_dual(loss, skip, width, size):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        problem = make(rng, loss, skip, width)
        fit, penalty, lam = rng.normal(size=problem.data.y.size), rng.uniform(), size * dual_point(problem, rng)
        gap = evaluate_gap(problem, fit, penalty, lam=lam, limit=3)
        primal, dual, theta = by_definition(problem, fit, penalty, lam)
        assert gap.primal == pytest.approx(primal, rel=1e-12) and gap.dual == pytest.approx(gap.primal - gap.gap, abs=1e-14)
        if loss is SQUARED:  # by the triangle inequality: above it, unless one of the two parts is zero
            errors = problem.data.y - fit
            own, off = (np.sqrt(problem.data.w @ r**2) for r in (errors, lam / problem.data.w - errors))
            assert gap.gap >= primal - dual - 1e-12
            dual = primal - max(penalty - theta * lam @ fit + 0.5 * ((1.0 - theta) * own + theta * off) ** 2, 0.0)
        assert gap.gap == pytest.approx(primal - dual, rel=1e-9, abs=1e-11)
        paired = evaluate_gap(problem, fit, penalty, lam=lam, paired=float(lam @ fit) - 0.25, limit=0)
        assert paired.gap - gap.gap == pytest.approx(0.25 * theta, rel=1e-9)


@each_loss
@each_skip
@each_width
def test_dual_point_is_that_of_the_fit(loss, skip, width, rng):
    problem = make(rng, loss, skip, width)
    fit = refit(problem, rng.normal(size=problem.data.y.size))
    lam = problem.data.w * problem.data.loss.dual(fit, problem.data.y)
    assert evaluate_gap(problem, fit, 0.3, limit=0).gap == evaluate_gap(problem, fit, 0.3, lam=lam, limit=0).gap


@each_loss
@each_skip
@each_width
def test_feasible(loss, skip, width):
    for rng, problem, data, free in cases(loss, skip, width):
        near = dual_point(problem, rng) + 1e-7 * data.w * rng.normal(size=data.y.size)
        lam = feasible(problem, near)
        assert np.abs(free.T @ lam).max() <= 1e-13
        low, high = data.loss.interval(data.y)
        assert np.all(lam / data.w >= low - 1e-15) and np.all(lam / data.w <= high + 1e-15)
        np.testing.assert_allclose(lam, near, atol=1e-5)
        np.testing.assert_allclose(feasible(problem, lam), lam, atol=1e-14)
        if loss is SQUARED:  # the nearest point in the norm of the dual objective
            given = data.w * rng.normal(size=data.y.size)
            part = (given - feasible(problem, given)) / data.w
            np.testing.assert_allclose(free @ np.linalg.lstsq(free, part, rcond=None)[0], part, atol=1e-12)


@each_loss
@each_skip
@each_width
def test_refit(loss, skip, width):
    for rng, problem, data, free in cases(loss, skip, width):
        start = 3.0 * rng.normal(size=data.y.size)
        fit = refit(problem, start)
        if not loss.smooth:
            assert fit is start
            continue
        step = fit - start
        np.testing.assert_allclose(free @ np.linalg.lstsq(free, step, rcond=None)[0], step, atol=1e-9)
        slope = data.w * data.loss.dual(fit, data.y)
        assert np.all(np.abs(free.T @ slope) <= 1e-6 * (np.abs(free).T @ np.abs(slope)))


@pytest.mark.parametrize("loss", SMOOTH.values(), ids=SMOOTH)
@each_skip
@each_width
def test_best_network_without_units(loss, skip, width, rng):
    problem = make(rng, loss, skip, width)
    data, free = problem.data, problem.free_columns()
    null = null_point(problem)
    np.testing.assert_allclose(free @ np.linalg.lstsq(free, null.fit, rcond=None)[0], null.fit, atol=1e-10)
    assert null.ratio == pytest.approx(correlations(problem, null.lam).max(), rel=1e-10)
    np.testing.assert_allclose(feasible(problem, null.lam), null.lam, atol=1e-13)

    def cost(c):
        return data.w @ data.loss.value(free @ c, data.y)

    best = min(minimize(cost, start, tol=1e-12).fun for start in (np.zeros(free.shape[1]), np.ones(free.shape[1])))
    assert data.w @ data.loss.value(null.fit, data.y) <= best * (1.0 + 1e-12) + 1e-14


@pytest.mark.parametrize("loss", [SQUARED, LOSSES["huber"]], ids=["squared", "huber"])
def test_a_line_leaves_nothing_to_explain(loss, rng):
    X = np.round(rng.normal(size=(20, 2)), 1)
    spec = Architecture(skip_connection=True, shapes=(Shape(), Shape()))
    problem = make_problem(canonicalize(X, 1.0 + X @ [2.0, -3.0], None, loss=loss), spec)
    assert null_point(problem).ratio == 0.0
    bent = make_problem(canonicalize(X, 1.0 + X @ [2.0, -3.0] + 1e-9 * X[:, 0] ** 2, None, loss=loss), spec)
    assert null_point(bent).ratio > 0.0


@each_skip
@each_width
def test_free_directions(skip, width, rng):
    problem = make(rng, SQUARED, skip, width)
    free, basis, root = problem.free_columns(), problem.free_basis(), np.sqrt(problem.data.w)
    assert basis.shape[1] == np.linalg.matrix_rank(free) == (1 + min(width, 2) if skip else 1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-14)
    spanned = root[:, None] * free
    np.testing.assert_allclose(basis @ (basis.T @ spanned), spanned, atol=1e-13)
    coef = rng.normal(size=width) * skip
    intercept, slopes = problem.free_coefficients(free @ np.array([0.7, *coef][: free.shape[1]]))
    assert slopes.shape == (width,)
    fit = intercept + np.column_stack([axis.gather(axis.points) for axis in problem.data.axes]) @ slopes
    np.testing.assert_allclose(fit, free @ np.array([0.7, *coef][: free.shape[1]]), atol=1e-12)


def test_an_input_without_spread_is_no_direction(rng):
    X = np.column_stack([np.full(9, 2.0), rng.normal(size=9)])
    for columns, rank in [([0], 1), ([0, 1], 2), ([1], 2)]:
        spec = Architecture(skip_connection=True, shapes=(Shape(),) * len(columns))
        problem = make_problem(canonicalize(X[:, columns], rng.normal(size=9), None), spec)
        assert problem.free_basis().shape == (problem.data.y.size, rank)


@each_width
@pytest.mark.parametrize("slack", [0.0, 2.0])
def test_violations_are_correlations_over_beta(width, slack, rng):
    problem = make(rng, SQUARED, False, width)
    lam = feasible(problem, problem.data.w * rng.normal(size=problem.data.y.size))
    found = price(problem, 5.0 * lam, limit=4, slack=slack)
    assert found.maximum == pytest.approx(correlations(problem, 5.0 * lam).max(), rel=1e-12)
    for axis, dictionary, beta, rows, ratios in zip(
        problem.data.axes, problem.dictionaries, problem.betas, found.features, found.ratios, strict=True
    ):
        assert len(rows) == ratios.size <= 4 and np.all(np.abs(ratios) > 1.0 + slack)
        values = axis.gather(dictionary.evaluate(rows, axis.points))
        np.testing.assert_allclose(ratios, 5.0 * lam @ values / beta, rtol=1e-10)
    free = replace(problem, betas=0.0 * problem.betas)
    assert price(free, lam, limit=1).maximum == np.inf and price(free, 0.0 * lam, limit=1).maximum == 0.0


def test_relative_gap(rng):
    problem = make(rng, SQUARED, False, 1)
    data = problem.data
    none = price(problem, np.zeros(data.y.size), limit=0)
    for primal, gap in [(0.5, 1e-3), (2.0, 0.0), (1e-12 * data.null_objective - data.constant, 1e-9 * data.null_objective)]:
        reference = max(primal + data.constant, 1e-8 * data.null_objective)
        assert relative_gap(problem, Gap(primal, primal - gap, gap, none)) == pytest.approx(gap / reference, rel=1e-12)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES.values() if not loss.smooth])
@each_skip
@each_width
def test_feasible_without_room(loss, skip, width):
    """A fit that meets no target has all its derivatives at their bounds: a bound holds for what is orthogonal only."""
    for rng, problem, data, free in cases(loss, skip, width):
        fit = data.y + rng.choice([-1e-9, 1e-9, 2e-9], data.y.size)
        given = data.w * data.loss.dual(fit, data.y)
        assert np.abs(free.T @ given).max() > 1e-3
        lam = feasible(problem, given)
        assert np.abs(free.T @ lam).max() <= 1e-13
        # weak duality against a network without units, whatever the fit claims to cost
        constant = np.full(data.y.size, data.loss.best_constant(data.y, data.w))
        best = float(np.dot(data.w, data.loss.value(constant, data.y)))
        assert evaluate_gap(problem, fit, 2.0 * best, lam=lam, limit=0).dual <= best
