"""pyscnn: the convex reformulation of a ReLU network over activation patterns, by an augmented Lagrangian.

Its penalty counts biases as well. A column of ``BIAS`` instead of ones makes that part small, but the problem worse
conditioned; what is left of the difference is part of the gap that the common code finds. The patterns of one input with a
bias are known: all of them are given to it.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from benchmarks.adapters import Adapter, Fit

BIAS = 3.0


class Pyscnn(Adapter):
    """Its augmented Lagrangian in double precision; ``accuracy`` is the tolerance on gradients and constraints."""

    package = "scnn.optimize"  # the package on the index is pyscnn
    accuracies = (1e-4, 1e-6)

    def prepare(self, task: Any, x: np.ndarray, y: np.ndarray, alpha: float) -> Any:
        """Return the columns, and one gate for every way in which a line can split the points."""
        center, scale = x.mean(), np.ptp(x) / 2.0
        points = (x - center) / scale
        sorted_points = np.unique(points)
        middles = 0.5 * (sorted_points[1:] + sorted_points[:-1])
        right = np.stack([np.ones(middles.size), -middles / BIAS])
        gates = np.concatenate([right, -right, [[0.0], [1.0]]], axis=1)
        return np.column_stack([points, np.full(x.size, BIAS)]), y - y.mean(), y.mean(), gates, alpha / scale

    def solve(self, state: Any, accuracy: float) -> Any:
        """Train."""
        import torch
        from scnn.metrics import Metrics
        from scnn.models import ConvexReLU
        from scnn.optimize import optimize_model
        from scnn.regularizers import NeuronGL1
        from scnn.solvers import AL

        torch.set_num_threads(1)
        logging.getLogger("scnn").setLevel(logging.ERROR)
        columns, y, _, gates, alpha = state
        model = ConvexReLU(gates)
        solver = AL(model, tol=accuracy, constraint_tol=accuracy)
        options = {"regularizer": NeuronGL1(alpha), "unitize_data": False, "dtype": "float64"}
        return optimize_model(model, solver, Metrics(), columns, y, **options)[0]

    def finish(self, state: Any, raw: Any) -> Fit:
        """Return the fit; its norm is the least one for these values."""
        return Fit(np.asarray(raw(state[0]), dtype=np.float64).ravel() + state[2])
