"""From a solution in canonical units to what a user sees: network, piecewise form, features, in the units of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexnn.architecture import Architecture
from convexnn.canonical import Axis
from convexnn.dictionaries.base import Rows
from convexnn.duality import Problem
from convexnn.network import Network, rebuild
from convexnn.piecewise import PiecewiseLinear, superpose
from convexnn.solvers.solution import Solution, Spline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """An active feature: a function of one input, z times which is part of the fit.

    Attributes
    ----------
    kind : str
        The family of the feature, for example "ramp" or "step".
    input : int
        The input feature that it reads.
    breakpoints : tuple of float
        Where its slope or value changes, in the units of the input.
    signs : tuple of int
        The signs of the inner weights, first layer first.
    """

    kind: str
    input: int
    breakpoints: tuple[float, ...]
    signs: tuple[int, ...]


class FeatureList(Sequence):
    """The active features, made one by one when they are looked at: a fit may have a million.

    In the order of ``coef_``.
    """

    def __init__(self, kind: str, inputs: NDArray[np.int64], breakpoints: list[Array], signs: list[NDArray[np.int64]]):
        self._kind, self._inputs, self._breakpoints, self._signs = kind, inputs, breakpoints, signs
        self._starts = np.concatenate(([0], np.cumsum([len(rows) for rows in breakpoints])))

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        j = self._inputs[index]
        row = index - self._starts[j]
        breakpoints = tuple(self._breakpoints[j][row].tolist())
        return Feature(self._kind, int(j), breakpoints, tuple(self._signs[j][row].tolist()))

    def __iter__(self) -> Iterator[Feature]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} features of kind {self._kind!r}>"


@dataclass(frozen=True)
class Model:
    """A fitted function: ``offset + sum_j pieces[j](x_j)``, and the network that computes it."""

    network: Network
    pieces: list[PiecewiseLinear]
    offset: float
    coef: Array
    features: FeatureList


def build_model(problem: Problem, solution: Solution, spec: Architecture) -> Model:
    """Map a solution back to the units of the data and rebuild the network."""
    data = problem.data
    coef, units = [], []
    for axis, dictionary, features, z in zip(
        data.axes, problem.dictionaries, solution.features, solution.coef, strict=True
    ):
        coef.append(z * (data.y_scale / (axis.scale if spec.homogeneous else 1.0)))
        units.append(dictionary.units(features, axis.origin))
    slopes = solution.skip * np.array([data.y_scale / axis.scale for axis in data.axes])
    center = np.array([axis.center for axis in data.axes])
    offset = data.y_center + data.y_scale * solution.intercept
    joined, outer, inputs = rebuild(tuple(units), tuple(coef), spec.activation)
    network = Network(
        spec.activation,
        spec.negative_slope,
        len(data.axes),
        inputs,
        joined,
        outer,
        offset - float(np.dot(slopes, center)),
        slopes if spec.skip_connection else None,
    )
    listed = list_features(problem, solution.features)
    if solution.splines is not None:
        pieces = [_from_spline(spline, axis, data.y_scale) for spline, axis in zip(solution.splines, data.axes, strict=True)]
        return Model(network, pieces, data.y_center, np.concatenate(coef), listed)
    pieces = [
        superpose(dictionary.pieces(features, axis.origin), z, slope, axis.center)
        for axis, dictionary, features, z, slope in zip(
            data.axes, problem.dictionaries, solution.features, coef, slopes, strict=True
        )
    ]
    return Model(network, pieces, offset, np.concatenate(coef), listed)


def list_features(problem: Problem, features: tuple[Rows, ...]) -> FeatureList:
    """Describe features of all inputs, in the units of the data."""
    breakpoints, signs = [], []
    for axis, dictionary, rows in zip(problem.data.axes, problem.dictionaries, features, strict=True):
        breakpoints.append(dictionary.pieces(rows, axis.origin).breakpoints)
        layers = dictionary.units(rows).weights
        signs.append(np.column_stack([np.sign(w).reshape(len(rows), w[0].size if len(w) else 1) for w in layers]))
    inputs = np.repeat(np.arange(len(features)), [len(rows) for rows in features])
    return FeatureList(problem.dictionaries[0].kind, inputs, breakpoints, [s.astype(np.int64) for s in signs])


def _from_spline(spline: Spline, axis: Axis, y_scale: float) -> PiecewiseLinear:
    """Map a spline to the units of the data."""
    knots, values = axis.origin[spline.knots], spline.values * y_scale
    slopes = spline.slopes * (y_scale / axis.scale)
    pieces = np.concatenate(([True], slopes[1:] != slopes[:-1]))
    anchors, values = np.concatenate((knots[:1], knots)), np.concatenate((values[:1], values))
    return PiecewiseLinear(knots[pieces[1:]], anchors[pieces], values[pieces], slopes[pieces])
