"""alpha = 0 without a closed form: the interpolant of least norm, a linear programme over a growing set of features.

    min |z|_1 over A z + F b + e = y        (F: the free directions),        dual: max lam'y over |lam'g| <= 1, F'lam = 0.

The errors e cost so much that they vanish, and keep the programme feasible until there are enough features. Its multipliers
lam are priced over the whole dictionary: where no feature has |lam'g| > 1 they prove that no interpolant has a smaller norm.
The vertex is solved for once more in the end, because the programme's solver stops at its own tolerance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows
from convexnn.duality import Gap, Problem, Violations, price, relative_gap
from convexnn.solvers import coordinate_descent
from convexnn.solvers.simplex import SOLVED, minimise
from convexnn.solvers.solution import Solution

Array = NDArray[np.float64]
COSTS = (1e3, 1e6, 1e9)  # of an error, over the norm of a dual point that is known
ROUNDS = 200
BATCH = 50
NEAR = 1e-6  # relatively, to the least norm


def solve(unit: Problem) -> Solution:
    """Return the interpolant of least norm of the problem at alpha = 1; an error where nothing interpolates the data."""
    unit = replace(unit, betas=unit.betas / unit.betas.max())  # all that matters is how they compare
    free, n_iter = unit.free_columns(), 1
    rest = _orthogonal(free, unit.data.y)
    known = float(np.abs(rest).max()) / price(unit, rest, limit=0).maximum
    features = price(unit, np.zeros(rest.size), limit=0).features
    for cost in COSTS:
        features, z, errors, lam, used = _generate(unit, features, cost * known)
        n_iter += used
        if errors.max() <= 1e-9:
            return _polished(unit, features, z, lam, n_iter)
    raise ValueError(
        "alpha=0 (the minimum-norm interpolant): no network of this architecture interpolates the data; use a small "
        "positive alpha"
    )


def _orthogonal(free: Array, vector: Array) -> Array:
    """Return what is left of a vector without the free directions."""
    for _ in range(2):
        vector = vector - free @ np.linalg.lstsq(free, vector, rcond=1e-14)[0]
    return vector


def _columns(unit: Problem, features: tuple[Rows, ...]) -> Array:
    """Return the values of features at the rows, over beta."""
    blocks = [
        axis.gather(dictionary.evaluate(rows, dictionary.points)) / beta
        for axis, dictionary, beta, rows in zip(unit.data.axes, unit.dictionaries, unit.betas, features, strict=True)
    ]
    return np.concatenate(blocks, axis=1)


def _generate(unit: Problem, features: tuple[Rows, ...], cost: float):
    """Solve the programme; return features, coefficients, absolute errors, multipliers and the number of sweeps."""
    y, free = unit.data.y, unit.free_columns()
    last: tuple | None = None
    near = False
    for sweep in range(1, ROUNDS + 1):
        columns = _columns(unit, features)
        # every unknown is a difference of two; the columns are brought to size one
        size = np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-300)
        scaled, eye = columns / size, np.eye(y.size)
        count, width = size.size, free.shape[1]
        answer = minimise(
            np.concatenate([1.0 / size, 1.0 / size, np.zeros(width), np.full(2 * y.size, cost)]),
            retry=not near,  # it is feasible; but that may take long, and the last one will do
            A_eq=np.hstack([scaled, -scaled, free, eye, -eye]),
            b_eq=y,
            bounds=[(0.0, None)] * (2 * count) + [(None, None)] * width + [(0.0, None)] * (2 * y.size),
        )
        if answer.status != SOLVED:
            if last is None:
                raise RuntimeError(f"the linear programme of the minimum-norm interpolant failed: {answer.message}")
            return *last, sweep  # rounding: the gap says how good the last one is
        lam = _orthogonal(free, answer.eqlin.marginals)
        z = (answer.x[:count] - answer.x[count : 2 * count]) / size
        errors = answer.x[2 * count + width :].reshape(2, -1).sum(axis=0)
        found = price(unit, lam, limit=BATCH + count, slack=1e-9)
        last = features, z, errors, lam
        near = float(lam @ y) >= (1.0 - NEAR) * max(1.0, found.maximum) * answer.fun
        grown = _grown(features, found)
        if sum(map(len, grown)) == count:
            break
        features = grown
    assert last is not None
    return *last, sweep


def _grown(features: tuple[Rows, ...], found: Violations) -> tuple[Rows, ...]:
    """Add the violated features that are not there yet."""
    out = []
    for rows, more in zip(features, found.features, strict=True):
        known = {row.tobytes() for row in rows}
        fresh = more[[row.tobytes() not in known for row in more]] if len(more) else more
        out.append(np.concatenate([rows, fresh]) if len(fresh) else rows)
    return tuple(out)


def _polished(unit: Problem, features: tuple[Rows, ...], z: Array, lam: Array, n_iter: int) -> Solution:
    """Solve for the vertex to the last digits, and say by how much its norm may exceed the least, relatively."""
    parts = np.split(z != 0.0, np.cumsum([len(rows) for rows in features])[:-1])
    features = tuple(rows[part] for rows, part in zip(features, parts, strict=True))
    columns, free = _columns(unit, features), unit.free_columns()
    stacked, signs = np.hstack([columns, free]), np.append(np.sign(z[z != 0.0]), np.zeros(free.shape[1]))
    weights: Array = np.linalg.lstsq(stacked, unit.data.y, rcond=1e-14)[0].astype(np.float64)
    weights += np.linalg.lstsq(stacked, unit.data.y - stacked @ weights, rcond=1e-14)[0]
    # tight at the features of the vertex, and orthogonal to the free directions
    lam = lam + np.linalg.lstsq(stacked.T, signs - stacked.T @ lam, rcond=1e-14)[0]
    violations = price(unit, lam, limit=0)
    norm = float(np.abs(weights[: columns.shape[1]]).sum())
    shortfall = max(norm - float(lam @ unit.data.y) / max(1.0, violations.maximum), 0.0) / norm
    # at alpha = 0 the objective does not see the norm: the gap is stated so that its relative size is that of the norm
    size = 1.0 / relative_gap(unit, Gap(0.0, 0.0, 1.0, violations))
    gap = Gap(0.0, -shortfall * size, shortfall * size, violations)
    return coordinate_descent.make_solution(unit, features, weights[: columns.shape[1]], gap, n_iter)
