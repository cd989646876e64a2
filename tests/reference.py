"""Independent references for the tests of depth-2 networks: plain numpy, written from the mathematics alone.

Nothing of the package is imported here. Whatever the package computes by sweeps, merging and active sets is computed
here on the explicit dictionary of a small problem, by loops or by a conic solver.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

ACTIVATIONS = ("relu", "leaky_relu", "abs", "sign", "threshold")
HOMOGENEOUS = ("relu", "leaky_relu", "abs")
SLOPE = 0.01


def activate(u, activation, slope=SLOPE):
    """Return the activation of the array u."""
    u = np.asarray(u)
    if activation == "relu":
        return np.where(u > 0, u, 0)
    if activation == "leaky_relu":
        return np.where(u > 0, u, slope * u)
    if activation == "abs":
        return np.abs(u)
    if activation == "sign":
        return np.where(u >= 0, 1.0, -1.0)
    if activation == "threshold":
        return np.where(u >= 0, 1.0, 0.0)
    raise ValueError(activation)


# The explicit dictionary


def breakpoints(x, activation):
    """Return the biases of the depth-2 dictionary of one input: data points, or one switch between neighbours."""
    points = np.unique(np.asarray(x, dtype=np.longdouble))
    return (points[1:] + points[:-1]) / 2 if activation in ("sign", "threshold") else points


def columns(x, activation, slope=SLOPE, at=None):
    """Return the dictionary of the input x, evaluated at the values ``at`` (x itself unless given)."""
    biases = breakpoints(x, activation)
    difference = np.asarray(x if at is None else at, dtype=np.longdouble)[:, None] - biases
    right = activate(difference, activation, slope)
    if activation in ("relu", "leaky_relu"):
        return np.hstack([right, activate(-difference, activation, slope)])
    return right


def dictionary(X, activation, slope=SLOPE):
    """Return the union of the dictionaries of all input features, evaluated at the rows of X."""
    return np.hstack([columns(x, activation, slope) for x in np.asarray(X).T])


# Objective and certificate


def merge(X, y, w=None):
    """Drop rows without weight and merge equal rows; return rows, means, weights and the constant this removes."""
    X, y = np.asarray(X, dtype=np.longdouble), np.asarray(y, dtype=np.longdouble)
    w = np.ones(len(y), dtype=np.longdouble) if w is None else np.asarray(w, dtype=np.longdouble)
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    rows, group = np.unique(X, axis=0, return_inverse=True)
    group = group.ravel()
    weight = _sum_by(group, w)
    shift = np.sum(w * y) / np.sum(w)
    mean = _sum_by(group, w * (y - shift)) / weight + shift
    return rows, mean, weight, np.sum(w * (y - mean[group]) ** 2) / 2


def _sum_by(group, values):
    """Return the sums of values by group, in extended precision."""
    total = np.zeros(group.max() + 1, dtype=np.longdouble)
    np.add.at(total, group, values)
    return total


def lasso_objective(y, f, norm, beta, w=None):
    """Return the Lasso objective on the rows as they are."""
    y, f = np.asarray(y, dtype=np.longdouble), np.asarray(f, dtype=np.longdouble)
    w = np.ones(len(y)) if w is None else np.asarray(w)
    return float(np.sum(w * (y - f) ** 2) / 2 + beta * norm)


def free_residual(X, w, r, skip):
    """Return r less its weighted projection on the unpenalised functions: 1, and with a skip every input, or those named."""
    if not isinstance(skip, bool):
        X, skip = X[:, list(skip)], True
    scale = np.maximum(np.ptp(X, axis=0), np.finfo(float).tiny)
    free = [np.ones(len(r))] + (list(((X - X.mean(axis=0)) / scale).T) if skip else [])
    root = np.sqrt(w.astype(float))
    basis = np.column_stack(free).astype(float) * root[:, None]
    left, singular, _ = np.linalg.svd(basis, full_matrices=False)
    left = left[:, singular > 1e-12 * singular[0]]
    scaled = np.sqrt(w) * r
    for _ in range(3):  # the basis is orthonormal to float64 only
        scaled = scaled - left @ (left.T @ scaled)
    return scaled / np.sqrt(w)


def price(X, lam, activation, slope=SLOPE):
    """Return max |lam @ g| over the explicit dictionary, in O(N^2)."""
    correlation = np.abs(lam @ dictionary(X, activation, slope))
    return float(correlation.max(initial=0.0))


def price_by_sums(X, lam, activation, slope=SLOPE):
    """Return the same maximum from running sums over the sorted points of each input, in O(N); lam sums to zero."""
    return max(_price_input(x, lam, activation, slope) for x in np.asarray(X, dtype=np.longdouble).T)


def _price_input(x, lam, activation, slope):
    points, group = np.unique(x, return_inverse=True)
    merged = _sum_by(group, lam)
    before = np.cumsum(merged)[:-1]  # sum of lam up to each gap; from the other side it is its negative
    after = np.cumsum(merged[::-1])[::-1][1:]
    if activation in ("sign", "threshold"):
        return float(np.abs(after).max(initial=0.0)) * (2 if activation == "sign" else 1)
    zero = np.zeros(1, dtype=np.longdouble)
    step = np.diff(points)
    left = np.concatenate([zero, np.cumsum(step * before)])  # sum of lam * (a - x)_+ at every point a
    right = np.concatenate([np.cumsum((step * after)[::-1])[::-1], zero])
    if activation == "abs":
        return float(np.abs(left + right).max())
    kappa = slope if activation == "leaky_relu" else 0.0
    return float(max(np.abs(right - kappa * left).max(), np.abs(left - kappa * right).max()))


@dataclass(frozen=True)
class Gap:
    """Primal and dual value on the merged rows, and the objective on the original rows."""

    primal: float
    dual: float
    objective: float
    floor: float
    noise: float

    @property
    def gap(self):
        return self.primal - self.dual

    @property
    def relative(self):
        """The gap relative to the objective, less what rounding of f in double precision explains."""
        excess = max(self.gap - self.noise, 0.0)
        return excess / max(self.objective, self.floor) if excess else 0.0


def certificate(X, y, f, norm, alpha, activation, skip=False, w=None, slope=SLOPE, pricing=price):
    """Return the duality gap of values f on the rows of X whose coefficients have l1 norm ``norm``."""
    weights = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
    beta = alpha * float(np.sum(weights))
    values = merge(X, f, w)[1]
    rows, target, weight, constant = merge(X, y, w)
    target = target - np.sum(weight * target) / np.sum(weight)
    residual = merge(X, np.asarray(y, np.longdouble) - np.asarray(f, np.longdouble), w)[1]
    lam = weight * free_residual(rows, weight, residual, skip)
    correlation = pricing(rows, lam, activation, slope)
    theta = 1.0 if correlation <= beta else beta / correlation
    primal = np.sum(weight * residual**2) / 2 + beta * norm
    dual = theta * (lam @ target) - theta**2 / 2 * np.sum(lam**2 / weight)
    constant_fit = np.sum(weight * target**2) / 2 + constant
    noise = 1e-14 * float(np.sum(weight * (np.abs(values) + np.abs(residual)) ** 2))
    return Gap(float(primal), float(dual), float(primal + constant), float(1e-8 * constant_fit), noise)


def alpha_max(X, y, activation, skip=False, w=None, slope=SLOPE, pricing=price):
    """Return the smallest alpha at which no neuron is worth its penalty."""
    rows, target, weight, _ = merge(X, y, w)
    lam = weight * free_residual(rows, weight, target - np.sum(weight * target) / np.sum(weight), skip)
    return pricing(rows, lam, activation, slope) / float(np.sum(weight))


# Solvers


@dataclass(frozen=True)
class Optimum:
    """A solution of the Lasso on the explicit dictionary: objective on the original rows, norm and values at them."""

    objective: float
    norm: float
    values: np.ndarray


def conic(X, y, alpha, activation, skip=False, w=None, slope=SLOPE):
    """Solve the Lasso on the explicit dictionary with an interior-point method (Clarabel).

    The unpenalised part is projected out first and every column has length 1 after that. The solver is asked for more
    than it can reach and stops where it makes no more progress; ``certificate`` says whether that was far enough.
    """
    import cvxpy as cp

    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    w = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
    keep = w > 0
    rows, weight = X[keep].astype(np.longdouble), w[keep].astype(np.longdouble)
    A = np.hstack([dictionary(rows, activation, slope), np.zeros((len(rows), 1))])  # never empty
    free = np.column_stack([free_residual(rows, weight, column, skip) for column in A.T])
    target = free_residual(rows, weight, y[keep], skip)
    root = np.sqrt(weight)
    length = np.sqrt(np.sum((root[:, None] * free) ** 2, axis=0))
    length[length <= 1e-14 * np.abs(A).max() * root.max()] = np.inf  # constant, or linear with a skip: of no use
    size = max(float(np.sqrt(np.sum(weight * target**2))), 1e-12 * float(np.abs(y).max()), 1e-300)
    columns = (root[:, None] * free / length).astype(float)
    penalty = np.where(np.isinf(length), 1, alpha * w.sum() / size / length).astype(float)
    z = cp.Variable(len(length))
    loss = cp.sum_squares((root * target / size).astype(float) - columns @ z) / 2
    problem = cp.Problem(cp.Minimize(loss + penalty @ cp.abs(z)))
    best = None
    for regularisation in (1e-8, 1e-10, 1e-12, 1e-6):  # of the solver's linear systems: its own value first
        solution = _solve(problem, z, regularisation)
        values = np.array(y, dtype=np.longdouble)  # at a row without weight: anything
        values[keep] = y[keep] - target + size * free @ (solution / length)
        norm = float(np.sum(size * np.abs(solution) / length))
        found = Optimum(lasso_objective(y, values, norm, alpha * w.sum(), w), norm, values)
        best = found if best is None or found.objective < best.objective else best
        if certificate(X, y, best.values, best.norm, alpha, activation, skip, w, slope).relative <= 1e-8:
            break
    return best


def _solve(problem, z, regularisation):
    """Return z of a cvxpy problem, as accurately as the solver can; zeros where it fails altogether."""
    import interior_point  # and cvxpy, which takes its time

    interior_point.solve(problem, regularisation)
    return np.zeros(z.shape) if z.value is None else z.value


def smallest_norm(x, f, activation, skip=False, slope=SLOPE):
    """Return the least l1 norm of coefficients that give the values f at the distinct points x: a linear programme."""
    scale = np.ptp(x)
    x = (np.asarray(x) - np.min(x)) / scale
    A = columns(x, activation, slope).astype(float)
    free = np.column_stack([np.ones(len(x))] + ([x] if skip else []))
    cost = np.concatenate([np.ones(2 * A.shape[1]), np.zeros(2 * free.shape[1])])
    answer = linprog(cost, A_eq=np.hstack([A, -A, free, -free]), b_eq=f, bounds=(0, None), method="highs")
    return answer.fun / (scale if activation in HOMOGENEOUS else 1)


def smallest_norm_formula(x, f, activation, skip=False, slope=SLOPE):
    """Return the same norm in closed form, as a function of the slopes between the sorted distinct points x."""
    jumps = float(np.abs(np.diff(f)).sum())
    if activation in ("sign", "threshold"):
        return jumps / (2 if activation == "sign" else 1)
    h = np.diff(f) / np.diff(x)
    variation, ends = float(np.abs(np.diff(h)).sum()), float(abs(h[0] + h[-1]))
    if activation == "abs":
        return variation / 2 if skip else (variation + ends) / 2
    if activation == "relu":
        return variation if skip else max(variation, (variation + ends) / 2)
    extra = max(0.0, (ends * (1 - slope) - variation * (1 + slope)) / 2)  # where the two bounds meet
    return max((variation + extra) / (1 - slope), (ends - extra) / (1 + slope))


# Networks


def forward(X, coefs, intercepts, skip_coef, activation, slope=SLOPE):
    """Return the output of a network with one hidden layer, neuron by neuron."""
    X = np.asarray(X, dtype=float)
    output = np.full(len(X), float(intercepts[1][0]))
    for neuron in range(coefs[0].shape[1]):
        before = np.full(len(X), float(intercepts[0][neuron]))
        for feature in range(X.shape[1]):
            before = before + X[:, feature] * coefs[0][feature, neuron]
        output = output + coefs[1][neuron, 0] * activate(before, activation, slope)
    for feature in range(X.shape[1] if skip_coef is not None else 0):
        output = output + X[:, feature] * skip_coef[feature]
    return output


def network_objective(X, y, coefs, intercepts, skip_coef, alpha, activation, w=None, slope=SLOPE):
    """Return the regularised training objective of a network with one hidden layer; biases and skip are free."""
    beta = alpha * (len(y) if w is None else float(np.sum(w)))
    if activation in HOMOGENEOUS:
        penalty = sum(float(np.sum(np.square(layer))) for layer in coefs) / 2
    else:
        penalty = float(np.sum(np.abs(coefs[1])))
    return lasso_objective(y, forward(X, coefs, intercepts, skip_coef, activation, slope), penalty, beta, w)
