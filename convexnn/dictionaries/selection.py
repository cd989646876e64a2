"""Choosing a batch of violated features that is spread over the dictionary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def peaks(strength: Array) -> NDArray[np.bool_]:
    """Return where a sequence has a local maximum (the first point of a plateau counts, ends included)."""
    padded = np.concatenate([[-np.inf], strength, [-np.inf]])
    return (padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:])


def extrema(values: Array) -> NDArray[np.int64]:
    """Return the indices at which a sequence may have a local maximum or minimum, both ends included."""
    step = np.diff(values)
    turning = np.ones(values.size, dtype=bool)
    # A product of steps could underflow; their signs cannot.
    turning[1:-1] = np.sign(step[1:]) * np.sign(step[:-1]) <= 0
    return np.flatnonzero(turning)


def spread(families: list[Array], bound: float, limit: int) -> list[tuple[int, int]]:
    """Return at most ``limit`` (family, position) pairs with |value| > bound, spread over the positions.

    Neighbouring positions carry nearly collinear features, so the local maxima of each family come first and the
    other positions fill what is left. The pairs are ordered by falling |value|.
    """
    family = np.concatenate([np.full(values.size, f) for f, values in enumerate(families)])
    position = np.concatenate([np.arange(values.size) for values in families])
    strength = np.abs(np.concatenate(families))
    crest = np.concatenate([peaks(np.abs(values)) for values in families])
    above = np.flatnonzero(strength > bound)
    if above.size == 0 or limit < 1:
        return []
    order = above[np.lexsort((-strength[above], ~crest[above]))][:limit]
    order = order[np.argsort(-strength[order], kind="stable")]
    return list(zip(family[order].tolist(), position[order].tolist(), strict=True))
