"""Pricing of | | |x - a| - c | - d | in O(M^3) for M points that may carry biases.

Either the line is folded at a, u = |x - a|, and the folded problem is that of depth three; or both peaks a - c and
a + c are worked with directly. W(y, d) = F(y - d) + F(y + d) - F(y) is the share of a peak at y between two zeros, and
the correlation is 2 (W(a - c, d) + W(a + c, d) - F(a)) - F(x_1).
"""

import numpy as np

from convexnn.kernels import compiled
from convexnn.kernels.hinges import hinge_sums


@compiled
def fold(points, lam, centre, distance, mass):
    """Write the sorted distances |points - centre| and the dual vector in that order."""
    count = points.size
    right = np.searchsorted(points, centre)
    left = right - 1
    for n in range(count):
        to_left = centre - points[left] if left >= 0 else np.inf
        to_right = points[right] - centre if right < count else np.inf
        if to_left <= to_right:
            distance[n] = to_left
            mass[n] = lam[left]
            left -= 1
        else:
            distance[n] = to_right
            mass[n] = lam[right]
            right += 1


@compiled
def kinks_with(h, at_h, marks, at_marks, points, hinge, slope, best, where):
    """Price all kinks (p, a, q) of a folded problem of which one is at h and another at one of the sorted marks.

    Column 0: h is the centre and the mark one of p, q; 1: the mark is the centre and h one of p, q; 2: p and q. Each
    keeps its largest and smallest F(p) + F(q) - F(a) and the mark that attains it.
    """
    last = points.size - 1
    below = last
    above = 0
    between = 0
    for k in range(marks.size):
        u = marks[k]
        at_u = at_marks[k]
        t = max(2.0 * h - u, points[0])
        while points[below] > t:
            below -= 1
        mirror = at_u + hinge[below] + slope[below] * (t - points[below]) - at_h
        t = max(2.0 * u - h, points[0])
        while above < last and points[above + 1] <= t:
            above += 1
        # The slope beyond the last point is zero, so that F is zero there however far t is.
        centred = at_h + hinge[above] + slope[above] * (t - points[above]) - at_u
        t = max(0.5 * (h + u), points[0])
        while between < last and points[between + 1] <= t:
            between += 1
        middle = at_h + at_u - hinge[between] - slope[between] * (t - points[between])
        if mirror > best[0, 0]:
            best[0, 0] = mirror
            where[0, 0] = k
        if mirror < best[1, 0]:
            best[1, 0] = mirror
            where[1, 0] = k
        if centred > best[0, 1]:
            best[0, 1] = centred
            where[0, 1] = k
        if centred < best[1, 1]:
            best[1, 1] = centred
            where[1, 1] = k
        if middle > best[0, 2]:
            best[0, 2] = middle
            where[0, 2] = k
        if middle < best[1, 2]:
            best[1, 2] = middle
            where[1, 2] = k


@compiled
def midpoint_centres(points, lam, chosen):
    """Return, for i, the extreme correlations of kinds 2 to 4 of ``Reflections4`` and rows (kind - 2, j, k)."""
    count = chosen.size
    names = np.arange(count) + 0.0
    extremes = np.zeros((2, count))
    rows = np.zeros((2, count, 3), dtype=np.int64)
    distance, mass = np.empty(points.size), np.empty(points.size)
    marks, order = np.empty(count), np.empty(count)
    at_marks = np.empty(count)
    best = np.empty((2, 3))
    where = np.empty((2, 3), dtype=np.int64)
    for i in range(count):
        for j in range(i + 1, count):
            centre = 0.5 * (chosen[i] + chosen[j])
            fold(points, lam, centre, distance, mass)
            fold(chosen, names, centre, marks, order)
            hinge, slope = hinge_sums(distance, mass)
            place = 0
            for k in range(count):
                while distance[place] < marks[k]:
                    place += 1
                at_marks[k] = hinge[place]
            h = 0.5 * (chosen[j] - chosen[i])
            # But for rounding h is one of the distances; from the left F is interpolated towards it, never past it.
            place = max(np.searchsorted(distance, h, side="right") - 1, 0)
            at_h = hinge[place] + slope[place] * (h - distance[place])
            best[0] = -np.inf
            best[1] = np.inf
            kinks_with(h, at_h, marks, at_marks, distance, hinge, slope, best, where)
            for side in range(2):
                for family in range(3):
                    value = 2.0 * best[side, family] - hinge[0]
                    if (value > extremes[0, i]) if side == 0 else (value < extremes[1, i]):
                        extremes[side, i] = value
                        rows[side, i, 0] = family
                        rows[side, i, 1] = j
                        rows[side, i, 2] = int(order[where[side, family]])
    return extremes, rows


@compiled
def second_peaks(peak, d, offset, marks, points, hinge, slope, best, where):
    """Price W(y, d) - F((peak + y) / 2) at y = marks + offset, keeping the extremes and their marks.

    Peaks nearer than 2 d have no zeros between them: that is no vertex.
    """
    last = points.size - 1
    low = high = top = middle = 0
    for k in range(marks.size):
        y = marks[k] + offset
        if abs(y - peak) < 2.0 * d:
            continue
        t = max(y - d, points[0])
        while low < last and points[low + 1] <= t:
            low += 1
        value = hinge[low] + slope[low] * (t - points[low])
        t = max(y + d, points[0])
        while high < last and points[high + 1] <= t:
            high += 1
        value += hinge[high] + slope[high] * (t - points[high])
        t = max(y, points[0])
        while top < last and points[top + 1] <= t:
            top += 1
        value -= hinge[top] + slope[top] * (t - points[top])
        t = max(0.5 * (y + peak), points[0])
        while middle < last and points[middle + 1] <= t:
            middle += 1
        value -= hinge[middle] + slope[middle] * (t - points[middle])
        if value > best[0]:
            best[0] = value
            where[0] = k
        if value < best[1]:
            best[1] = value
            where[1] = k


@compiled
def two_peaks(chosen, places, points, hinge, slope):
    """Return, for i, the extreme correlations of kinds 5 and 6 of ``Reflections4`` and rows (kind - 5, j, k)."""
    count = chosen.size
    extremes = np.zeros((2, count))
    rows = np.zeros((2, count, 3), dtype=np.int64)
    best = np.empty(2)
    where = np.empty(2, dtype=np.int64)
    for i in range(count):
        for j in range(count):
            shift = chosen[j] - chosen[i]
            for kind in range(2):
                if shift == 0.0 or (kind == 0 and j < i):
                    continue
                # Kind 5: x_i and x_j are the zeros around a peak, kind 6: x_i is the peak and x_j one of its zeros.
                peak = chosen[i] + 0.5 * shift if kind == 0 else chosen[i]
                d = 0.5 * shift if kind == 0 else abs(shift)
                other = peak if kind == 0 else chosen[i] - shift
                place = np.searchsorted(points, other, side="right") - 1
                at_other = hinge[0] if place < 0 else hinge[place] + slope[place] * (other - points[place])
                sign = -1.0 if kind == 0 else 1.0
                known = sign * (at_other - hinge[places[i]]) + hinge[places[j]]
                best[0] = -np.inf
                best[1] = np.inf
                second_peaks(peak, d, 0.0 if kind == 0 else -shift, chosen, points, hinge, slope, best, where)
                for side in range(2):
                    value = 2.0 * (known + best[side]) - hinge[0]
                    if np.isfinite(value) and ((value > extremes[0, i]) if side == 0 else (value < extremes[1, i])):
                        extremes[side, i] = value
                        rows[side, i, 0] = kind
                        rows[side, i, 1] = j
                        rows[side, i, 2] = where[side]
    return extremes, rows


@compiled
def fold_bounds(points, lam, chosen):
    """Return, for a fold at each chosen point, the largest |lam @ g| of any g(|x - a|) with slopes -1 and 1.

    lam @ g = -integral of g' S with S(t) the sum of lam up to t, so that the bound is the integral of |S|.
    """
    bounds = np.zeros(chosen.size)
    distance, mass = np.empty(points.size), np.empty(points.size)
    for i in range(chosen.size):
        fold(points, lam, chosen[i], distance, mass)
        total = 0.0
        for n in range(points.size - 1):
            total += mass[n]
            bounds[i] += abs(total) * (distance[n + 1] - distance[n])
    return bounds
