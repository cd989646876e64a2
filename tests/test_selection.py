"""Batches that are spread over a dictionary: local extremes first, then what is left by size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexnn.dictionaries.selection import extrema, peaks, spread

LEVELS = st.lists(st.integers(-3, 3), min_size=1, max_size=9).map(lambda values: np.array(values, dtype=float))


@given(LEVELS)
def test_peaks(values):
    last = len(values) - 1
    for n, peak in enumerate(peaks(values)):
        rises = n == 0 or values[n] > values[n - 1]
        assert peak == (rises and (n == last or values[n] >= values[n + 1]))


@given(LEVELS)
def test_extrema(values):
    """Left out are places where the values go up all the way, or down."""
    monotone = [n for n in range(1, len(values) - 1) if (values[n] - values[n - 1]) * (values[n + 1] - values[n]) > 0]
    assert extrema(values).tolist() == [n for n in range(len(values)) if n not in monotone]


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
@given(families=st.lists(LEVELS, min_size=1, max_size=3), bound=st.sampled_from([0.0, 1.0, 2.0]))
def test_spread(limit, families, bound):
    size = {(f, n): abs(v) for f, values in enumerate(families) for n, v in enumerate(values)}
    crest = {(f, n) for f, values in enumerate(families) for n in np.flatnonzero(peaks(np.abs(values)))}
    above = [pair for pair in size if size[pair] > bound]
    chosen = spread(families, bound, limit)
    assert len(chosen) == len(set(chosen)) == min(limit, len(above)) and set(chosen) <= set(above)
    assert [size[pair] for pair in chosen] == sorted((size[pair] for pair in chosen), reverse=True)
    left = [pair for pair in above if pair not in chosen]
    for taken in chosen:  # a peak is not left out for what is none, nor more for less
        assert not any((other in crest, size[other]) > (taken in crest, size[taken]) for other in left)
