"""Units of any architecture over real weights and biases, searched by brute force.

Positive scale comes out of homogeneous units, so that their inner weights are signs.
"""

import itertools
import math

import numpy as np
from deep_reference import Row, signs, special_places, switch_vectors
from reference import activate
from scipy.optimize import minimize


def worst_unit(x, lam, row, rng):
    """Return max |lam @ g| over the units g of this architecture that a brute-force search finds."""
    x, place = np.unique(x, return_inverse=True)
    lam = np.bincount(place.ravel(), lam)
    lam -= lam.mean()  # which is rounding: the bias of the output is free
    if len(x) < 2:
        return 0.0
    if row.steps:
        found = np.vstack([switch_vectors(len(x), row), random_step_units(x, row, rng)])
        return float(np.abs(found @ lam).max())
    if row.architecture == "symmetrized":
        return _worst_symmetrized(x, lam)
    if row.depth <= 4:
        return _last_layer(_hidden(x, row), lam, row)
    return max(_last_layer(_random_hidden(x, row, rng), lam, row), _last_layer(_lifted(x, row), lam, row))


def _last_layer(hidden, lam, row):
    """Return max |lam @ sigma(s (h - b))| over s and real b: linear in b where no h_n - b is 0, so b is some h_n."""
    best = 0.0
    for n, sign in itertools.product(range(hidden.shape[1]), signs(row)):
        units = activate(sign * (hidden - hidden[:, n : n + 1]), row.activation, row.slope)
        best = max(best, np.abs(units @ lam).max())
    return float(best)


def _hidden(x, row):
    """Return values after layer L - 2 on a grid of biases, all points, means of two, reflections and their means."""
    centres, grid = special_places(x, full=row.activation == "abs"), 60 if row.depth == 4 else 400
    biases = np.concatenate([centres, np.linspace(x[0] - np.ptp(x) / 2, x[-1] + np.ptp(x) / 2, grid)])
    hidden = np.vstack([activate(s * (x - biases[:, None]), row.activation, row.slope) for s in signs(row)])
    for _ in range(row.depth - 3):
        hidden = _another_layer(hidden, row)
    return hidden


def _another_layer(hidden, row):
    low, high = hidden.min(axis=1, keepdims=True), hidden.max(axis=1, keepdims=True)
    i, j = np.triu_indices(hidden.shape[1])
    biases = np.hstack([(hidden[:, i] + hidden[:, j]) / 2, low + (high - low) * np.linspace(-0.1, 1.1, 25)])
    folded = hidden[:, None, :] - biases[:, :, None]
    out = [activate(s * folded, row.activation, row.slope).reshape(-1, hidden.shape[1]) for s in signs(row)]
    return np.vstack(out)


def _random_hidden(x, row, rng, count=4000):
    """Return values after layer L - 2 of random chains: each bias at a point, at a mean of two or beyond the data."""
    hidden = np.tile(x, (count, 1))
    for _ in range(row.depth - 2):
        sign = rng.choice(signs(row), size=(count, 1))
        i, j = rng.integers(0, len(x), size=(2, count))
        each = np.arange(count)
        share = rng.choice([0.0, 0.0, 0.5, rng.random()], size=count)
        bias = (1 - share) * hidden[each, i] + share * hidden[each, j]
        bias -= rng.choice([0.0, 0.0, 1.0], size=count) * sign[:, 0] * np.ptp(hidden, axis=1)
        hidden = activate(sign * (hidden - bias[:, None]), row.activation, row.slope)
    return hidden


def _lifted(x, row):
    """Return the values of units of depth 4 as hidden values of the deeper unit, whose other layers are then linear."""
    return _hidden(x, Row(4, row.activation, slope=row.slope))


def _worst_symmetrized(x, lam):
    """Search the biases of sigma(w_1 sigma(s_1 (x - a_1)) + w_2 sigma(s_2 (x - a_2)) - b), then improve locally."""
    places = np.unique([*(2 * x[:, None] - x).ravel(), *special_places(x, False), *np.linspace(x[0], x[-1], 15)])
    i, j = np.triu_indices(len(places))
    best = []
    for w_2, s_1, s_2 in itertools.product((1, -1), repeat=3):
        first, second = (np.maximum(s * (x - places[n][:, None]), 0) for s, n in ((s_1, i), (s_2, j)))
        inner = first + w_2 * second
        for n, outer in itertools.product(range(len(x)), (1, -1)):
            value = np.abs(np.maximum(outer * (inner - inner[:, n : n + 1]), 0) @ lam)
            top = int(np.argmax(value))
            best.append((value[top], (w_2, s_1, s_2, outer), (places[i[top]], places[j[top]], inner[top, n])))
    best.sort(key=lambda entry: -entry[0])
    polished = [_polish_symmetrized(x, lam, *entry[1:]) for entry in best[:3]]
    return float(max(best[0][0], *polished)) / 2 ** (2 / 3)


def _polish_symmetrized(x, lam, signs, start):
    w_2, s_1, s_2, outer = signs

    def value(biases):
        inner = np.maximum(s_1 * (x - biases[0]), 0) + w_2 * np.maximum(s_2 * (x - biases[1]), 0) - biases[2]
        return -abs(np.maximum(outer * inner, 0) @ lam)

    simplex = np.array(start) + 0.05 * np.ptp(x) * np.vstack([np.zeros(3), np.eye(3)])
    return -minimize(value, start, method="Nelder-Mead", options={"maxfev": 120, "initial_simplex": simplex}).fun


def random_step_units(x, row, rng, count=300):
    """Return the values of units with random real weights: a tree of these widths, leaves first."""
    leaves = math.prod(row.widths)
    if leaves > 20:
        leaves, widths = 20, (20, *(1,) * (row.depth - 3))
    else:
        widths = row.widths
    places = rng.uniform(x[0], x[-1], size=(count, leaves, 1))
    hidden = activate(rng.normal(size=places.shape) * (x - places), row.activation)
    for width in widths:
        weighted = rng.normal(size=(*hidden.shape[:2], 1)) * hidden
        weighted = weighted.reshape(count, -1, width, len(x)).sum(axis=2)
        hidden = activate(weighted + 0.5 * rng.normal(size=weighted.shape[:2])[:, :, None], row.activation)
    return hidden[:, 0]
