"""Pivots of the exact active-set method between the features of all inputs, on normal equations of few knots.

With more knots than rows can tell apart the optimum for given signs is not unique, and wants to move along directions that
no row sees until kinks vanish. The active-set method of the reference solver does this one feature at a time, with an
updated factor. Here its Gram matrix comes from the normal equations of the features' breakpoints.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from convexnn.dictionaries.base import Dictionary, Rows, StepDictionary
from convexnn.duality import Problem, price
from convexnn.solvers.active_set import solve_lasso
from convexnn.solvers.blocks import represent
from convexnn.solvers.joint import State, assemble

Array = NDArray[np.float64]
BATCH = 30


def exchange(problem: Problem, basis: Array, state: State, lam: Array) -> State:
    """Solve the Lasso of the features in use and the most violated ones; return what its solution has kinks at."""
    used = [represent(block, dictionary)[:2] for block, dictionary in zip(state.blocks, problem.units, strict=True)]
    violated = price(problem, lam, limit=BATCH + sum(z.size for _, z in used), slack=1e-13).features
    blocks, features, z = [], [], []
    parts = zip(state.blocks, problem.units, problem.betas, used, violated, strict=True)
    for block, dictionary, beta, (rows, coef), more in parts:
        known = {row.tobytes() for row in rows}
        fresh = _at_points(more, dictionary)
        fresh = fresh[np.array([row.tobytes() not in known for row in fresh], dtype=bool)]
        features.append(np.concatenate((rows, fresh)))
        z.append(np.concatenate((beta * coef, np.zeros(len(fresh)))))
        places = np.setdiff1d(breakpoints(features[-1], dictionary), block.knots)
        blocks.append(block.including(places, np.ones(places.size)))
    grown = assemble(problem, basis, tuple(blocks))
    columns = block_diag(
        *(
            dictionary.evaluate(rows, dictionary.points[block.knots]) / beta
            for block, dictionary, beta, rows in zip(blocks, problem.units, problem.betas, features, strict=True)
        )
    )
    gram = columns.T @ grown.gram @ columns
    found = solve_lasso(columns, gram, grown.target, np.concatenate(z), metric=grown.gram)
    return _with_signs(grown.at(columns @ found), problem.units, features, found)


def breakpoints(features: Rows, dictionary: Dictionary) -> NDArray[np.int64]:
    """Return the points where the features turn, or before which they step."""
    if isinstance(dictionary, StepDictionary):
        return np.unique(features + 1)
    return np.unique(np.searchsorted(dictionary.points, dictionary.pieces(features).breakpoints))


def _at_points(features: Rows, dictionary: Dictionary) -> Rows:
    """Return the features that turn at points only; the others are not needed for an optimum."""
    if isinstance(dictionary, StepDictionary):
        return features
    return features[np.isin(dictionary.pieces(features).breakpoints, dictionary.points).all(axis=1)]


def _with_signs(state: State, dictionaries: tuple[Dictionary, ...], features: list[Rows], z: Array) -> State:
    """Return the state with knots where features in use have breakpoints, and the signs that the kinks there have."""
    blocks, dropped, first = [], [], 0
    for block, dictionary, rows in zip(state.blocks, dictionaries, features, strict=True):
        active = z[first : first + len(rows)] != 0.0
        first += len(rows)
        dropped.append(~np.isin(block.knots, breakpoints(rows[active], dictionary)))
        signs = np.where(dropped[-1], 0.0, np.sign(block.turns()))
        if block.kind.ends:
            signs[[0, -1]] = 0.0
        blocks.append(replace(block, signs=signs))
    return replace(state, blocks=tuple(blocks)).without(np.concatenate(dropped))
