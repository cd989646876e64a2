"""One file per rival, all with the same three steps.

``Adapter.prepare(task, x, y, alpha)`` is not timed: it sorts and builds the explicit dictionary or the constraint
matrices, whatever the rival needs before it can start (for convexnn: nothing). ``solve(state, accuracy)`` is timed.
``finish(state, raw)`` is not timed: it returns the fitted values in the order of the rows and the norm of the network,
for the common code in ``gap.py``.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import Task

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Values at the rows, the claimed norm (None: the least for the values), and what else is worth keeping."""

    values: Array
    norm: float | None = None
    notes: dict = field(default_factory=dict)


class Adapter(ABC):
    """A rival: the package that it needs, what it can train, and settings from loose to tight."""

    package: str
    architectures: tuple[str, ...] = ("relu",)
    accuracies: tuple[float, ...] = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12)

    def prepare(self, task: Task, x: Array, y: Array, alpha: float) -> Any:
        """Return what ``solve`` needs."""
        return task, x, y, alpha

    @abstractmethod
    def solve(self, state: Any, accuracy: float) -> Any:
        """Solve to the rival's own tolerance ``accuracy``."""

    @abstractmethod
    def finish(self, state: Any, raw: Any) -> Fit:
        """Return the fit."""

    def seconds(self, raw: Any) -> float | None:
        """Return the rival's own account of its time, where the call does work that is not the solver's."""
        return None


# name -> (module, class, arguments); a module is imported only when its rival runs
ADAPTERS: dict[str, tuple[str, str, tuple]] = {
    "convexnn": ("convexnn_fit", "ConvexNN", ()),
    "convexnn_denoise": ("convexnn_denoise", "Denoise", ()),
    "sklearn_lasso": ("sklearn_lasso", "CoordinateDescent", ()),
    "sklearn_lars": ("sklearn_lars", "Lars", ()),
    "celer": ("celer_lasso", "Celer", ()),
    "skglm": ("skglm_lasso", "Skglm", ()),
    "adelie": ("adelie_lasso", "Adelie", ()),
    "cvxpy_clarabel": ("cvxpy_lasso", "Cvxpy", ("CLARABEL",)),
    "cvxpy_osqp": ("cvxpy_lasso", "Cvxpy", ("OSQP",)),
    "cvxpy_scs": ("cvxpy_lasso", "Cvxpy", ("SCS",)),
    "piqp": ("piqp_state_space", "Piqp", ("running",)),
    "piqp_two_sided": ("piqp_state_space", "Piqp", ("two_sided",)),
    "clarabel": ("clarabel_state_space", "ClarabelStateSpace", ("running",)),
    "clarabel_two_sided": ("clarabel_state_space", "ClarabelStateSpace", ("two_sided",)),
    "condat_tv": ("condat", "Condat", ()),
    "prox_tv": ("proxtv", "ProxTV", ()),
    "torch_adam": ("torch_network", "TorchNetwork", ("adam",)),
    "torch_lbfgs": ("torch_network", "TorchNetwork", ("lbfgs",)),
    "sklearn_mlp": ("sklearn_mlp", "Mlp", ()),
    "pyscnn": ("pyscnn_network", "Pyscnn", ()),
}


def load(name: str) -> Adapter:
    """Return the adapter of that name; ImportError where its package is not installed."""
    module, cls, arguments = ADAPTERS[name]
    adapter = getattr(importlib.import_module(f"benchmarks.adapters.{module}"), cls)(*arguments)
    importlib.import_module(adapter.package)
    return adapter
