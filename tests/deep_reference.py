"""Independent references for networks of any depth: plain numpy, written from the mathematics alone.

Nothing of the package is imported here. Networks are run layer by layer; dictionaries are explicit matrices.
"""

import itertools
import math
from dataclasses import dataclass

import clarabel
import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from reference import activate
from scipy.optimize import linprog


@dataclass(frozen=True)
class Row:
    """An architecture; ``options`` are the estimator's parameters of the same names."""

    depth: int
    activation: str
    architecture: str = "narrow"
    width: object = None
    slope: float = 0.01
    dictionary: str = "auto"
    exact: bool = True

    @property
    def options(self):
        chosen = {"depth": self.depth, "activation": self.activation, "architecture": self.architecture}
        return {**chosen, "width": self.width, "negative_slope": self.slope, "dictionary": self.dictionary}

    @property
    def steps(self):
        return self.activation in ("sign", "threshold")

    @property
    def widths(self):
        """The widths m_1, ..., m_{L-2} of a unit of sign or threshold neurons."""
        if self.architecture == "tree":
            return self.width
        return (self.width if self.architecture == "parallel" else 1, *(1,) * (self.depth - 3))

    def switches(self, count):
        """Return how often a unit may switch on this many points."""
        return min(count - 1, math.prod(self.widths))


ROWS = {
    "relu3": Row(3, "relu"),
    "relu4": Row(4, "relu"),
    "relu10": Row(10, "relu"),
    "leaky3": Row(3, "leaky_relu"),
    "leaky3-steep": Row(3, "leaky_relu", slope=0.4),
    "leaky4": Row(4, "leaky_relu", slope=0.2),
    "leaky5": Row(5, "leaky_relu", slope=0.3),
    "abs3": Row(3, "abs"),
    "abs3-data": Row(3, "abs", dictionary="data", exact=False),
    "abs4": Row(4, "abs"),
    "abs4-data": Row(4, "abs", dictionary="data", exact=False),
    "abs5-data": Row(5, "abs", dictionary="data", exact=False),
    "abs5": Row(5, "abs", exact=False),
    "symmetrized3": Row(3, "relu", "symmetrized"),
    "sign3-narrow": Row(3, "sign"),
    "sign3-parallel2": Row(3, "sign", "parallel", 2),
    "sign5-parallel3": Row(5, "sign", "parallel", 3),
    "sign3-parallel99": Row(3, "sign", "parallel", 99),
    "sign4-tree22": Row(4, "sign", "tree", (2, 2)),
    "threshold3-parallel1": Row(3, "threshold", "parallel", 1),
    "threshold3-parallel3": Row(3, "threshold", "parallel", 3),
    "threshold4-parallel99": Row(4, "threshold", "parallel", 99),
    "threshold4-tree22": Row(4, "threshold", "tree", (2, 2)),
    "threshold5-tree212": Row(5, "threshold", "tree", (2, 1, 2)),
}


# Problems

KINDS = ("random", "ties", "integers", "equal", "uneven")
WEIGHTS = (None, "random", "integers", "zeros", "heavy")


@dataclass(frozen=True)
class Small:
    """A few rows, targets and weights; ``repr`` is enough to build it again."""

    kind: str
    weighting: str | None
    n: int
    n_features: int
    seed: int

    @property
    def data(self):
        rng = np.random.default_rng([self.seed, self.n, self.n_features])
        X = np.column_stack([_axis(rng, self.kind, self.n) for _ in range(self.n_features)])
        y = rng.choice([1.0, 20.0]) * rng.normal(size=self.n) + rng.choice([0.0, 5.0])
        y = np.round(y) + X[:, 0] if self.kind == "integers" else y
        return X, y, _weights(rng, self.weighting, self.n)


def _axis(rng, kind, n):
    if kind == "ties":
        return rng.normal(size=n)[rng.integers(0, max(2, n - 3), size=n)]
    if kind == "integers":
        return rng.integers(-5, 6, size=n).astype(float)
    if kind == "equal":
        return rng.permutation(n) * 0.25 - 1.0
    if kind == "uneven":
        return np.sign(rng.normal(size=n)) * 10.0 ** rng.uniform(-2, 1, size=n)
    return rng.normal(size=n)


def _weights(rng, weighting, n):
    if weighting is None:
        return None
    if weighting == "integers":
        return rng.integers(1, 4, size=n).astype(float)
    w = rng.uniform(0.2, 3.0, size=n)
    if weighting == "zeros":
        w[1:][rng.uniform(size=n - 1) < 0.3] = 0.0
    if weighting == "heavy":
        w[-1] = 100.0
    return w


def smalls(n_features=1, min_n=3, max_n=9):
    """Draw a small problem."""
    kind, weighting = st.sampled_from(KINDS), st.sampled_from(WEIGHTS)
    return st.builds(Small, kind, weighting, st.integers(min_n, max_n), st.just(n_features), st.integers(0, 10**6))


# Networks


def run_network(X, weights, activation, slope):
    """Return the output of the network ``(coefs, intercepts, skip_coef)``, layer by layer."""
    coefs, intercepts, skip = weights
    h = np.asarray(X, dtype=float)
    for coef, intercept in zip(coefs[:-1], intercepts[:-1], strict=True):
        h = activate(h @ coef + intercept, activation, slope)
    out = (h @ coefs[-1] + intercepts[-1])[:, 0]
    return out if skip is None else out + X @ skip


def network_objective(X, y, w, weights, alpha, row):
    """Return the regularised training objective of a network: biases, skip and the inner weights of steps are free."""
    coefs = weights[0]
    if row.steps:
        penalty = sum(abs(a) for a in coefs[-1].ravel())
    else:
        penalty = sum(abs(a) ** row.depth for coef in coefs for a in coef.ravel()) / row.depth
    w = np.ones(len(y)) if w is None else w
    residual = y - run_network(X, weights, row.activation, row.slope)
    return np.sum(w * residual**2) / 2 + alpha * np.sum(w) * penalty


# Explicit dictionaries


def signs(row):
    """Return the signs of inner weights that make a difference."""
    return (1.0,) if row.activation == "abs" else (1.0, -1.0)  # |-u| = |u|


def special_places(x, full):
    """Return points and means of two; if full also reflections and the other places that three points give."""
    i, j, k = (part.ravel() for part in np.meshgrid(x, x, x))
    pairs = np.unique((i + j) / 2)
    return np.unique([*pairs, *(2 * i - j), *((i + j + 2 * k) / 4), *(k + (i - j) / 2)]) if full else pairs


def switch_vectors(count, row):
    """Return all two-valued vectors with at most K switches, up to their complement."""
    low = -1.0 if row.activation == "sign" else 0.0
    vectors = []
    for switches in range(1, row.switches(count) + 1):
        for cuts in itertools.combinations(range(1, count), switches):
            parity = np.searchsorted(cuts, np.arange(count), side="right") % 2
            vectors.append(np.where(parity == 1, 1.0, low))
    return np.array(vectors)


def dictionary(x, row):
    """Return the values (len(x), k) of all features of the table of dictionaries, distinct up to sign and constant."""
    points, place = np.unique(x, return_inverse=True)
    if len(points) < 2:
        return np.zeros((len(x), 1))
    return _features(points, row)[:, place.ravel()].T


def _features(x, row):
    if row.steps and row.depth == 2:
        return switch_vectors(len(x), Row(3, row.activation))
    if row.steps:
        return switch_vectors(len(x), row)
    if row.architecture == "symmetrized":
        return _symmetrized(x)
    if row.activation == "relu" and row.depth > 2:
        ramps = [np.clip(x, a, b) for a, b in itertools.combinations(x, 2)]
        return np.array(ramps + [np.maximum(x - a, 0) for a in x] + [np.maximum(a - x, 0) for a in x])
    if row.activation == "abs" and row.depth == 3 and row.dictionary != "data":
        return _distinct(np.vstack([_library(x, row), *_midpoint_folds(x)]))
    if row.activation == "abs" and row.depth == 4 and row.dictionary != "data":
        return _exact_four(x, row)
    if row.activation == "abs" and row.depth > 4 and row.dictionary != "data":
        return _distinct(np.vstack([_library(x, row), _exact_four(x, row)]))
    return _library(x, row)


def _library(x, row):
    """Return the units whose every pre-activation vanishes at a training point."""
    hidden = x[None]
    for _ in range(row.depth - 1):
        pairs = itertools.product(range(len(x)), signs(row))
        hidden = np.vstack([activate(s * (hidden - hidden[:, n : n + 1]), row.activation, row.slope) for n, s in pairs])
        hidden = _distinct(hidden)
    return hidden


def _midpoint_folds(x):
    return [np.abs(np.abs(x - (p + q) / 2) - (q - p) / 2)[None] for p, q in itertools.combinations(x, 2)]


def _exact_four(x, row):
    folded = np.abs(x - special_places(x, True)[:, None])
    i, j = np.triu_indices(len(x))
    inner = np.vstack([np.abs(u - ((u[i] + u[j]) / 2)[:, None]) for u in folded])
    return _distinct(np.vstack([np.abs(inner - inner[:, n : n + 1]) for n in range(len(x))]))


def _symmetrized(x):
    found = []
    for w, s_1, s_2 in itertools.product((1, -1), repeat=3):
        first, second = (np.maximum(s * (x - x[:, None]), 0) for s in (s_1, s_2))
        inner = (first[:, None] + w * second).reshape(-1, len(x))
        found += [np.maximum(t * (inner - inner[:, n : n + 1]), 0) for n in range(len(x)) for t in (1, -1)]
    return _distinct(np.vstack(found)) / 2 ** (2 / 3)


def _distinct(vectors):
    """Return the vectors without those that equal another up to a constant and their sign."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    largest = np.abs(centred).max()
    key = np.round(centred / (largest * 1e-10))
    first = np.argmax(key != 0, axis=1)
    key *= np.sign(key[np.arange(len(key)), first])[:, None]
    return vectors[np.unique(key, axis=0, return_index=True)[1]]


def best_objective(X, y, alpha, row, skip=False, w=None):
    """Return the optimum of the Lasso on the explicit dictionary: its dual, a programme in N variables, by Clarabel."""
    w = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    A = np.hstack([dictionary(x, row) for x in X.T])
    root, free = np.sqrt(w), np.column_stack([np.ones(len(y)), *([(X - X.mean(axis=0)) / np.ptp(X)] if skip else [])])
    q, r, _ = np.linalg.svd(root[:, None] * free)
    rest = q[:, np.count_nonzero(r > 1e-12 * r[0]) :]  # an orthonormal basis of what the free part leaves
    target, columns = rest.T @ (root * y), rest.T @ (root[:, None] * A)
    length, size = np.linalg.norm(columns, axis=0), np.linalg.norm(target)
    kept = length > 1e-11 * np.abs(A).max(initial=0.0) * root.max()
    if size <= 1e-13 * np.linalg.norm(root * y) or not kept.any():
        return size**2 / 2
    return size**2 * _dual(target / size, columns[:, kept] / length[kept], alpha * w.sum() / (size * length[kept]))


def _dual(target, columns, limit):
    """Return max target @ mu - |mu|^2 / 2 over |columns.T @ mu| <= limit."""
    stacked = sp.csc_matrix(np.vstack([columns.T, -columns.T]))
    quadratic, cones = sp.eye(len(target), format="csc"), [clarabel.NonnegativeConeT(2 * limit.size)]
    for tol, equilibrate in itertools.product((1e-12, 1e-10), (False, True)):
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.equilibrate_enable = False, equilibrate
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tol
        bounds = np.concatenate([limit, limit])
        answer = clarabel.DefaultSolver(quadratic, -target, stacked, bounds, cones, settings).solve()
        if answer.status == clarabel.SolverStatus.Solved:
            return -answer.obj_val
    raise RuntimeError(answer.status)


# Function space


def smallest_norm(x, f, row, skip=False):
    """Return the least l1 norm of coefficients that give the values f at the distinct points x: a linear programme."""
    A = dictionary(x, row)
    free = np.column_stack([np.ones(len(x))] + ([x] if skip else []))
    cost = np.concatenate([np.ones(2 * A.shape[1]), np.zeros(2 * free.shape[1])])
    return linprog(cost, A_eq=np.hstack([A, -A, free, -free]), b_eq=f, bounds=(0, None), method="highs").fun


def norm_in_function_space(x, f, row, skip=False):
    """Return the same norm in closed form, from the values f at the sorted distinct points x."""
    if row.steps:
        size = 2.0 if row.activation == "sign" else 1.0
        return (np.abs(np.diff(f)).sum() if row.depth == 2 else np.ptp(f)) / size
    h = np.diff(f) / np.diff(x)
    variation, ends = np.abs(np.diff(h)).sum(), abs(h[0] + h[-1])
    if row.activation == "abs":
        return variation / 2 if skip else (variation + ends) / 2
    if row.activation == "leaky_relu":
        extra = np.linspace(0, variation + ends, 200_001)  # the minimum over delta, by a fine search
        return np.maximum((variation + extra) / (1 - row.slope), (ends - extra) / (1 + row.slope)).min()
    if row.depth > 2:
        return (abs(h[0]) + variation + abs(h[-1])) / 2
    return variation if skip else max(variation, (variation + ends) / 2)
