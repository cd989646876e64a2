"""The steps of the spline solver: what a sweep says of the priced curve, and kinks dropped with more or less patience."""

import gc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from convexnn import ConvexNNRegressor
from convexnn.architecture import Architecture, Shape
from convexnn.canonical import canonicalize
from convexnn.dictionaries.sums import ramp_sums
from convexnn.training import prepare

ROWS = [{}, {"skip_connection": True}, {"activation": "abs"}, {"depth": 3}]
LEAKY = {"activation": "leaky_relu", "negative_slope": 0.5}
FRACTIONS = [0.3, 0.01, 1e-5]


def fitter_of(rng, row, fraction, n=3000, slope=0.0, noise=0.3):
    from convexnn.solvers.knots import Fitter

    x = rng.standard_cauchy(n) if row.get("depth") else rng.random(n)
    y = np.sin(6.0 * np.arctan(x)) + noise * rng.normal(size=n) + slope * x
    spec = Architecture(**row, shapes=(Shape(),))
    trainer = prepare(canonicalize(x[:, None], y, rng.uniform(0.5, 2.0, n)), spec, "auto")
    return Fitter(replace(trainer.unit, betas=fraction * trainer.alpha_max * trainer.unit.betas))


def objective(fitter, state):
    return fitter.price(state).gap.primal


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_a_sweep_bounds_the_curve(row, fraction, rng):
    fitter = fitter_of(rng, row, fraction)
    state, (x, y, w, _) = fitter.begin(None), fitter.data
    kink, beta, flat = fitter.norm.kink, fitter.beta, fitter.norm.flat
    for _ in range(5):
        sweep = fitter.price(state)
        low, high = fitter.bands(state.tau)
        curve = ramp_sums(x, w * (y - np.interp(x, x[state.knots], state.values)))
        if flat:  # it may have any value at the last point: kinks say which, without any it is in the middle of the band
            anchors = np.flatnonzero(state.signs)[:1]
            at = np.where(state.signs[anchors] > 0, high, low) - curve[state.knots[anchors]]
            curve += at[0] if at.size else -0.5 * (curve.min() + curve.max())
            ratio = np.ptp(curve) / (2.0 * kink * beta)
        else:
            shift = state.tau * beta
            above, below = max((kink - 1.0) * shift, -kink * shift), min((kink - 1.0) * shift, -kink * shift)
            ratio = max(curve.max() + above, -curve.min() - below, kink * beta) / (kink * beta)
        assert sweep.gap.violations.maximum >= ratio * (1.0 - 1e-9)
        at = curve[sweep.places]
        np.testing.assert_allclose(at, sweep.peaks, rtol=1e-6, atol=1e-9 * beta)
        assert (np.where(sweep.sides > 0, at - high, low - at) > 0.0).all()
        state = fitter.settle(fitter.extend(state, sweep), fitter.tries(state, sweep)[0])


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_patience(row, fraction, rng):
    from convexnn.kernels.settling import BOLD, CAREFUL, SAFE, STILL

    fitter = fitter_of(rng, row, fraction)
    state = fitter.begin(None)
    for _ in range(2):
        sweep = fitter.price(state)
        settled = {p: fitter.settle(fitter.extend(state, sweep), p) for p in (BOLD, CAREFUL, SAFE)}
        for after in settled.values():
            turns = np.diff(after.slopes, prepend=0.0, append=0.0)
            kinks = turns if fitter.norm.flat else turns[1:-1]
            signs = after.signs if fitter.norm.flat else after.signs[1:-1]
            assert (kinks[signs != 0] * signs[signs != 0] > 0.0).all()
        assert objective(fitter, settled[SAFE]) <= sweep.gap.primal * (1.0 + 1e-12)
        kept = fitter.settle(fitter.extend(state, sweep), STILL)
        assert kept.knots.size == state.knots.size + sweep.places.size
        state = settled[CAREFUL]
    again = fitter.again(state.bare())
    np.testing.assert_allclose(again.values, state.values, atol=1e-12)


@pytest.mark.parametrize("row", [*ROWS, LEAKY], ids=str)
@pytest.mark.parametrize("fraction", [1e-2, 1e-5, 1e-10])
@pytest.mark.parametrize(("slope", "noise"), [(0.0, 0.3), (30.0, 0.0)])
def test_what_is_kept_of_an_elimination_is_what_another_one_makes(row, fraction, slope, noise, rng):
    # to the last bit: after rounds that drop knots it is done again only where these were; without noise there are long
    # stretches of kinks of one sign, where multipliers cancel, and what a steep line costs changes them all
    from convexnn.kernels.settling import BOLD

    fitter = fitter_of(rng, row, fraction, slope=slope, noise=noise)
    state, dropped = fitter.begin(None), 0
    for _ in range(10):
        extended = fitter.extend(state, fitter.price(state))
        dropped += extended.knots.size
        state = fitter.settle(extended, BOLD)
        dropped -= state.knots.size
        again = fitter.again(state.bare())
        assert again.tau == state.tau
        np.testing.assert_array_equal(again.values, state.values)
        np.testing.assert_array_equal(again.slopes, state.slopes)
    assert dropped or fitter.norm.flat


@pytest.mark.parametrize("row", [*ROWS, LEAKY], ids=str)
@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_on_few_points(row, seed):
    # from signs at random near the critical alpha: of a spline with flat ends two knots are left, or one end alone turns
    from convexnn.kernels.settling import BOLD

    rng = np.random.default_rng(seed)
    for _ in range(10):
        fitter = fitter_of(rng, row, 10.0 ** rng.uniform(-3.0, 0.1), n=int(rng.integers(4, 12)))
        knots = np.arange(fitter.x.size, dtype=np.int32)
        state = fitter.settle(given(fitter, knots, rng.choice([-1, 1], knots.size).astype(np.int8)), BOLD)
        again = fitter.again(state.bare())
        assert again.tau == state.tau
        np.testing.assert_array_equal(again.values, state.values)
        np.testing.assert_array_equal(again.slopes, state.slopes)


def test_one_flat_end_and_two_knots():
    # values and slopes hold no number yet: what is not written must not be read
    from convexnn.kernels.splines import fit_knots_alone

    x, y, w = np.array([0.0, 0.5, 1.0]), np.array([1.0, 2.0, 4.0]), np.full(3, 1.0 / 3.0)
    for signs, tied in (([1, 0], (False, True)), ([0, 1], (True, False))):
        values, slopes, ratios, rests = np.full(2, np.nan), np.full(1, np.nan), np.full(1, 7.0), np.full(2, 8.0)
        knots, given_signs, sums = np.array([0, 2], np.int32), np.array(signs, np.int8), np.zeros((1, 5))
        fixed = 2, knots, given_signs, sums, np.zeros((2, 4)), 0.0, *tied, np.nan
        fit_knots_alone(x, y, w, np.empty((0, 9)), *fixed, ratios, rests, values, slopes)
        np.testing.assert_allclose(values, 7.0 / 3.0)
        assert slopes[0] == 0.0


def test_another_multiplier_at_an_end_is_not_lost_in_rounding():
    # the first target has all the weight: what the first kink costs changes the next row of the elimination alone
    from convexnn.kernels.splines import fit_knots_alone

    x, y, w = np.linspace(0.0, 1.0, 5), np.array([1.0, 0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1e-18, 1e-18, 1e-18, 1e-18])
    knots, signs, sums = np.arange(5, dtype=np.int32), np.array([0, -1, 1, -1, 0], np.int8), np.zeros((4, 5))

    def fit(end, known, ratios, rests):
        values, slopes, forces = np.empty(5), np.empty(4), np.zeros((2, 4))
        forces[0] = -1e-18, 1e-18, end, -end
        fixed = 5, knots, signs, sums, forces, 0.0, False, False, known
        return values, fit_knots_alone(x, y, w, np.empty((0, 9)), *fixed, ratios, rests, values, slopes)[2]

    kept = np.empty(4), np.empty(5)
    _, known = fit(0.0, np.nan, *kept)
    np.testing.assert_array_equal(fit(1e-18, known, *kept)[0], fit(1e-18, np.nan, np.empty(4), np.empty(5))[0])


def test_a_warm_start_at_which_two_knots_are_left():
    rng = np.random.default_rng(1533)
    n = int(rng.integers(2, 14))
    x, y = rng.random(n), rng.normal(size=n)
    model = ConvexNNRegressor(depth=3, warm_start=True).fit(x[:, None], y)
    model.set_params(alpha=model.alpha_max_ * 0.9999998455268552).fit(x[:, None], y)
    assert model.converged_


def test_a_state_is_not_used_up_by_the_one_that_starts_from_it(rng):
    from convexnn.kernels.settling import CAREFUL

    fitter = fitter_of(rng, {}, 0.01)
    state = fitter.begin(None)
    before = [np.copy(part) for part in state]
    fitter.resettle(state)
    fitter.settle(fitter.extend(state, fitter.price(state)), CAREFUL)
    for part, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(part, old)


def compiling(module):
    """Return what numba's events say of a function of a module."""
    return SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=SimpleNamespace(__module__=module))})


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_rests_while_kernels_are_compiled(enabled):
    from convexnn.kernels import _Compiling

    rest, ours, theirs = _Compiling(), compiling("convexnn.kernels.sweeps"), compiling("elsewhere")
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        rest.on_start(theirs)
        assert gc.isenabled() == enabled
        rest.on_start(ours)
        rest.on_start(ours)
        rest.on_end(ours)
        assert not gc.isenabled()
        rest.on_end(ours)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


EDGES = [(row, seed) for row in ROWS for seed in range(12)]
# neither the kinks, counted by their signs, turn anything, nor do the outer slopes add up to anything
CORNERS = [({}, 1031), (LEAKY, 1031), (LEAKY, 1217), (LEAKY, 1680), (LEAKY, 2357)]


@pytest.mark.parametrize(("row", "seed"), EDGES + CORNERS, ids=str)
def test_fit_with_given_signs(row, seed):
    # signs at random: most are wrong, and the optimum may be at any corner or edge of what the outer slopes cost
    import cvxpy as cp

    from convexnn.kernels.settling import STILL

    rng = np.random.default_rng(seed)
    fitter = fitter_of(rng, row, 10.0 ** rng.uniform(-3.0, 0.7), n=60)
    (x, y, w, _), norm = fitter.data, fitter.norm
    inner = np.sort(rng.choice(np.arange(1, x.size - 1), rng.integers(1, 9), replace=False)).astype(np.int32)
    signs = rng.choice(np.array([-1, 1], np.int8), inner.size + 2)
    if not norm.flat:
        signs[[0, -1]] = 0
    knots = np.concatenate(([0], inner, [x.size - 1])).astype(np.int32)
    values = cp.Variable(knots.size)
    slopes = cp.multiply(1.0 / np.diff(x[knots]), cp.diff(values))
    turns = cp.hstack([slopes[:1], cp.diff(slopes), -slopes[-1:]])
    T, S = signs @ turns, slopes[0] + slopes[-1]
    cost = cp.maximum(norm.kink * T, 0.5 * (T + cp.abs(S))) if norm.coupled else norm.kink * T
    basis = np.array([np.interp(x, x[knots], e) for e in np.eye(knots.size)]).T
    best = cp.Problem(cp.Minimize(0.5 * cp.sum(cp.multiply(w, cp.square(y - basis @ values))) + fitter.beta * cost))
    best.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    state = fitter.settle(given(fitter, knots, signs), STILL)
    np.testing.assert_allclose(state.values, values.value, atol=1e-5 * np.abs(y).max())
    if (row, seed) in CORNERS:
        turned = state.signs[1:-1] @ np.diff(state.slopes)
        assert max(abs(turned), abs(state.slopes[0] + state.slopes[-1])) <= 1e-9 * np.abs(state.slopes).max()


def given(fitter, knots, signs):
    """Return a state with these knots, not fitted yet."""
    from convexnn.solvers.knots import State, segment_sums

    ends = knots[[0, -1]]
    line = State(ends, signs[[0, -1]], np.array([segment_sums(*fitter.data, *ends)]), np.zeros(2), np.zeros(1), 0.0)
    return fitter.insert(line, knots[1:-1], signs[1:-1])
