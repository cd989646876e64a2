"""Hinge sums of a dual point, in its own precision: the curve that splines are priced on."""

from __future__ import annotations

import numpy as np

from convexnn import extended
from convexnn.dictionaries.base import Array


def ramp_sums(points: Array, lam: Array) -> Array:
    """Return F(t) = sum_n lam_n (x_n - t)_+ at the sorted points, as doubles."""
    if extended.is_extended(lam):
        return extended.ramp_sums(points, lam).astype(np.float64)
    from convexnn.kernels import sweeps

    out = np.empty(points.size)
    sweeps.ramp_sums(points, np.ascontiguousarray(lam, dtype=np.float64), out)
    return out
