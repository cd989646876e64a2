"""The restricted optimum of the spline solver: values at the knots and tau, and knots dropped whose kinks it does not want.

A norm is the three numbers of :class:`convexnn.dictionaries.base.SplineNorm`; F, its band and tau are those of
:mod:`convexnn.solvers.knots`.
"""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled, nested
from convexnn.kernels.splines import drop_knots, first_crossing, fit_knots

BOLD, CAREFUL, SAFE, STILL = 2.0, 1.25, 1.0, 0.0  # how many kinks of the wrong sign go at a time: see settle_knots


@nested
def band(beta, kink, tau, middle):
    """Return the bounds of F, of which ``middle`` is the mean: beta tau / 2, but for a shift."""
    half = beta * (kink - abs(tau) * (kink - 0.5))
    return middle - half, middle + half


@nested
def anchor(beta, kink, flat, first, last, tau, middle, forces, row):
    """Write F at kinks downwards and upwards, at the first point and at the last, of which the signs are given, to a row.

    The middle of the band is beta tau / 2. A fit depends on differences of F alone: with another ``middle``, zero, kinks of
    two signs differ by the same number, to the last bit, whatever tau is, if they cost a half.
    """
    low, high = band(beta, kink, tau, middle)
    forces[row, 0], forces[row, 1] = low, high
    forces[row, 2], forces[row, 3] = middle + 0.5 * beta * tau, middle - 0.5 * beta * tau
    if flat:
        forces[row, 2] = high if first > 0 else low
        forces[row, 3] = high if last > 0 else low


@nested
def excess(kink, turned, outer, side):
    """Return by how much the cost of the outer slopes exceeds what the kinks pay for: zero for -1 < tau < 1."""
    return 0.5 * side * outer - (kink - 0.5) * turned


@nested
def balance(x, size, kink, knots, signs, off, side, slopes):
    """Make the excess, which is ``off``, zero to the last digit by an outer slope, one that rounding has hit."""
    if size == 2:
        slopes[0] = 0.0
        return
    left, right = 0.5 * side + (kink - 0.5) * signs[1], 0.5 * side - (kink - 0.5) * signs[size - 2]
    first, last = x[knots[1]] - x[knots[0]], x[knots[size - 1]] - x[knots[size - 2]]
    if abs(left) / first >= abs(right) / last:
        if left != 0.0:
            slopes[0] -= off / left
    elif right != 0.0:
        slopes[size - 2] -= off / right


@nested
def refit_knots(
    x, y, w, table, size, knots, signs, sums, beta, kink, coupled, flat, forces, known, ratios, rests, values, slopes
):
    """Minimise over the values at the knots, and over tau, with the signs of the kinks fixed.

    Returns tau, whether all kinks are known to have come out with their signs, and what is ``known``: see :func:`fit_knots`.
    """
    head, tail = signs[0], signs[size - 1]
    tied_left, tied_right = flat and head == 0, flat and tail == 0
    for row in range(2):
        anchor(beta, kink, flat, head, tail, 0.0, 0.0, forces, row)
    turned, right, known = fit_knots(
        x, y, w, table, size, knots, signs, sums, forces, 0.0, tied_left, tied_right, known,
        ratios, rests, values, slopes,
    )
    outer = slopes[0] + slopes[size - 2]
    turned_level, outer_level = turned, outer
    first_side = 1.0 if outer > 0.0 else -1.0
    if not coupled or excess(kink, turned, outer, first_side) <= 0.0:
        return 0.0, right, known
    # T what the kinks turn by their signs, S the sum of outer slopes: the penalty max(kink T, (T + |S|) / 2) is convex. The
    # optimum has |tau| = 1, on either side, or both parts equal; or S = 0 and T < 0, as if kinks cost a half; or S = T = 0
    short = turned_full = outer_full = turned_rate = outer_rate = 0.0
    for trial in range(3):
        side = -first_side if trial == 1 else first_side
        cost = 0.5 if trial == 2 else kink
        # between tau = 0 and this side F is linear in e = 1 - |tau|, and e is small where a kink is close to an end
        anchor(beta, cost, flat, head, tail, side, 0.0, forces, 0)
        anchor(beta, cost, flat, head, tail, 0.0, 0.0, forces, 1)
        for i in range(4):
            forces[1, i] -= forces[0, i]
        e = 0.0
        found = False
        # at |tau| = 1; if the outer slopes cost too little there, how the fit changes with e, then at the e that it says
        for step in range(3):
            if step == 1 and trial == 0:  # the two are on either side of what is sought: nothing cancels
                turned, outer = turned_level - turned_full, outer_level - outer_full
            else:
                share = -1.0 if step == 1 else e
                turned, _, known = fit_knots(
                    x, y, w, table, size, knots, signs, sums, forces, share, tied_left, tied_right, known,
                    ratios, rests, values, slopes,
                )
                outer = slopes[0] + slopes[size - 2]
            off = excess(cost, turned, outer, side)
            if step == 0:
                turned_full, outer_full, short = turned, outer, off
                if off >= 0.0 and (trial < 2 or turned <= 0.0):
                    found = side * outer >= 0.0
                    break
            elif step == 1:
                turned_rate, outer_rate = turned, outer
                # at tau = 0 they cost too much on the first side, but for rounding: there is such an e <= 1
                found = off > 0.0 and short <= 0.0 and (trial == 0 or -short <= trial * off)
                e, most = -short / off if found else 1.0, 2.0 if trial == 2 else 1.0
                e = most if e > most else e
            elif found:
                balance(x, size, cost, knots, signs, off, side, slopes)
                found = turned >= 0.0 or cost == 0.5
        if found and (trial < 2 or turned <= 0.0):
            return side * (1.0 - e), False, known
    # S = T = 0, by e and by a share h of what kinks cost beyond a half; some kinks are wrong: this fit will not be the last
    anchor(beta, kink, flat, head, tail, 0.0, 0.0, forces, 2)
    for i in range(4):
        change = forces[1, i]
        forces[1, i] = forces[2, i] - (forces[0, i] + change)
        forces[2, i] = change
    turned, _, known = fit_knots(
        x, y, w, table, size, knots, signs, sums, forces, -1.0, tied_left, tied_right, known,
        ratios, rests, values, slopes,
    )
    outer = slopes[0] + slopes[size - 2]
    area = turned_rate * outer - turned * outer_rate
    e, h = 1.0, 0.0
    if area != 0.0:
        e = (turned * outer_full - turned_full * outer) / area
        h = (outer_rate * turned_full - turned_rate * outer_full) / area
    for i in range(4):
        forces[1, i] = e * forces[2, i] + h * forces[1, i]
    _, right, known = fit_knots(
        x, y, w, table, size, knots, signs, sums, forces, 1.0, tied_left, tied_right, known,
        ratios, rests, values, slopes,
    )
    if right:  # kinks that add up to nothing: what is left of each is rounding, and they should all go
        for k in range(size - 1):
            slopes[k] = 0.0
    tau = first_side * (1.0 - e)
    if abs(tau) > 1.0:
        tau /= abs(tau)
    return tau, False, known


@compiled
def settle_knots(
    x, y, w, table, knots, signs, sums, spare, beta, kink, coupled, flat, values, slopes, aim, steps, ratios, rests,
    forces, patience,
):
    """Refit, and drop kinks that come out with the wrong sign, until all are right.

    The fit is written to ``aim`` and ``steps``. What goes is what crosses zero within ``patience`` times the time of the
    first crossing on the way there from ``values`` and ``slopes``; if ``SAFE`` the values move as far as that, if
    ``STILL`` nothing goes. If ``BOLD`` these are ``aim`` and ``steps`` themselves, so that all wrong kinks go at once,
    and what is eliminated is kept in ``ratios`` and ``rests``, to be done again only where knots went; else these are
    ``steps`` and ``aim``. The arrays given are used up, ``forces`` (3, 4) among them; the sums left are in ``spare``
    after an odd number of rounds that dropped kinks. Returns tau, that number, and how many knots are left.
    """
    size, rounds, known = knots.size, 0, np.nan
    while True:
        tau, right, known = refit_knots(
            x, y, w, table, size, knots, signs, sums, beta, kink, coupled, flat, forces, known, ratios, rests, aim, steps
        )
        if right or patience == STILL:
            return tau, rounds, size
        first = first_crossing(size, signs, slopes, steps, 0.0, patience == BOLD)
        if first == np.inf:
            return tau, rounds, size
        if patience != BOLD:
            first_crossing(size, signs, slopes, steps, patience * first, True)
        if patience == SAFE:
            for k in range(size):
                values[k] += first * (aim[k] - values[k])
        size = drop_knots(x, y, w, table, size, knots, signs, sums, values, slopes, ratios, rests, spare)
        sums, spare = spare, sums
        rounds += 1
