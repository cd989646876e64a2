"""Rows of equal inputs pooled as they stream by: a hash table of distinct inputs, each with its weight and mean target.

A slot is a row of numbers: the inputs, the weight sum and the weighted mean of the targets, each of the latter two as a
number and what rounding took from it, so that they come out the same whatever the order of a billion rows.
"""

import numpy as np
from numba import njit

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


@njit(cache=True, nogil=True)
def pool(X, y, w, first, table, slots, count, spread):
    """Pool rows from ``first`` on until the slots are full; return the next row and the number of slots in use.

    ``table`` holds slot numbers plus one, 0 where it is empty; its size is a power of two, at least twice that of the slots.
    ``spread``, a number and its rounding, grows by the weighted squares of the targets about their means (Chan, Golub and
    LeVeque's formula for one row more).
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
            slots[count, d] = w[n]
            slots[count, d + 1] = 0.0
            slots[count, d + 2] = y[n]
            slots[count, d + 3] = 0.0
            count += 1
            table[h] = count
            continue
        weight, lost = _two_sum(slots[slot, d], w[n])
        off = (y[n] - slots[slot, d + 2]) - slots[slot, d + 3]
        step = off * (w[n] / weight)
        spread[0], rounding = _two_sum(spread[0], step * off * slots[slot, d])
        spread[1] += rounding
        slots[slot, d] = weight
        slots[slot, d + 1] += lost
        slots[slot, d + 2], slots[slot, d + 3] = _two_sum(slots[slot, d + 2], slots[slot, d + 3] + step)
    return y.size, count


@njit(cache=True, nogil=True)
def fill(keys, table):
    """Enter distinct rows into an empty table."""
    bits = keys.view(np.uint64)
    last = np.uint64(table.size - 1)
    for n in range(keys.shape[0]):
        h = _seat(bits, n, table)
        while table[h] > 0:
            h = (h + ONE) & last
        table[h] = n + 1
