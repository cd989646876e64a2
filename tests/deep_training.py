"""Narrow networks trained as everyone does, by Adam and L-BFGS from random starts, with gradients written by hand."""

import numpy as np
from scipy.optimize import minimize


def parts(theta, depth, units):
    """Split parameters: inner weights and hidden biases (..., depth - 1, units), outer weights, output bias."""
    inner = (depth - 1) * units
    shape = (*theta.shape[:-1], depth - 1, units)
    weights, biases = theta[..., :inner].reshape(shape), theta[..., inner : 2 * inner].reshape(shape)
    return weights, biases, theta[..., 2 * inner : -1], theta[..., -1]


def loss_and_gradient(theta, x, y, beta, depth, units, activation):
    """Return squared loss / 2 plus (beta / depth) * sum |weights| ** depth, and its gradient, for many starts."""
    weights, biases, outer, offset = parts(theta, depth, units)
    hidden, slopes = [np.broadcast_to(x, (*outer.shape, len(x)))], []
    for layer in range(depth - 1):
        before = weights[..., layer, :, None] * hidden[-1] + biases[..., layer, :, None]
        slopes.append(np.sign(before) if activation == "abs" else (before > 0).astype(float))
        hidden.append(slopes[-1] * before)
    residual = np.einsum("...u,...un->...n", outer, hidden[-1]) + offset[..., None] - y
    powers = sum((np.abs(part) ** depth).sum(axis=-1) for part in (weights.reshape(*offset.shape, -1), outer))
    gradient = np.empty_like(theta)
    d_weights, d_biases, d_outer, _ = parts(gradient, depth, units)
    gradient[..., -1] = residual.sum(axis=-1)
    d_outer[...] = np.einsum("...n,...un->...u", residual, hidden[-1]) + beta * _power(outer, depth)
    back = outer[..., None] * residual[..., None, :]
    for layer in reversed(range(depth - 1)):
        back = back * slopes[layer]
        d_weights[..., layer, :] = (back * hidden[layer]).sum(axis=-1) + beta * _power(weights[..., layer, :], depth)
        d_biases[..., layer, :] = back.sum(axis=-1)
        back = back * weights[..., layer, :, None]
    return (residual**2).sum(axis=-1) / 2 + beta / depth * powers, gradient


def _power(w, depth):
    return np.sign(w) * np.abs(w) ** (depth - 1)


def random_starts(count, x, depth, units, rng):
    """Return parameters of random networks whose first kinks lie among the data."""
    theta = rng.normal(size=(count, 2 * (depth - 1) * units + units + 1))
    weights, biases, outer, _ = parts(theta, depth, units)
    biases[..., 0, :] = -weights[..., 0, :] * rng.uniform(x.min(), x.max(), size=weights[..., 0, :].shape)
    outer *= 0.3
    return theta


def adam(theta, objective, steps):
    """Run Adam from all starts at once, with a step size that falls to 0; return the least objective of each start."""
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    best = np.full(len(theta), np.inf)
    for t in range(1, steps + 1):
        value, gradient = objective(theta)
        best = np.minimum(best, value)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        rate = 0.03 * (1 - t / steps) / (1 - 0.9**t)
        theta = theta - rate * first / (np.sqrt(second / (1 - 0.999**t)) + 1e-12)
    return np.minimum(best, objective(theta)[0])


def lbfgs(theta, objective, steps):
    """Run L-BFGS from every start; return the objective of each end."""
    options = {"maxiter": steps, "maxfun": 2 * steps}
    return np.array([minimize(objective, start, jac=True, method="L-BFGS-B", options=options).fun for start in theta])
