"""
Adam against the certified optimum
==================================

The same objective, deep narrow absolute-value networks with the penalty of their depth, trained by Adam from ten seeds and
solved exactly. The line is a lower bound for every network of this kind, of any width: nothing can cross it.
"""

import matplotlib.pyplot as plt
import numpy as np

from convexnn import ConvexNNRegressor
from convexnn.datasets import load_mcycle

X, y = load_mcycle(return_X_y=True)
X, y = X[::4], y[::4]
X, y = (X - X.mean()) / X.std(), (y - y.mean()) / y.std()
UNITS, STEPS, SEEDS = 40, 3000, 10


def objective_and_gradient(parameters, x, y, beta):
    """Return the training objective of UNITS chains of absolute values, and its gradient: weights, biases, output's bias."""
    weights, biases, intercept = parameters
    depth = len(weights)
    hidden, before = [np.repeat(x, UNITS, axis=1)], []
    for w, b in zip(weights[:-1], biases, strict=True):
        before.append(hidden[-1] * w + b)
        hidden.append(np.abs(before[-1]))
    residual = hidden[-1] @ weights[-1] + intercept - y
    value = 0.5 * residual @ residual + beta / depth * sum((np.abs(w) ** depth).sum() for w in weights)
    shrink = [beta * np.sign(w) * np.abs(w) ** (depth - 1) for w in weights]
    weight_gradients, bias_gradients = [hidden[-1].T @ residual + shrink[-1]], []
    back = residual[:, None] * weights[-1]
    for layer in range(depth - 2, -1, -1):
        back = back * np.sign(before[layer])
        weight_gradients.insert(0, (back * hidden[layer]).sum(axis=0) + shrink[layer])
        bias_gradients.insert(0, back.sum(axis=0))
        back = back * weights[layer]
    return value, (np.array(weight_gradients), np.array(bias_gradients), residual.sum())


def adam(depth, beta, seed):
    """Return the objective after each step."""
    random = np.random.default_rng(seed)
    parameters = [random.normal(size=(depth, UNITS)) * 0.5, random.normal(size=(depth - 1, UNITS)) * 0.5, np.float64(0.0)]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    history = []
    for step in range(1, STEPS + 1):
        value, gradient = objective_and_gradient(parameters, X, y, beta)
        history.append(value)
        rate = 0.02 * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        for k, g in enumerate(gradient):
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g**2
            size = np.sqrt(second[k] / (1.0 - 0.999**step)) + 1e-8
            parameters[k] = parameters[k] - rate * first[k] / (1.0 - 0.9**step) / size
    return history


figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for depth, ax in zip((3, 4), axes, strict=True):
    model = ConvexNNRegressor(depth=depth, activation="abs").fit(X, y)
    bound = model.objective_ * (1.0 - model.dual_gap_)
    runs = np.array([adam(depth, model.alpha_ * len(y), seed) for seed in range(SEEDS)])
    assert runs.min() >= bound * (1.0 - 1e-9)
    ax.semilogy(runs.T, color="#0072b2", linewidth=0.8, alpha=0.6)
    ax.axhline(bound, color="#d55e00", linewidth=2)
    ax.set_ylim(bound * 0.9, bound * 10)
    ax.set_xlabel("step of Adam")
    ax.set_ylabel("objective")
    ax.set_title(f"depth {depth}: best of {SEEDS} seeds {runs[:, -1].min() / bound - 1:.1%} above the optimum")
