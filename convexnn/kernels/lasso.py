"""The Lasso of a working set, from its Gram matrix: coordinate descent sweeps, and an exact primal active-set method.

min over z: z @ gram @ z / 2 - target @ z + sum |z|. Columns may depend on each other, exactly or nearly.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ENTRIES = 20


@njit(cache=True, nogil=True)
def descend(gram, target, z, sweeps):
    """Run cyclic coordinate descent in place, until ``sweeps`` are done or nothing moves any more."""
    fitted = np.zeros(z.size)
    for k in range(z.size):
        if z[k] != 0.0:
            fitted += gram[k] * z[k]
    for _ in range(sweeps):
        moved = 0.0
        for k in range(z.size):
            curvature = gram[k, k]
            if curvature <= 0.0:
                continue
            aim = target[k] - fitted[k] + curvature * z[k]
            new = 0.0 if abs(aim) <= 1.0 else (aim - np.sign(aim)) / curvature
            step = new - z[k]
            if step != 0.0:
                z[k] = new
                for j in range(z.size):
                    fitted[j] += gram[k, j] * step
                moved = max(moved, step * step * curvature)
        if moved == 0.0:
            break


@njit(cache=True, nogil=True)
def forward_solve(factor, size, rhs):
    """Solve factor[:size, :size] @ out = rhs in place for a lower triangle."""
    for i in range(size):
        total = rhs[i]
        for j in range(i):
            total -= factor[i, j] * rhs[j]
        rhs[i] = total / factor[i, i]


@njit(cache=True, nogil=True)
def backward_solve(factor, size, rhs):
    """Solve factor[:size, :size].T @ out = rhs in place for a lower triangle."""
    for i in range(size - 1, -1, -1):
        rhs[i] /= factor[i, i]
        value = rhs[i]
        for j in range(i):
            rhs[j] -= factor[i, j] * value


@njit(cache=True, nogil=True)
def remove_row(factor, size, place):
    """Take row and column ``place`` out of a Cholesky factor of the given size by Givens rotations, in place."""
    for i in range(place, size - 1):
        for j in range(i + 2):
            factor[i, j] = factor[i + 1, j]
    for k in range(place, size - 1):
        a, b = factor[k, k], factor[k, k + 1]
        length = np.hypot(a, b)
        c, s = a / length, b / length
        for i in range(k, size - 1):
            left, right = factor[i, k], factor[i, k + 1]
            factor[i, k] = c * left + s * right
            factor[i, k + 1] = c * right - s * left


@njit(cache=True, nogil=True)
def append_row(gram, support, size, column, factor):
    """Extend the factor by a column of the Gram matrix; return whether it is independent of the support.

    The row of the factor is written in either case: a dependent column is expressed through it.
    """
    row = factor[size]
    for i in range(size):
        row[i] = gram[column, support[i]]
    forward_solve(factor, size, row)
    pivot = gram[column, column]
    for i in range(size):
        pivot -= row[i] * row[i]
    if pivot <= 1e-15 * gram[column, column]:
        return False
    row[size] = np.sqrt(pivot)
    return True


@njit(cache=True, nogil=True)
def solve_support(gram, target, support, size, signs, factor, out):
    """Minimise over the support with its signs fixed: factor solve and one step of refinement."""
    rhs = np.empty(size)
    for i in range(size):
        out[i] = target[support[i]] - signs[i]
        rhs[i] = out[i]
    forward_solve(factor, size, out)
    backward_solve(factor, size, out)
    for i in range(size):
        total = rhs[i]
        for j in range(size):
            total -= gram[support[i], support[j]] * out[j]
        rhs[i] = total
    forward_solve(factor, size, rhs)
    backward_solve(factor, size, rhs)
    for i in range(size):
        out[i] += rhs[i]


@njit(cache=True, nogil=True)
def drop(place, size, support, signs, factor, z):
    """Take one column out of the support; return the new size."""
    z[support[place]] = 0.0
    remove_row(factor, size, place)
    for i in range(place, size - 1):
        support[i] = support[i + 1]
        signs[i] = signs[i + 1]
    return size - 1


@njit(cache=True, nogil=True)
def step_towards(support, size, signs, aim, z):
    """Move z on its support towards ``aim`` until a coefficient would change sign: (which did or -1, part of the way)."""
    length, blocking = 1.0, -1
    for i in range(size):
        if aim[i] * signs[i] <= 0.0:
            now = z[support[i]] * signs[i]
            reach = now / (now - aim[i] * signs[i]) if now > 0.0 else 0.0
            if reach < length or blocking < 0:
                length, blocking = reach, i
    for i in range(size):
        k = support[i]
        z[k] += length * (aim[i] - z[k]) if length < 1.0 else aim[i] - z[k]
    return blocking, length


@njit(cache=True, nogil=True)
def enter(gram, column, sign, size, support, signs, factor, z, dependent):
    """Bring a column of sign ``sign`` into the support; one that depends on the support is exchanged for a column of it.

    A dependent column g = A_S v changes no fit when z moves along (1, -v), only the penalty: go the way it falls until a
    coefficient is zero. That is descent both for a column with correlation above 1, which starts from z = 0, and for one
    that a warm start brings. ``dependent`` says that the column is known to depend on the support, whatever the
    factor says, which cannot tell it from rounding. Returns the new size.
    """
    while not append_row(gram, support, size, column, factor) or dependent:
        dependent = False
        combination = factor[size, :size].copy()
        backward_solve(factor, size, combination)
        rate = sign
        for i in range(size):
            rate -= combination[i] * signs[i]
        way = -np.sign(rate) if rate != 0.0 else sign
        length = abs(z[column]) if way != sign else np.inf
        blocking = -1
        for i in range(size):
            speed = way * combination[i] * signs[i]
            if speed > 0.0:
                reach = z[support[i]] * signs[i] / speed
                if reach < length:
                    length, blocking = reach, i
        if length == np.inf:
            return size
        for i in range(size):
            z[support[i]] -= length * way * combination[i]
        z[column] += length * way
        if blocking < 0:
            z[column] = 0.0
            return size
        size = drop(blocking, size, support, signs, factor, z)
    support[size] = column
    signs[size] = sign
    return size + 1


@njit(cache=True, nogil=True)
def most_violated(gram, target, z, support, size, barred, bound):
    """Return the column outside the support of largest correlation above ``bound``, and its sign; -1 if there is none."""
    best, column, sign = bound, -1, 0.0
    for k in range(z.size):
        if z[k] == 0.0 and not barred[k]:
            correlation = target[k]
            for i in range(size):
                correlation -= gram[k, support[i]] * z[support[i]]
            if abs(correlation) > best:
                best, column, sign = abs(correlation), k, np.sign(correlation)
    return column, sign


@njit(cache=True, nogil=True)
def solve_exactly(gram, target, z):
    """Solve the Lasso of the working set exactly from a start z, in place; return the number of pivots.

    Primal active-set method: the objective never rises. The support's columns are kept independent, so that its
    minimiser is one solve with an updated Cholesky factor. Columns that are equal up to rounding could take turns for
    ever: each may enter a limited number of times.
    """
    n = z.size
    support, signs = np.empty(n, np.int64), np.empty(n)
    factor, aim = np.zeros((n + 1, n + 1)), np.empty(n)
    barred, entries = np.zeros(n, np.bool_), np.zeros(n, np.int64)
    size, column, sign = 0, -1, 0.0
    # correlations are differences of numbers as large as those in target: below this they are rounding
    floor = 1e-12 + 1e-15 * np.abs(target).max()
    for k in range(n):
        if z[k] != 0.0:
            size = enter(gram, k, np.sign(z[k]), size, support, signs, factor, z, False)
    for pivot in range(ENTRIES * 2 * (n + 1)):
        solve_support(gram, target, support, size, signs, factor, aim)
        blocking, length = step_towards(support, size, signs, aim, z)
        if blocking >= 0:
            if length > 0.0:
                for k in range(n):
                    barred[k] = entries[k] >= ENTRIES
            again = length == 0.0 and support[blocking] == column and not barred[column]
            size = drop(blocking, size, support, signs, factor, z)
            if again:
                # it entered and leaves at once: dependent up to rounding, and if that does not help, of no use
                barred[column] = True
                size = enter(gram, column, sign, size, support, signs, factor, z, True)
            continue
        column, sign = most_violated(gram, target, z, support, size, barred, 1.0 + floor)
        if column < 0:
            return pivot
        entries[column] += 1
        size = enter(gram, column, sign, size, support, signs, factor, z, False)
        if size == 0 or support[size - 1] != column or entries[column] == ENTRIES:
            barred[column] = True
    return -1
