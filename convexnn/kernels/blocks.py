"""Passes over the data of the spline solver, by blocks: sums over segments, and pricing inside segments.

A spline has K knots among the sorted points, the first and the last point always among them. Segment k lies between
knots k and k + 1; a point inside it has the position t in (0, 1), u = 1 - t.

Points are gathered in blocks of ``BLOCK`` neighbours. On a block without knots the fit is a line, so that all that a sweep
wants of it follows from a few sums about its regression line, and a bound tells whether the priced curve can leave its band
there: few blocks are ever looked into, and a sweep costs a small part of a pass over the data.
"""

from __future__ import annotations

from convexnn.kernels import compiled

BLOCK = 64


@compiled
def describe_blocks(x, y, w, table, t):
    """Write a row of the table for every full block of points; ``t`` has room for the positions in one.

    Its columns: weight, mean position, mean target, spread of positions, slope, squares, low, high, tent.

    Positions t run from 0 to 1 over the block, and ``slope`` is that of the regression line, which leaves ``squares``.
    Priced with its residuals, a curve that is zero at both ends of the block stays between ``low`` and ``high``; ``tent`` is
    the largest such curve for residuals of one everywhere.
    """
    for b in range(table.shape[0]):
        begin = b * BLOCK
        length = x[begin + BLOCK - 1] - x[begin]
        weight = place = level = 0.0
        for i in range(BLOCK):
            n = begin + i
            t[i] = (x[n] - x[begin]) / length
            weight += w[n]
            place += w[n] * t[i]
            level += w[n] * y[n]
        place /= weight
        level /= weight
        spread = product = 0.0
        for i in range(BLOCK):
            n = begin + i
            t[i] -= place
            spread += w[n] * t[i] * t[i]
            product += w[n] * t[i] * (y[n] - level)
        slope = product / spread if spread > 0.0 else 0.0
        squares = low = high = tent = curve = rate = hull = 0.0
        fall = -weight * (1.0 - place)
        for i in range(BLOCK):
            n = begin + i
            if i > 0:
                step = x[n] - x[n - 1]
                curve += rate * step
                hull += fall * step
            error = y[n] - level - slope * t[i]
            squares += w[n] * error * error
            rate += w[n] * error
            fall += w[n]
            low = curve if curve < low else low
            high = curve if curve > high else high
            tent = -hull if -hull > tent else tent
        table[b, 0], table[b, 1], table[b, 2] = weight, place, level
        table[b, 3], table[b, 4], table[b, 5] = spread, slope, squares
        table[b, 6], table[b, 7], table[b, 8] = low, high, tent


@compiled
def segment_sums(x, y, w, table, left, right):
    """Return the sums over the points between two knots of (w u u, w u t, w t t, w y u, w y t)."""
    start, length = x[left], x[right] - x[left]
    uu = ut = tt = yu = yt = 0.0
    i = left + 1
    while i < right:
        if i % BLOCK == 0 and i + BLOCK <= right:
            b = i // BLOCK
            ratio = (x[i + BLOCK - 1] - x[i]) / length
            t = (x[i] - start) / length + ratio * table[b, 1]
            weight, pull = table[b, 0], table[b, 0] * table[b, 2]
            spread = ratio * ratio * table[b, 3]
            lean = ratio * table[b, 3] * table[b, 4]
            i += BLOCK
        else:
            t = (x[i] - start) / length
            weight, pull = w[i], w[i] * y[i]
            spread = lean = 0.0
            i += 1
        u = 1.0 - t
        uu += weight * u * u + spread
        ut += weight * u * t - spread
        tt += weight * t * t + spread
        yu += pull * u - lean
        yt += pull * t + lean
    return uu, ut, tt, yu, yt


@compiled
def price_segments(
    x, y, w, table, knots, signs, values, slopes, forces, tied_left, tied_right, low, high, found, sides, peaks
):
    """Sweep F over all points, segment by segment, anchored at the knots, where it is known: see :func:`fit_knots`.

    One place is recorded for every excursion of F below ``low`` or above ``high``: its extreme, with side and height, or, of
    blocks that are beyond with all their points, the farther end. Returns (count of places, lower and upper bound of F, F at
    the first point, F at the last, weighted squared error, mismatch, variation of the slopes). The mismatch is the weighted
    square of what the dual point differs from the residuals: rounding, at the knots only.
    """
    count = 0
    squares = mismatch = before = first = f = turns = peak = 0.0
    least, greatest = low, high
    size = knots.size
    right_force = forces[2]
    for k in range(size - 1):
        left, right = knots[k], knots[k + 1]
        left_force, right_force = right_force, forces[3 if k == size - 2 else int(signs[k + 1] > 0)]
        start, value = x[left], values[k]
        length = x[right] - start
        slope = (values[k + 1] - value) / length
        turns += abs(slopes[k] - slopes[k - 1]) if k > 0 else 0.0
        moment = total = 0.0
        i = left + 1
        while i < right:
            if i % BLOCK == 0 and i + BLOCK <= right:
                b = i // BLOCK
                stretch = x[i + BLOCK - 1] - x[i]
                place = table[b, 1]
                off = table[b, 2] - (value + slope * ((x[i] - start) + stretch * place))
                lean = table[b, 4] - slope * stretch
                pull, turn = table[b, 0] * off, table[b, 3] * lean
                squares += table[b, 5] + pull * off + turn * lean
                moment += pull * (x[right] - x[i] - stretch * place) - turn * stretch
                total += pull
                i += BLOCK
            else:
                error = y[i] - value - slope * (x[i] - start)
                pull = w[i] * error
                squares += pull * error
                moment += pull * (x[right] - x[i])
                total += pull
                i += 1
        at_knot = w[left] * (y[left] - value)
        squares += at_knot * at_knot / w[left]
        # the rate of F beyond a point is minus the sum of lam there: it jumps by lam at every point
        f, rate = left_force, (right_force - left_force - moment) / length
        if k == 0 and tied_left:
            rate = at_knot
            f = right_force - rate * length - moment
        elif k == size - 2 and tied_right:
            rate = -total - w[right] * (y[right] - values[k + 1])
        if k == 0:
            first = f
        jump = rate - before - at_knot
        mismatch += jump * jump / w[left]
        side = 0
        i = left + 1
        while i < right:
            stop = i + 1
            if i % BLOCK == 0 and i + BLOCK <= right:
                # the curve on the block: its chord, what the regression line leaves, and how far the fit is from that line
                b = i // BLOCK
                stop = i + BLOCK
                stretch = x[stop - 1] - x[i]
                place = table[b, 1]
                off = table[b, 2] - (value + slope * ((x[i] - start) + stretch * place))
                lean = table[b, 4] - slope * stretch
                pull = table[b, 0] * off
                here = f + rate * (x[i] - x[i - 1])
                there = here + stretch * (rate + pull * (1.0 - place) - table[b, 3] * lean)
                at_start, at_stop = abs(off - lean * place), abs(off + lean * (1.0 - place))
                far = (at_start if at_start > at_stop else at_stop) * table[b, 8]
                bottom = (here if here < there else there) + table[b, 6] - far
                top = (here if here > there else there) + table[b, 7] + far
                whole = 1 if bottom > high else -1 if top < low else 0
                if whole != 0 or (bottom >= low and top <= high):
                    if whole != 0:  # of its ends the one farther from the band will do; as below: a call doubles the time
                        at_first = whole * here > whole * there
                        f = here if at_first else there
                        if whole != side or whole * (f - peak) > 0.0:
                            count += whole != side
                            peak = f
                            n = i if at_first else stop - 1
                            found[count - 1], sides[count - 1], peaks[count - 1] = n, whole, f
                        least = bottom if bottom < least else least
                        greatest = top if top > greatest else greatest
                    f = there
                    rate += pull
                    side = whole
                    i = stop
                    continue
            for n in range(i, stop):
                f += rate * (x[n] - x[n - 1])
                rate += w[n] * (y[n] - value - slope * (x[n] - start))
                beyond = 1 if f > high else -1 if f < low else 0
                if beyond != 0 and (beyond != side or beyond * (f - peak) > 0.0):
                    count += beyond != side
                    peak = f
                    found[count - 1], sides[count - 1], peaks[count - 1] = n, beyond, f
                side = beyond
            i = stop
        f += rate * (x[right] - x[right - 1])
        before = rate
    at_knot = w[knots[-1]] * (y[knots[-1]] - values[-1])
    squares += at_knot * at_knot / w[knots[-1]]
    jump = -before - at_knot
    mismatch += jump * jump / w[knots[-1]]
    for i in range(count):
        least = peaks[i] if peaks[i] < least else least
        greatest = peaks[i] if peaks[i] > greatest else greatest
    return count, least, greatest, first, f, squares, mismatch, turns
