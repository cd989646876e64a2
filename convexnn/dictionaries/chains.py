"""Splitting a function of bounded falls into two-valued ones: the norm of a bounded number of switches, attained."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Masses below this part of the height are rounding.
NOTHING = 1e-14


def split(levels: Array, height: float, switches: int) -> tuple[list[list[int]], list[float]]:
    """Write 0 <= levels <= height, up to a constant, as a sum of units that start at 0 and are then 0 or their mass.

    If the falls of ``levels`` add up to at most floor(switches / 2) * height, the last one to zero included if ``switches``
    is even, no unit switches more often than ``switches`` times; what rounding leaves over is left out. Every step moves
    the units that have fallen least, so that numbers of falls never differ by more than one: a unit that is high with c
    falls rose when no low unit had fewer, and one that falls is a least one of the high ones.

    Returns
    -------
    rows : list of list of int
        For each unit the places i whose level differs from that of i - 1; 0 first where it is high from the start.
    masses : list of float
        There are at most as many units as steps.
    """
    budget, last = switches // 2, 1 - switches % 2
    rows: list[list[int]] = [[]]
    masses = [height]
    pools: tuple[list[tuple[int, int]], ...] = ([(0, 0)], [])  # the low and the high units: (falls, unit)
    steps = np.diff(levels, prepend=0.0)
    for place in np.flatnonzero(steps).tolist():
        rest, rising = abs(float(steps[place])), bool(steps[place] > 0.0)
        source, target = pools if rising else pools[::-1]
        most = budget - last if rising else budget - 1
        while rest > NOTHING * height and source and source[0][0] <= most:
            falls, unit = heappop(source)
            if masses[unit] > rest + NOTHING * height:
                heappush(source, (falls, len(rows)))
                rows.append(rows[unit].copy())
                masses.append(masses[unit] - rest)
                masses[unit] = rest
            rest -= masses[unit]
            rows[unit].append(place)
            heappush(target, (falls + (not rising), unit))
    used = [k for k, row in enumerate(rows) if row and row != [0]]
    return [rows[k] for k in used], [masses[k] for k in used]


def layers(levels: Array) -> tuple[list[list[int]], list[float]]:
    """Write levels, up to a constant, as a sum of units with any number of switches, whose masses add up to the range.

    Few levels are stacked; many are written in binary, which takes 53 units however many they are.
    """
    height = float(np.ptp(levels))
    values = np.unique(levels)
    if values.size <= 53:
        masses = np.diff(values)
        patterns = levels > values[:-1, None]
    else:
        masses = np.append(0.5 ** np.arange(1, 53), 0.5**52) * height
        rest = (levels - values[0]) / height
        patterns = np.empty((masses.size, levels.size), dtype=bool)
        for k in range(masses.size):
            patterns[k] = rest >= 0.5
            rest = 2.0 * rest - patterns[k]
    rows = [np.flatnonzero(np.diff(pattern, prepend=False)).tolist() for pattern in patterns]
    return rows, masses.tolist()
