"""PyTorch on the same non-convex objective: one hidden layer of ReLU, ridge penalty on the weights, biases free."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.adapters import Adapter, Fit

WIDTH, STARTS = 100, 3


class TorchNetwork(Adapter):
    """The best of three starts. ``accuracy`` sets the number of steps: there is no certificate to stop on."""

    package = "torch"
    accuracies = (1e-4, 1e-6)

    def __init__(self, method: str):
        self.method = method

    def solve(self, state: Any, accuracy: float) -> Any:
        """Train from several random starts."""
        import torch

        torch.set_num_threads(1)
        _, x, y, alpha = state
        x, y = (torch.from_numpy(np.ascontiguousarray(a)) for a in (x, y))
        center, scale = x.mean(), x.max() - x.min()
        x = (x - center) / scale
        beta = alpha * y.numel() / float(scale)
        steps = 20_000 if accuracy < 1e-5 else 4_000
        runs = [self._train(torch, x, y, beta, steps, seed) for seed in range(STARTS)]
        best = min(runs, key=lambda run: run[0])
        return best[1], best[2] / float(scale)

    def _train(self, torch: Any, x: Any, y: Any, beta: float, steps: int, seed: int) -> tuple[float, Any, float]:
        generator = torch.Generator().manual_seed(seed)
        inner, outer = (torch.randn(WIDTH, generator=generator, dtype=torch.float64) for _ in range(2))
        bias = -inner * x[torch.randint(x.numel(), (WIDTH,), generator=generator)]
        weights = [inner * 0.3, bias * 0.3, outer * 0.3, y.mean().reshape(1).clone()]
        for weight in weights:
            weight.requires_grad_()

        def loss() -> Any:
            fit = torch.relu(x[:, None] * weights[0] + weights[1]) @ weights[2] + weights[3]
            norm = 0.5 * (weights[0].square().sum() + weights[2].square().sum())
            return 0.5 * (fit - y).square().sum() + beta * norm, fit, norm

        if self.method == "adam":
            self._adam(torch, weights, loss, steps)
        else:
            self._lbfgs(torch, weights, loss, steps)
        value, fit, norm = loss()
        return float(value.detach()), fit.detach().numpy(), float(norm.detach())

    def _adam(self, torch: Any, weights: list, loss: Any, steps: int) -> None:
        optimizer = torch.optim.Adam(weights, lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            loss()[0].backward()
            optimizer.step()
            schedule.step()

    def _lbfgs(self, torch: Any, weights: list, loss: Any, steps: int) -> None:
        optimizer = torch.optim.LBFGS(
            weights,
            max_iter=steps,
            history_size=20,
            tolerance_grad=1e-12,
            tolerance_change=1e-15,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Any:
            optimizer.zero_grad()
            value = loss()[0]
            value.backward()
            return value

        optimizer.step(closure)

    def finish(self, state: Any, raw: Any) -> Fit:
        """Return the fit and half the squares of the weights."""
        return Fit(raw[0], raw[1])
