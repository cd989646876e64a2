"""The order of the inputs, by a sort of whole numbers: numpy has those sorted in half the time that an order takes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAGNITUDE = np.int64(2**63 - 1)


def sort(x: NDArray[np.float64], center: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return x in ascending order, and a permutation that puts it there; equal numbers may come in any order.

    What is sorted is the bits of ``x - center``, which order as these do, with the place of each in its last bits: beside a
    million places 44 bits are left of a number. Where that was not enough a merge sort, quick where little is out of order,
    or a sort of all, does the rest.
    """
    keys = (x + (0.0 - center)).view(np.int64)  # a sum, in which -0.0 becomes 0.0
    keys ^= (keys >> 63) & MAGNITUDE  # of negative numbers the magnitude counts downwards
    places = (1 << (x.size - 1).bit_length()) - 1
    keys &= ~places
    keys |= np.arange(x.size)
    keys.sort()
    keys &= places
    out = x.take(keys)  # half the time of indexing
    wrong = np.count_nonzero(out[1:] < out[:-1])
    if wrong == 0:
        return out, keys
    order = keys.take(out.argsort(kind="stable")) if 64 * wrong < x.size else np.argsort(x)
    return x.take(order), order
