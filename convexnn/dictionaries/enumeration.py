"""Walking through a whole dictionary, block by block: for the set of all features that an optimal network may use."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from convexnn.dictionaries.base import Array, Dictionary, Rows

# Feature values that one walk may compute: some ten seconds.
VALUES = 2_000_000_000
BLOCK = 4_000_000


def walk(dictionary: Dictionary, rows: Iterable[tuple[int, ...]], size: int, lam: Array, bound: float) -> Rows:
    """Return those of ``size`` rows whose features have |lam @ g| >= bound.

    Raises
    ------
    ValueError
        If there are too many features to look at.
    """
    points = dictionary.points
    if size * points.size > VALUES:
        raise ValueError(
            f"The dictionary has {size} features over {points.size} distinct inputs: too many to list all that are tight"
        )
    return np.concatenate(
        [
            block[np.abs(lam @ dictionary.evaluate(block, points)) >= bound]
            for block in _blocks(rows, max(1, BLOCK // points.size))
        ]
    )


def _blocks(rows: Iterable[tuple[int, ...]], length: int) -> Iterator[Rows]:
    rows = iter(rows)
    while block := list(itertools.islice(rows, length)):
        yield np.array(block, dtype=np.int64)
