"""Extended precision, for dual points of which doubles cannot hold enough digits.

At 1e-10 of the critical alpha a correlation is 1e-10 of the terms that it sums. In doubles a few millionths of it are then
rounding, however it is summed, because the entries of the dual point are themselves rounded. Long doubles have three digits
more; where a platform has none, they are doubles, and so is everything here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
EXTENDED = np.longdouble if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps else np.float64


def is_extended(values: Array) -> bool:
    """Return whether values have more digits than doubles."""
    return values.dtype == EXTENDED and EXTENDED is not np.float64


def split(values: Array) -> Array | tuple[Array, Array]:
    """Return extended values as a sum of doubles, which every platform can read; doubles as they are."""
    if not is_extended(values):
        return values
    high = values.astype(np.float64)
    return high, (values - high).astype(np.float64)


def join(parts: Array | tuple[Array, Array]) -> Array:
    """Return the values that :func:`split` took apart."""
    return parts[0].astype(EXTENDED) + parts[1] if isinstance(parts, tuple) else parts


def scatter(rows: Array, places: NDArray[np.int64], size: int) -> Array:
    """Add rows up over their places."""
    total = np.zeros(size, rows.dtype)
    np.add.at(total, places, rows)
    return total


def ramp_sums(x: Array, lam: Array) -> Array:
    """Return F with F[i] = sum_n lam[n] * max(x[n] - x[i], 0), for sorted x."""
    gaps, tails = np.diff(x.astype(lam.dtype)), np.cumsum(lam[:0:-1])
    return np.append(np.cumsum(tails * gaps[::-1])[::-1], np.zeros(1, lam.dtype))


def orthonormal(columns: Array, least: float) -> Array:
    """Return an orthonormal basis of the columns, by Gram and Schmidt, the most independent one next.

    Of a column at least ``least`` of its size has to be left.
    """
    sizes = np.sqrt(np.square(columns).sum(axis=0))
    left, basis = columns / np.where(sizes > 0.0, sizes, 1.0), columns[:, :0]
    for _ in range(sizes.size):
        for _ in range(2):
            left = left - basis @ (basis.T @ left)
        rest = np.sqrt(np.square(left).sum(axis=0))
        best = int(np.argmax(rest))
        if rest[best] <= least:
            break
        basis = np.column_stack((basis, left[:, best] / rest[best]))
    return basis
