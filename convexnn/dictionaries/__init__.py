"""The dictionaries, one family a file, and the one table that says which architecture has which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexnn.activations import STEPS, negative_part_slope
from convexnn.architecture import Architecture, Shape
from convexnn.dictionaries.base import Array, Atoms, Dictionary, SplineDictionary


def build_dictionary(
    spec: Architecture, points: Array, *, skip: bool, candidates: NDArray[np.int64] | None = None
) -> Dictionary:
    """Return the dictionary of one input with these sorted distinct points.

    Steps know the order of the points only: theirs are numbered, so that no gap is too small for them. ``skip`` says
    whether lines in this input are free, ``candidates`` are the places that may carry biases, by default those that
    ``max_breakpoints`` leaves.
    """
    if candidates is None:
        candidates = default_candidates(spec, points)
    if spec.activation in STEPS:
        return _steps(spec, np.arange(float(points.size)), candidates)
    if spec.depth == 2:
        from convexnn.dictionaries.ramps import Ramps

        slope = negative_part_slope(spec.activation, spec.negative_slope)
        return Ramps(points, slope=slope, skip=skip)
    if spec.architecture == "symmetrized":
        from convexnn.dictionaries.symmetrized import Symmetrized

        return Symmetrized(points, skip=skip, candidates=candidates)
    if spec.activation == "abs":
        return _reflections(spec, points, candidates)
    if spec.activation == "leaky_relu" and spec.negative_slope > 0.0:
        from convexnn.dictionaries.monotone import MonotoneRamps

        return MonotoneRamps(points, depth=spec.depth, slope=spec.negative_slope, candidates=candidates)
    from convexnn.dictionaries.capped import CappedRamps

    return CappedRamps(points, depth=spec.depth, skip=skip, candidates=candidates)


def constrain(dictionary: Dictionary, shape: Shape) -> Atoms:
    """Return what non-negative weights may combine under a shape constraint.

    That is the dictionary itself without a constraint, and where there is but one point, which has no slopes.
    """
    if shape.free or dictionary.points.size == 1:
        return dictionary
    from convexnn.dictionaries.shapes import Shapes

    assert isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None
    return Shapes(dictionary.points, norm=dictionary.spline_norm, shape=shape)


def _steps(spec: Architecture, points: Array, candidates: NDArray[np.int64] | None) -> Dictionary:
    low = -1.0 if spec.activation == "sign" else 0.0
    if spec.depth == 2:
        from convexnn.dictionaries.steps import Steps

        return Steps(points, low=low)
    from convexnn.dictionaries.switches import Switches

    return Switches(points, widths=spec.widths(), low=low, candidates=candidates)


def _reflections(spec: Architecture, points: Array, candidates: NDArray[np.int64] | None) -> Dictionary:
    if spec.depth == 3:
        from convexnn.dictionaries.reflections import Reflections3

        return Reflections3(points, midpoints=spec.dictionary != "data", candidates=candidates)
    if spec.depth == 4 and spec.dictionary != "data":
        from convexnn.dictionaries.reflections4 import Reflections4

        return Reflections4(points, candidates=candidates)
    from convexnn.dictionaries.deep_reflections import DeepReflections

    return DeepReflections(points, depth=spec.depth, midpoints=spec.dictionary != "data", candidates=candidates)


def default_candidates(spec: Architecture, points: Array) -> NDArray[np.int64] | None:
    """Return ``max_breakpoints`` of the places for biases, evenly over the quantiles of the points; None for all.

    Places are points, for steps the gaps after them.
    """
    size, most = points.size - (spec.activation in STEPS), spec.max_breakpoints
    if most is None or most >= size:
        return None
    return np.unique(np.round(np.linspace(0, size - 1, most)).astype(np.int64))
