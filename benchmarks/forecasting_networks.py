"""PyTorch on the non-convex objective itself: parallel narrow networks of any depth, by SGD and Adam on mini-batches.

    sum (f(x) - y)^2 / 2 + beta / L * sum |weight|^L,   f(x) = bias + sum of units, each a chain of L weights

in standardised units, in which beta is divided by the scales of x and y so that the problem is the same. There is nothing to
stop on, so that the number of epochs is fixed and the objective is recorded on the way, in the methods' favour: with each
unit rescaled to the least penalty, the product of its weights, that leaves its function as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
UNITS, BATCH, EPOCHS, RECORDED = 50, 512, 100, (1, 2, 5, 10, 20, 50, 100)
RATES = {"SGD": (0.1, 0.01), "Adam": (0.01, 0.001)}


@dataclass(frozen=True)
class Trained:
    """The better of the runs with the two learning rates: objective on the way, final predictions, seconds of that run."""

    rate: float
    objective: float
    history: list[tuple[int, float]]
    train: Array
    test: Array
    seconds: float


def train(x: Array, y: Array, test: Array, *, activation: str, depth: int, beta: float, optimizer: str) -> Trained:
    """Train with each learning rate and return the run that ends lowest."""
    runs = [
        _run(x, y, test, activation=activation, depth=depth, beta=beta, optimizer=optimizer, rate=rate)
        for rate in RATES[optimizer]
    ]
    return min(runs, key=lambda run: (not np.isfinite(run.objective), run.objective))


def _run(
    x: Array, y: Array, test: Array, *, activation: str, depth: int, beta: float, optimizer: str, rate: float
) -> Trained:
    import torch

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x_mean, x_scale, y_mean, y_scale = x.mean(), x.std(), y.mean(), y.std()
    inputs, targets = (torch.from_numpy(v) for v in ((x - x_mean) / x_scale, (y - y_mean) / y_scale))
    outside = torch.from_numpy((test - x_mean) / x_scale)
    penalty = beta / (x_scale * y_scale) / x.size  # of a mean of losses
    weights = _start(torch, inputs, depth, generator)
    moving = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}[optimizer](
        weights["all"], lr=rate, **({"momentum": 0.9} if optimizer == "SGD" else {})
    )
    steps = -(-x.size // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(moving, EPOCHS * steps)
    history, seconds = [], 0.0
    for epoch in range(1, EPOCHS + 1):
        start = time.perf_counter()
        order = torch.randperm(x.size, generator=generator)
        for rows in order.split(BATCH):
            moving.zero_grad()
            loss = _objective(torch, weights, activation, inputs[rows], targets[rows], penalty)
            loss.backward()
            moving.step()
            schedule.step()
        seconds += time.perf_counter() - start
        if epoch in RECORDED:
            with torch.no_grad():
                value = float(_objective(torch, weights, activation, inputs, targets, penalty, balanced=True))
            history.append((epoch, value * x.size * y_scale**2))
    with torch.no_grad():
        fits = [y_mean + y_scale * _network(torch, weights, activation, v).numpy() for v in (inputs, outside)]
    return Trained(rate, history[-1][1], history, fits[0], fits[1], seconds)


def _start(torch: Any, x: Any, depth: int, generator: Any) -> dict[str, Any]:
    """Return random weights: breakpoints at training points, and outputs small enough to begin near the mean."""
    layers = [torch.randn(UNITS, generator=generator, dtype=torch.float64) for _ in range(depth)]
    layers[-1] = layers[-1] / UNITS**0.5
    biases = [-layers[0] * x[torch.randint(x.numel(), (UNITS,), generator=generator)]]
    biases += [0.1 * torch.randn(UNITS, generator=generator, dtype=torch.float64) for _ in range(depth - 2)]
    out = torch.zeros(1, dtype=torch.float64)
    for tensor in (*layers, *biases, out):
        tensor.requires_grad_()
    return {"layers": layers, "biases": biases, "out": out, "all": [*layers, *biases, out]}


def _network(torch: Any, weights: dict[str, Any], activation: str, x: Any) -> Any:
    act = torch.relu if activation == "relu" else torch.abs
    hidden = x[:, None]
    for layer, bias in zip(weights["layers"], weights["biases"], strict=False):
        hidden = act(hidden * layer + bias)
    return hidden @ weights["layers"][-1] + weights["out"]


def _objective(
    torch: Any, weights: dict[str, Any], activation: str, x: Any, y: Any, penalty: float, balanced: bool = False
) -> Any:
    layers = weights["layers"]
    if balanced:
        norm = torch.stack(layers).prod(dim=0).abs().sum()
    else:
        norm = sum(layer.abs().pow(len(layers)).sum() for layer in layers) / len(layers)
    return 0.5 * (_network(torch, weights, activation, x) - y).square().mean() + penalty * norm
