"""Linear systems of two coupled chains: a ladder of conductances, eliminated node by node without a subtraction."""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled


@compiled
def factor(ground, rungs, rails):
    """Factor the matrix of a ladder: node 2 i + j is place i of chain j.

    ``ground`` (2 n,) are the conductances to the ground (row sums), ``rungs`` (n,) those between nodes 2 i and 2 i + 1, and
    ``rails`` (2 n - 2,) those between nodes k and k + 2: minus the entries beside the diagonal. All are non-negative, and
    eliminating a node adds to the conductances of its neighbours: pivots are accurate to the last digits however much
    larger than the row sums they are (Grassmann, Taksar and Heyman, 1985). Returns pivots and two bands of the factor.
    """
    size = ground.size
    pivot, earth = np.empty(size), np.zeros(size + 2)
    near, far = np.zeros(size + 2), np.zeros(size + 2)
    earth[:size] = ground
    near[:size:2] = rungs
    far[: rails.size] = rails
    for k in range(size):
        pivot[k] = earth[k] + near[k] + far[k]
        here, there = near[k] / pivot[k], far[k] / pivot[k]
        near[k + 1] += here * far[k]
        earth[k + 1] += here * earth[k]
        earth[k + 2] += there * earth[k]
        near[k], far[k] = here, there
    return pivot, near, far


@compiled
def substitute(pivot, near, far, columns):
    """Solve for several right-hand sides, the columns of an array (2 n, c), with the factor."""
    size, width = columns.shape
    out = np.zeros((size + 2, width))
    out[:size] = columns
    for k in range(size):
        for c in range(width):
            out[k + 1, c] += near[k] * out[k, c]
            out[k + 2, c] += far[k] * out[k, c]
    out[size:] = 0.0
    for k in range(size - 1, -1, -1):
        for c in range(width):
            out[k, c] = out[k, c] / pivot[k] + near[k] * out[k + 1, c] + far[k] * out[k + 2, c]
    return out[:size]
