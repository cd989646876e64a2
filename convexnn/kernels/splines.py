"""The restricted problem of the spline solver: the values at given knots, with the signs of their kinks fixed.

Sums are kept, in the order of the segments, for those with more than ``SHORT`` points inside; those of others are made
when they are wanted, so that many knots do not need much memory.
"""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled, nested
from convexnn.kernels.blocks import segment_sums

SHORT = 8
UNKNOWN = -1.0  # of ratios that are not negative


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
def crossing(sign, now, aim):
    """Return when, on the way from turning by ``now`` to turning by ``aim``, a kink of this sign crosses zero, or never."""
    now *= sign
    aim *= sign
    if sign == 0 or aim > 0.0:
        return np.inf
    return now / (now - aim) if now > 0.0 else 0.0


@nested
def first_crossing(size, signs, slopes, aim, reach, drop):
    """Return when the first of the kinks crosses zero on the way from ``slopes`` to ``aim``.

    With ``drop``, signs of those that do no later than ``reach`` become zero.
    """
    first = np.inf
    before = aim_before = after = aim_after = 0.0
    for k in range(size):
        if k < size - 1:
            after, aim_after = slopes[k], aim[k]
        else:
            after = aim_after = 0.0
        time = crossing(signs[k], after - before, aim_after - aim_before)
        if time < first:
            first = time
        if drop and time <= reach:
            signs[k] = 0
        before, aim_before = after, aim_after
    return first


@nested
def drop_knots(x, y, w, table, size, knots, signs, sums, values, slopes, ratios, rests, to_sums):
    """Drop the knots without a kink, the first and the last excepted.

    Knots, signs, values, slopes and what is eliminated change in place, and ``to_sums`` takes the new sums: of segments
    beside a knot that goes they are merged. Returns how many knots are left.
    """
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
        ratios[last] = ratios[first] if stop == first + 1 else UNKNOWN
        rests[last] = rests[first]
        slopes[last] = (values[stop] - values[last]) / (x[knots[stop]] - x[left])
        first = stop
        last += 1
        knots[last], signs[last], values[last] = knots[stop], signs[stop], values[stop]
    return last + 1


@nested
def fit_knots(
    x, y, w, table, size, knots, signs, sums, forces, share, tied_left, tied_right, known,
    ratios, rests, values, slopes,
):
    """Solve for the values at the knots, and the slopes, that answer to multipliers ``forces[0] + share * forces[1]``.

    They are four: at kinks downwards, at kinks upwards, at the first point and at the last. The multiplier at a knot is
    F = sum_n lam_n max(x_n - x_knot, 0), so that lam is the second difference of F. A tied end has a flat tail and no kink:
    the value of its neighbour. A negative share means ``forces[1]`` alone, without data. Returns what the kinks between the
    ends turn, counted by the signs, whether all kinks, those of the ends too, have the sign that they should, and what is
    ``known`` to the next call.

    That is by how much the multipliers at kinks of either sign differ, if what is eliminated, values[k] = rests[k] -
    ratios[k] values[k + 1], was not left in ``values`` and ``slopes`` (both or neither). Where this is the same it is done
    again only from the first segment, and from those whose ratio is ``UNKNOWN``, until its numbers repeat, to the last bit:
    from there on nothing else has changed.
    """
    data, kept, part = (0.0, 0.0, 1.0) if share < 0.0 else (1.0, 1.0, share)
    apart = kept * (forces[0, 1] - forces[0, 0]) + part * (forces[1, 1] - forces[1, 0])
    again = share >= 0.0 and apart == known
    diagonal = w[knots[0]]
    out = data * diagonal * y[knots[0]]
    here = 2
    row, last = 0, size - 1
    same = again
    for k in range(size - 1):
        left, right = knots[k], knots[k + 1]
        there = 3 if k == size - 2 else int(signs[k + 1] > 0)
        # the first and the last segment are made anew, whatever the ends have become
        same = same and 0 < k < size - 2 and ratios[k] >= 0.0
        if same and k < size - 3 and ratios[k + 1] >= 0.0:
            row += right - left > SHORT + 1
            here = there
            continue
        if right - left > SHORT + 1:
            uu, ut, tt = sums[row, 0], sums[row, 1], sums[row, 2]
            yu, yt = sums[row, 3], sums[row, 4]
            row += 1
        elif right - left > 1:
            uu, ut, tt, yu, yt = segment_sums(x, y, w, table, left, right)
        else:
            uu = ut = tt = yu = yt = 0.0
        # equal multipliers at both ends cancel here, exactly, whatever the length
        jump = kept * (forces[0, there] - forces[0, here]) + part * (forces[1, there] - forces[1, here])
        pull = jump / (x[right] - x[left])
        here = there
        next_diagonal = w[right] + tt
        next_out = data * (w[right] * y[right] + yt) + pull
        if not same:
            diagonal += uu
            out += data * yu - pull
        if (k == 0 and tied_left) or (k == size - 2 and tied_right):
            next_diagonal += diagonal + 2.0 * ut
            next_out += out
            if k > 0 or not tied_left:
                last = k
        else:
            if not same:
                ratio, rest = ut / diagonal, out / diagonal
                # not after the first segment: another multiplier at the end may be lost in its rest, but not in what follows
                same = again and k > 0 and ratio == ratios[k] and rest == rests[k]
                ratios[k], rests[k] = ratio, rest
            next_diagonal -= ratios[k] * ut
            next_out -= rests[k] * ut
        diagonal, out = next_diagonal, next_out
    for k in range(last, size):
        values[k] = out / diagonal
    for k in range(last - 1, -1, -1):
        values[k] = values[k + 1] if k == 0 and tied_left else rests[k] - ratios[k] * values[k + 1]
    turned, right_signs = 0.0, True
    for k in range(size - 1):
        slopes[k] = (values[k + 1] - values[k]) / (x[knots[k + 1]] - x[knots[k]])
        if k > 0:
            kink = signs[k] * (slopes[k] - slopes[k - 1])
            turned += kink
            right_signs &= kink > 0.0
    right_signs &= signs[0] == 0 or signs[0] * slopes[0] > 0.0
    right_signs &= signs[size - 1] == 0 or signs[size - 1] * slopes[size - 2] < 0.0
    return turned, right_signs, apart if share >= 0.0 and ratios is not slopes else np.nan


# the same for callers that are not compiled
insert_sums_alone, fit_knots_alone = (compiled(function) for function in (insert_sums, fit_knots))
