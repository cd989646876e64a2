"""The certificate of spline fits in exact rational arithmetic: the gap of the delivered numbers is no more than dual_gap_.

At tiny alpha a certificate made from the fitted values alone speaks of their rounding: as doubles they do not hold the
residuals to enough digits. The dual point of the solver does not come from them: between the knots it is the residuals,
at the knots it is what the optimality conditions say. Here it is made again, of rationals.
"""

import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from convexnn import ConvexNNRegressor, alpha_max

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the benchmarks

ARCHITECTURES = {
    "relu": {},
    "skip": {"skip_connection": True},
    "leaky": {"activation": "leaky_relu", "negative_slope": 0.3},
    "abs": {"activation": "abs"},
    "narrow": {"depth": 4},
}


def rationals(values):
    return [Fraction(float(v)) for v in values]


def dual_point(x, w, errors, knots, forces, tied):
    """Return lam: w times the errors inside the segments, and at the knots what makes F = sum lam (x - a)_+ the forces."""
    lam = [wi * e for wi, e in zip(w, errors, strict=True)]
    before = Fraction(0)
    for k, (a, b) in enumerate(pairwise(knots)):
        moment, total = sum(lam[i] * (x[b] - x[i]) for i in range(a + 1, b)), sum(lam[a + 1 : b])
        if k == 0 and tied[0]:
            rate = lam[a]
        elif k == len(knots) - 2 and tied[1]:
            rate = -total - lam[b]
        else:
            rate = (forces[k + 1] - forces[k] - moment) / (x[b] - x[a])
        lam[a], before = rate - before, rate + total
    lam[-1] = -before
    return lam


def largest_correlation(x, lam, name):
    sums, tail = [Fraction(0)] * len(x), Fraction(0)
    for i in reversed(range(len(x) - 1)):
        tail += lam[i + 1]
        sums[i] = sums[i + 1] + tail * (x[i + 1] - x[i])
    first, high, low = sums[0], max(sums[:-1]), min(sums[:-1])
    if name == "narrow":
        return max(sums) - min(sums)
    if name == "skip":
        return max(high, -low)
    if name == "abs":
        return max(2 * high - first, first - 2 * low)
    slope = Fraction(0.3) if name == "leaky" else Fraction(0)
    right = [(1 - slope) * s + slope * first for s in (high, low)]
    left = [(1 - slope) * s - first for s in (high, low)]
    return max(abs(v) for v in right + left)


def exact_gap(model, name):
    training = model._training
    data, solution, beta = training.problem.data, training.solution, Fraction(float(training.problem.betas[0]))
    state, norm = solution.carry.state, training.problem.dictionaries[0].spline_norm
    places = data.axes[0].points
    x, y, w = rationals(places), rationals(data.y), rationals(data.w)
    segment = np.minimum(np.searchsorted(state.knots, np.arange(places.size), side="right"), state.slopes.size) - 1
    values = state.values[segment] + state.slopes[segment] * (places - places[state.knots[segment]])
    values[-1] = state.values[-1]
    f = rationals(values)
    errors = [a - b for a, b in zip(y, f, strict=True)]
    primal = sum(wi * e * e for wi, e in zip(w, errors, strict=True)) / 2
    primal += beta * sum(abs(z) for z in rationals(solution.coef[0]))
    kink, tau = Fraction(norm.kink), Fraction(float(state.tau))
    half = beta * (kink - abs(tau) * (kink - Fraction(1, 2)))
    forces = [beta * tau / 2 + (half if sign > 0 else -half) for sign in state.signs]
    if not norm.flat:
        forces[0], forces[-1] = beta * tau, Fraction(0)
    tied = [norm.flat and state.signs[end] == 0 for end in (0, -1)]
    lam = dual_point(x, w, errors, [int(k) for k in state.knots], forces, tied)
    assert sum(lam) == 0
    if name == "skip":  # then the first moment must vanish too
        assert sum(a * b for a, b in zip(lam, x, strict=True)) == 0
    theta = min(Fraction(1), beta / largest_correlation(x, lam, name))
    dual = theta * sum(a * b for a, b in zip(lam, y, strict=True))
    dual -= theta * theta * sum(a * a / b for a, b in zip(lam, w, strict=True)) / 2
    return float((primal - dual) / max(primal, Fraction(data.null_objective) / 10**8))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("fraction", [1e-2, 1e-4, 1e-8, 1e-10])
@pytest.mark.parametrize("places", ["random", "equal", "crowded"])
def test_dual_gap_is_not_flattered_by_rounding(places, fraction, name, rng):
    n = 120
    x = {
        "random": lambda: rng.random(n),
        "equal": lambda: np.arange(n) / n,
        "crowded": lambda: np.cumsum(10.0 ** rng.uniform(-12, 0, n)),
    }[places]()
    X, y = x[:, None], rng.standard_normal(n)
    top = ConvexNNRegressor(alpha=1e9, **ARCHITECTURES[name]).fit(X, y).alpha_max_
    model = ConvexNNRegressor(alpha=fraction * top, tol=1e-9, **ARCHITECTURES[name]).fit(X, y)
    assert model.converged_
    assert exact_gap(model, name) <= model.dual_gap_ + 1e-14


@pytest.mark.parametrize("number", [2002995, 2025244, 2047790, 2065753, 2078349, 2082954])
def test_where_the_fuzz_doubts_a_fit_of_one_input_it_is_its_own_rounding(number):
    # it reads the fit off predictions in doubles, which at tiny alpha do not hold the residuals to enough digits
    fuzz = pytest.importorskip("benchmarks.fuzz", reason="the benchmarks are not part of the installed package")
    case = fuzz.draw(number)
    network = fuzz.NETWORKS[case.network]
    alpha = case.fraction * alpha_max(case.X, case.y, sample_weight=case.w, **network)
    model = ConvexNNRegressor(alpha=alpha, tol=case.tol, **network).fit(case.X, case.y, case.w)
    assert model.converged_
    name = "skip" if network.get("skip_connection") else network["activation"]
    assert exact_gap(model, name) <= model.dual_gap_ + 1e-14
