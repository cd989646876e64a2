"""The five activations, as numbers: everything else about them follows from two kinds and one slope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PIECEWISE_LINEAR = ("relu", "leaky_relu", "abs")
STEPS = ("sign", "threshold")


def negative_part_slope(activation: str, negative_slope: float) -> float:
    """Return the slope for negative arguments of a homogeneous activation."""
    return {"relu": 0.0, "leaky_relu": negative_slope, "abs": -1.0}[activation]


def activate(u: Array, activation: str, negative_slope: float) -> Array:
    """Apply an activation elementwise; sign and threshold are 1 at zero."""
    if activation in STEPS:
        return np.where(u >= 0.0, 1.0, -1.0 if activation == "sign" else 0.0)
    return np.where(u >= 0.0, u, negative_part_slope(activation, negative_slope) * u)
