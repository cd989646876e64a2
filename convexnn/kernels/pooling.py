"""Rows of equal inputs pooled as they stream by: a hash table of distinct inputs, each with a slot of sums.

A slot is a row of numbers: the inputs (d of them); the weight sum, the weighted mean of the targets and their sum of squares
about it, each as a number and what rounding took from it, so that they come out the same whatever the order of a billion
rows; and, where inputs are rounded, for each of them how far rows were moved: mean, sum of squares about it, sum of products
with the targets, least and greatest.
"""

import numpy as np
from numba import njit

from convexnn.kernels import compiled

ONE, HALF = np.uint64(1), np.uint64(32)
LEFT, RIGHT, AGAIN = np.uint64(13), np.uint64(7), np.uint64(17)  # Marsaglia's xorshift


@njit(cache=True, nogil=True, inline="always")
def _seat(bits, n, table):
    """Return where the search for a row begins: round numbers differ in their high bits only, which must reach the low."""
    h = np.uint64(0)
    for j in range(bits.shape[1]):
        h ^= bits[n, j]
        h ^= h >> HALF
        h ^= h << LEFT
        h ^= h >> RIGHT
        h ^= h << AGAIN
        h ^= h >> HALF
    return h & np.uint64(table.size - 1)


@njit(cache=True, nogil=True, inline="always")
def _two_sum(a, b):
    """Return the rounded sum and what rounding took from it (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@compiled
def pool(X, y, w, spread, moved, first, table, slots, count):
    """Pool rows, or what was pooled before, from ``first`` on until the slots are full; return the next, and the slots used.

    ``table`` holds slot numbers plus one, 0 where it is empty; its size is a power of two, at least four times that of the
    slots. ``spread`` is zero for rows. Sums of squares and products are joined by Chan, Golub and LeVeque's formula.
    """
    bits = X.view(np.uint64)
    d = X.shape[1]
    last = np.uint64(table.size - 1)
    for n in range(first, y.size):
        h = _seat(bits, n, table)
        while True:
            slot = table[h] - 1
            if slot < 0:
                break
            same = True
            for j in range(d):
                same &= slots[slot, j] == X[n, j]
            if same:
                break
            h = (h + ONE) & last
        if slot < 0:
            if count == slots.shape[0]:
                return n, count
            slots[count, :d] = X[n]
            slots[count, d : d + 6] = 0.0
            slots[count, d] = w[n]
            slots[count, d + 2] = y[n]
            slots[count, d + 4] = spread[n]
            slots[count, d + 6 :] = moved[n]
            count += 1
            table[h] = count
            continue
        old = slots[slot, d]
        weight, lost = _two_sum(old, w[n])
        slots[slot, d] = weight
        slots[slot, d + 1] += lost
        share = w[n] / weight
        joint = share * old
        off = (y[n] - slots[slot, d + 2]) - slots[slot, d + 3]
        slots[slot, d + 2], slots[slot, d + 3] = _two_sum(slots[slot, d + 2], slots[slot, d + 3] + share * off)
        slots[slot, d + 4], lost = _two_sum(slots[slot, d + 4], spread[n] + joint * off * off)
        slots[slot, d + 5] += lost
        if moved.shape[1] > 0:
            _join_moves(slots[slot, d + 6 :], moved[n], share, joint, off)
    return y.size, count


@compiled
def _join_moves(into, more, share, joint, off):
    """Join two sets of moves: ``share`` is the part of the weight that comes in, ``off`` the mean targets' distance."""
    d = into.size // 5
    for j in range(d):
        apart = more[j] - into[j]
        into[j] += share * apart
        into[d + j] += more[d + j] + joint * apart * apart
        into[2 * d + j] += more[2 * d + j] + joint * apart * off
        into[3 * d + j] = min(into[3 * d + j], more[3 * d + j])
        into[4 * d + j] = max(into[4 * d + j], more[4 * d + j])


@compiled
def fill(keys, table):
    """Enter distinct rows into an empty table."""
    bits = keys.view(np.uint64)
    last = np.uint64(table.size - 1)
    for n in range(keys.shape[0]):
        h = _seat(bits, n, table)
        while table[h] > 0:
            h = (h + ONE) & last
        table[h] = n + 1
