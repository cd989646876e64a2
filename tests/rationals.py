"""Dual points of splines in rational arithmetic: what the optimality conditions say they are at the knots."""

from fractions import Fraction
from itertools import pairwise


def rationals(values):
    return [Fraction(float(v)) for v in values]


def spline_forces(state, norm, beta):
    """Return F = sum lam (x - a)_+ at the knots of a spline with this norm, and which ends carry no kink."""
    kink, tau = Fraction(norm.kink), Fraction(float(state.tau))
    half = beta * (kink - abs(tau) * (kink - Fraction(1, 2)))
    forces = [beta * tau / 2 + (half if sign > 0 else -half) for sign in state.signs]
    if not norm.flat:
        forces[0], forces[-1] = beta * tau, Fraction(0)
    return forces, [norm.flat and state.signs[end] == 0 for end in (0, -1)]


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
