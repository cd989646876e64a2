"""The references themselves: two independent ways to each number that other tests lean on."""

import numpy as np
import pytest
import reference
from hypothesis import given
from reference import ACTIVATIONS
from strategies import fractions, problems

each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_skip = pytest.mark.parametrize("skip", [False, True])
each_width = pytest.mark.parametrize("n_features", [1, 2])


@each_activation
@each_skip
@each_width
def test_conic_solution_closes_the_gap(activation, skip, n_features):
    @given(problem=problems(n_features, max_n=30), fraction=fractions)
    def check(problem, fraction):
        X, y, w = problem.data
        alpha = fraction * reference.alpha_max(X, y, activation, skip, w)
        best = reference.conic(X, y, alpha, activation, skip, w)
        proof = reference.certificate(X, y, best.values, best.norm, alpha, activation, skip, w)
        assert proof.objective == pytest.approx(best.objective, rel=1e-12)
        assert -proof.noise <= proof.gap and proof.relative <= 1e-7

    check()


@each_activation
@each_skip
@each_width
def test_running_sums_price_like_the_dictionary(activation, skip, n_features):
    @given(problem=problems(n_features))
    def check(problem):
        X, y, w = problem.data
        slow = reference.alpha_max(X, y, activation, skip, w, 0.2)
        fast = reference.alpha_max(X, y, activation, skip, w, 0.2, reference.price_by_sums)
        assert fast == pytest.approx(slow, rel=1e-10, abs=1e-14)

    check()


CLOSED_FORMS = [(activation, False) for activation in ACTIVATIONS] + [("relu", True), ("abs", True)]


@pytest.mark.parametrize(("activation", "skip"), CLOSED_FORMS)
@pytest.mark.parametrize("slope", [0.01, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_smallest_norm_in_closed_form(activation, skip, slope, seed):
    rng = np.random.default_rng(seed)
    x, f = np.sort(rng.normal(size=9)), rng.normal(size=9) + seed * np.arange(9)
    expected = reference.smallest_norm(x, f, activation, skip, slope)
    assert reference.smallest_norm_formula(x, f, activation, skip, slope) == pytest.approx(expected, rel=1e-8)


@each_activation
@each_skip
def test_merging_keeps_the_objective(activation, skip, rng):
    X = np.repeat(rng.integers(0, 9, size=(12, 1)), 3, axis=0).astype(float)
    y, w = rng.normal(size=36) + 5, rng.uniform(size=36)
    alpha = 0.1 * reference.alpha_max(X, y, activation, skip, w)
    rows, mean, weight, constant = (np.asarray(part, dtype=float) for part in reference.merge(X, y, w))
    merged = reference.conic(rows, mean, alpha, activation, skip, weight).objective + constant
    assert merged == pytest.approx(reference.conic(X, y, alpha, activation, skip, w).objective, rel=1e-8)


COEFS = [np.array([[2.0, -1.0]]), np.array([[3.0], [-4.0]])]
INTERCEPTS = [np.array([-2.0, 0.0]), np.array([0.5])]
BY_HAND = {
    "relu": [0.5 - 4, 0.5, 0.5 + 6],
    "abs": [0.5 + 12 - 4, 0.5 + 6, 0.5 + 6 - 8],
    "sign": [0.5 - 3 - 4, 0.5 - 3 - 4, 0.5 + 3 + 4],
    "threshold": [0.5 - 4, 0.5 - 4, 0.5 + 3],
}


@pytest.mark.parametrize("activation", BY_HAND)
def test_forward_by_hand(activation):
    X = np.array([[-1.0], [0.0], [2.0]])
    output = reference.forward(X, COEFS, INTERCEPTS, np.array([1.0]), activation)
    np.testing.assert_allclose(output, np.add(BY_HAND[activation], X[:, 0]), rtol=1e-15)


def test_network_objective_by_hand():
    X, y = np.array([[-1.0], [0.0], [2.0]]), np.zeros(3)
    relu = reference.network_objective(X, y, COEFS, INTERCEPTS, None, 0.1, "relu")
    assert relu == pytest.approx((3.5**2 + 0.5**2 + 6.5**2) / 2 + 0.3 * (4 + 1 + 9 + 16) / 2)
    sign = reference.network_objective(X, y, COEFS, INTERCEPTS, None, 0.1, "sign", np.array([1.0, 2.0, 0.0]))
    assert sign == pytest.approx((6.5**2 * 3) / 2 + 0.3 * 7)
