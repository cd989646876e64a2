"""The restricted problem of the spline solver: the values at given knots, with the signs of their kinks fixed.

Sums are kept, in the order of the segments, for those with more than ``SHORT`` points inside; those of others are made
when they are wanted, so that many knots do not need much memory.
"""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled, nested
from convexnn.kernels.blocks import segment_sums

SHORT = 8


@nested
def insert_sums(x, y, w, table, knots, sums, to_knots, to_sums):
    """Write the sums of the long segments between ``to_knots`` from those between ``knots``, which are some of them."""
    row = to_row = k = 0
    for j in range(to_knots.size - 1):
        left, right = to_knots[j], to_knots[j + 1]
        if left == knots[k + 1]:
            row += knots[k + 1] - knots[k] > SHORT + 1
            k += 1
        if right - left <= SHORT + 1:
            continue
        if left == knots[k] and right == knots[k + 1]:
            for c in range(5):
                to_sums[to_row, c] = sums[row, c]
        else:
            uu, ut, tt, yu, yt = segment_sums(x, y, w, table, left, right)
            to_sums[to_row, 0], to_sums[to_row, 1], to_sums[to_row, 2] = uu, ut, tt
            to_sums[to_row, 3], to_sums[to_row, 4] = yu, yt
        to_row += 1


@compiled
def insert_knots(
    x, y, w, table, knots, signs, sums, values, slopes, places, sides, to_knots, to_signs, to_sums, to_values, to_slopes
):
    """Write knots, signs, sums, values and slopes with knots on the spline added at ``places``, to have kinks ``sides``."""
    last = taken = 0
    for k in range(knots.size):
        to_knots[last], to_signs[last], to_values[last] = knots[k], signs[k], values[k]
        last += 1
        if k == knots.size - 1:
            break
        to_slopes[last - 1] = slopes[k]
        while taken < places.size and places[taken] < knots[k + 1]:
            to_knots[last], to_signs[last] = places[taken], sides[taken]
            to_values[last] = values[k] + slopes[k] * (x[places[taken]] - x[knots[k]])
            to_slopes[last] = slopes[k]
            last += 1
            taken += 1
    insert_sums(x, y, w, table, knots, sums, to_knots, to_sums)


@nested
def crossing(signs, slopes, aim, k, last):
    """Return when, on the way from ``slopes`` to ``aim``, the kink at knot k crosses zero; infinite where it does not."""
    sign = signs[k]
    if sign == 0:
        return np.inf
    now = turned = 0.0
    if k > 0:
        now -= slopes[k - 1]
        turned -= aim[k - 1]
    if k < last:
        now += slopes[k]
        turned += aim[k]
    turned *= sign
    if turned > 0.0:
        return np.inf
    now = max(sign * now, 0.0)
    return now / max(now - turned, 1e-300)


@nested
def drop_knots(x, y, w, table, size, knots, signs, sums, values, slopes, aim, reach, to_sums):
    """Drop the kinks that cross zero no later than ``reach`` on the way from ``slopes`` to ``aim``, with their knots.

    Knots, signs, values and slopes change in place, and ``to_sums`` takes the new sums: those of segments beside a knot that
    goes are merged. Returns how many knots are left.
    """
    for k in range(size):
        if crossing(signs, slopes, aim, k, size - 1) <= reach:
            signs[k] = 0
    row = to_row = last = first = 0
    while first < size - 1:
        stop = first + 1
        while stop < size - 1 and signs[stop] == 0:
            stop += 1
        left = knots[first]
        if knots[stop] - left > SHORT + 1:
            uu = ut = tt = yu = yt = 0.0
            for k in range(first, stop):
                if knots[k + 1] - knots[k] > SHORT + 1:
                    vv, vs, ss = sums[row, 0], sums[row, 1], sums[row, 2]
                    zv, zs = sums[row, 3], sums[row, 4]
                    row += 1
                else:
                    vv, vs, ss, zv, zs = segment_sums(x, y, w, table, knots[k], knots[k + 1])
                i = knots[k]
                length = x[knots[k + 1]] - x[left]
                r, q = (x[i] - x[left]) / length, (x[knots[k + 1]] - x[i]) / length
                weight = w[i] if k > first else 0.0
                middle, pulled = tt + vv + weight, yt + zv + weight * y[i]
                # positions in the merged segment: left of the knot t' = r t, u' = u + q t; right t' = s + r v, u' = q v
                uu = uu + 2.0 * q * ut + q * q * middle
                ut = r * ut + q * r * middle + q * vs
                tt = r * r * middle + 2.0 * r * vs + ss
                yu = yu + q * pulled
                yt = r * pulled + zs
            # entry by entry: rows of the array, unpacked or assigned, take four times as long to compile
            to_sums[to_row, 0], to_sums[to_row, 1], to_sums[to_row, 2] = uu, ut, tt
            to_sums[to_row, 3], to_sums[to_row, 4] = yu, yt
            to_row += 1
        slopes[last] = (values[stop] - values[last]) / (x[knots[stop]] - x[left])
        first = stop
        last += 1
        knots[last], signs[last], values[last] = knots[stop], signs[stop], values[stop]
    return last + 1


@nested
def fit_knots(x, y, w, table, size, knots, signs, sums, forces, change, share, tied_left, tied_right, values, slopes):
    """Solve for the values at the knots, and the slopes, that answer to multipliers ``forces + share * change`` there.

    They are four: at kinks downwards, at kinks upwards, at the first point and at the last. The multiplier at a knot is
    F = sum_n lam_n max(x_n - x_knot, 0), so that lam is the second difference of F. A tied end has a flat tail and no kink:
    the value of its neighbour. A negative share means ``change`` alone, without data. Returns what the kinks between the
    ends turn, counted by the signs, and whether all kinks, those of the ends too, have the sign that they should.
    """
    data, kept, part = (0.0, 0.0, 1.0) if share < 0.0 else (1.0, 1.0, share)
    diagonal = w[knots[0]]
    out = data * diagonal * y[knots[0]]
    here = 2
    row, last = 0, size - 1
    for k in range(size - 1):
        left, right = knots[k], knots[k + 1]
        if right - left > SHORT + 1:
            uu, ut, tt = sums[row, 0], sums[row, 1], sums[row, 2]
            yu, yt = sums[row, 3], sums[row, 4]
            row += 1
        elif right - left > 1:
            uu, ut, tt, yu, yt = segment_sums(x, y, w, table, left, right)
        else:
            uu = ut = tt = yu = yt = 0.0
        there = 3 if k == size - 2 else int(signs[k + 1] > 0)
        # equal multipliers at both ends cancel here, exactly, whatever the length
        pull = (kept * (forces[there] - forces[here]) + part * (change[there] - change[here])) / (x[right] - x[left])
        here = there
        diagonal += uu
        out += data * yu - pull
        next_diagonal = w[right] + tt
        next_out = data * (w[right] * y[right] + yt) + pull
        if k == 0 and tied_left:
            next_diagonal += diagonal + 2.0 * ut
            next_out += out
        elif k == size - 2 and tied_right:
            next_diagonal += diagonal + 2.0 * ut
            next_out += out
            last = k
        else:
            # the slopes' place holds what is eliminated until the values are known
            inverse = 1.0 / diagonal
            slopes[k], values[k] = ut * inverse, out * inverse
            next_diagonal -= slopes[k] * ut
            next_out -= slopes[k] * out
        diagonal, out = next_diagonal, next_out
    for k in range(last, size):
        values[k] = out / diagonal
    for k in range(last - 1, -1, -1):
        values[k] = values[k + 1] if k == 0 and tied_left else values[k] - slopes[k] * values[k + 1]
    turned, right_signs = 0.0, True
    for k in range(size - 1):
        slopes[k] = (values[k + 1] - values[k]) / (x[knots[k + 1]] - x[knots[k]])
        if k > 0:
            kink = signs[k] * (slopes[k] - slopes[k - 1])
            turned += kink
            right_signs &= kink > 0.0
    right_signs &= signs[0] == 0 or signs[0] * slopes[0] > 0.0
    right_signs &= signs[size - 1] == 0 or signs[size - 1] * slopes[size - 2] < 0.0
    return turned, right_signs


# the same for callers that are not compiled
insert_sums_alone, fit_knots_alone = (compiled(function) for function in (insert_sums, fit_knots))
