"""A Cholesky factor that gains and loses rows: solves with its first rows, and the loss of one."""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled


@compiled
def forward_solve(factor, size, rhs):
    """Solve factor[:size, :size] @ out = rhs in place for a lower triangle."""
    for i in range(size):
        total = rhs[i]
        for j in range(i):
            total -= factor[i, j] * rhs[j]
        rhs[i] = total / factor[i, i]


@compiled
def backward_solve(factor, size, rhs):
    """Solve factor[:size, :size].T @ out = rhs in place for a lower triangle."""
    for i in range(size - 1, -1, -1):
        rhs[i] /= factor[i, i]
        value = rhs[i]
        for j in range(i):
            rhs[j] -= factor[i, j] * value


@compiled
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
