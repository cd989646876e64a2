"""Independent references for losses beside the squared one: textbook formulas, a conic solver on explicit dictionaries.

Nothing of the package is imported here.
"""

from dataclasses import dataclass

import cvxpy as cp
import deep_reference as deep
import interior_point
import numpy as np
import reference

QUANTILE, DELTA = 0.3, 0.4
LOSSES = ("huber", "absolute", "pinball", "logistic")


def values(name, f, y, quantile=QUANTILE, delta=DELTA):
    """Return the loss of every row."""
    r = y - f
    if name == "huber":
        return np.where(np.abs(r) <= delta, r * r / 2, delta * (np.abs(r) - delta / 2))
    if name == "logistic":
        return np.logaddexp(0, f) - y * f
    share = {"absolute": (1.0, 1.0), "pinball": (quantile, 1 - quantile)}[name]
    return np.where(r > 0, share[0] * r, -share[1] * r)


def lower_bound(name, lam, y, w, quantile=QUANTILE, delta=DELTA):
    """Return the dual objective of lam, and how many times lam leaves its box (at most 1 where it does not)."""
    v = lam / w
    if name == "logistic":
        p = np.clip(y - v, 0, 1)
        entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)
        entropy -= np.where(p < 1, (1 - p) * np.log(np.where(p < 1, 1 - p, 1)), 0)
        return float(w @ entropy)
    curved = 0.5 if name == "huber" else 0.0
    return float(lam @ y - curved * w @ (v * v))


def dictionary(X, options):
    """Return the explicit dictionary of an architecture at the rows of X, all inputs side by side."""
    if options.get("depth", 2) == 2:
        return reference.dictionary(X, options["activation"]).astype(float)
    row = next(row for row in deep.ROWS.values() if row.options.items() >= options.items())
    return np.hstack([at_rows(x, row) for x in X.T])


def at_rows(x, row):
    """Return a deep dictionary at the rows; its reference wants distinct points."""
    points, inverse = np.unique(x, return_inverse=True)
    return np.asarray(deep.dictionary(points, row), dtype=float)[inverse]


@dataclass(frozen=True)
class Optimum:
    """Objective of the conic solver's fit, and a lower bound from its multipliers, made feasible here."""

    objective: float
    bound: float


def conic(name, X, y, alpha, options, skip=False, w=None):
    """Solve the training problem on the explicit dictionary by Clarabel."""
    w = np.ones(len(y)) if w is None else np.asarray(w, float)
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    beta = alpha * w.sum()
    columns = dictionary(X, options)
    columns = columns - columns.mean(axis=0)
    size = np.abs(columns).max(axis=0, initial=0)
    columns, size = columns[:, size > 1e-13], size[size > 1e-13]  # a constant column is of no use
    columns = np.hstack([columns / size, np.zeros((len(y), 1))])
    cost = np.append(beta / size, 1.0)
    centered = (X - X.mean(axis=0)) / np.maximum(np.ptp(X, axis=0), 1e-12)
    free = np.column_stack([np.ones(len(y)), *(centered.T if skip else [])])
    z, c, f = cp.Variable(columns.shape[1]), cp.Variable(free.shape[1]), cp.Variable(len(y))
    r = y - f
    loss = {
        "huber": lambda: cp.huber(r, DELTA) / 2,
        "absolute": lambda: cp.abs(r),
        "pinball": lambda: QUANTILE * cp.pos(r) + (1 - QUANTILE) * cp.neg(r),
        "logistic": lambda: cp.logistic(f) - cp.multiply(y, f),
    }[name]()
    link = f == columns @ z + free @ c
    problem = cp.Problem(cp.Minimize(w @ loss + cost @ cp.abs(z)), [link])
    best = Optimum(np.inf, -np.inf)
    for regularisation in (1e-8, 1e-11, 1e-13, 1e-6):  # of the solver's linear systems: its own value first
        _solve(problem, regularisation)
        if z.value is None or link.dual_value is None:
            continue
        fit = columns @ z.value + free @ c.value
        objective = float(w @ values(name, fit, y) + cost @ np.abs(z.value))
        bound = max(_bound(name, s * link.dual_value, y, w, columns, cost, free) for s in (1, -1))
        best = Optimum(min(best.objective, objective), max(best.bound, bound))
        if best.objective - best.bound <= 1e-8 * best.objective:
            break
    return best


def _solve(problem, regularisation):
    """Solve as accurately as the solver can; it is asked for more than it can reach and stops where it makes no progress."""
    try:
        interior_point.solve(problem, regularisation)
    except cp.SolverError:
        return


def _bound(name, lam, y, w, columns, cost, free):
    """Return the dual objective of multipliers made feasible: orthogonal to the free columns, and scaled."""
    low, high = {
        "huber": (-DELTA, DELTA),
        "absolute": (-1.0, 1.0),
        "pinball": (QUANTILE - 1, QUANTILE),
        "logistic": (y - 1, y),
    }[name]
    lam = w * np.clip(lam / w, low, high)
    room = w * np.minimum(lam / w - low, high - lam / w)
    steps = np.linalg.lstsq(free.T @ (room[:, None] * free), free.T @ lam, rcond=None)[0]
    lam = lam - room * (free @ steps)
    ratio = max(1.0, np.abs(columns.T @ lam / cost).max())
    v = lam / w / ratio
    inside = np.all(v >= low - 1e-12) and np.all(v <= high + 1e-12) and np.abs(free.T @ lam).max() <= 1e-9 * w.sum()
    return lower_bound(name, lam / ratio, y, w) if inside else -np.inf
