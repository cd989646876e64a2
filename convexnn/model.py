"""From a solution in canonical units to what a user sees: network, piecewise form, features, in the units of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convexnn.architecture import Architecture
from convexnn.canonical import Axis
from convexnn.dictionaries.base import Dictionary, Rows
from convexnn.duality import Problem
from convexnn.extended import EXTENDED
from convexnn.network import Network, rebuild
from convexnn.piecewise import PiecewiseLinear, superpose
from convexnn.solvers.solution import Solution, Spline

Array = NDArray[np.float64]
CANCELLED = 2.0**20  # functions so many times their sum and the targets


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
        The signs of the inner weights, first layer first; 0 where a neuron has no such weight.
    origins : tuple of str
        For each breakpoint what it is: "training point", "reflection of a across b", "midpoint of a and b" (a and b
        training points), or "composite of ...", made of these training points in another way.
    sources : tuple of tuple of float
        For each breakpoint the training points that its origin names.
    """

    kind: str
    input: int
    breakpoints: tuple[float, ...]
    signs: tuple[int, ...]
    origins: tuple[str, ...]
    sources: tuple[tuple[float, ...], ...]


class FeatureList(Sequence):
    """The active features, made one by one when they are looked at: a fit may have a million.

    In the order of ``coef_``.
    """

    def __init__(self, problem: Problem, rows: tuple[Rows, ...]):
        self._axes, self._dictionaries, self._rows = problem.data.axes, problem.units, rows
        self._starts = np.concatenate(([0], np.cumsum([len(part) for part in rows])))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        j = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = self._rows[j][index - self._starts[j]][None]
        dictionary, axis = self._dictionaries[j], self._axes[j]
        breakpoints = breakpoints_of(dictionary, row, axis)[0]
        # a feature may say one breakpoint twice, where two of its biases fall together
        kept = np.concatenate(([True], np.diff(breakpoints) > 0.0))
        made = [(kind, axis.origin[list(places)]) for kind, places in dictionary.origins(row)[0]]
        made = [one for one, keep in zip(made, kept, strict=True) if keep]
        signs = np.concatenate([np.sign(weights).ravel() for weights in dictionary.units(row).weights])
        return Feature(
            dictionary.kind,
            j,
            tuple(breakpoints[kept].tolist()),
            tuple(signs.astype(int).tolist()),
            tuple(_phrase(*one) for one in made),
            tuple(tuple(points.tolist()) for _, points in made),
        )

    def __iter__(self) -> Iterator[Feature]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} features of kind {self._dictionaries[0].kind!r}>"


def breakpoints_of(dictionary: Dictionary, features: Rows, axis: Axis) -> Array:
    """Return the breakpoints of features, in the units of the input."""
    if dictionary.homogeneous:
        return axis.place(dictionary.pieces(features).breakpoints)
    return dictionary.pieces(features, axis.origin).breakpoints


def _phrase(kind: str, points: Array) -> str:
    values = [f"{point:.6g}" for point in points]
    if kind == "data":
        return "training point"
    if kind == "reflection":
        return f"reflection of {values[0]} across {values[1]}"
    return f"{kind} of {' and '.join(values)}"


@dataclass(frozen=True)
class Model:
    """A fitted function: ``offset + sum_j pieces[j](x_j)``, and the network that computes it."""

    network: Network
    pieces: list[PiecewiseLinear]
    offset: float
    coef: Array
    features: Sequence[Feature]

    @property
    def skip_coef(self) -> Array:
        """The skip connection, zeros without one."""
        skip = self.network.skip_coef
        return np.zeros(self.network.n_features_in) if skip is None else skip

    @property
    def unrounded(self) -> Sequence[PiecewiseLinear]:
        """The functions of the inputs, in extended precision where they are known in it."""
        return self.pieces

    @property
    def scale(self) -> float:
        """The size of the targets, if it is known."""
        return np.inf

    def predict(self, X: Array) -> Array:
        """Return the function at validated X of shape (n_samples, n_features_in)."""
        return self.evaluate(list(X.T), self.offset)

    def evaluate(self, columns: Sequence[Array], offset: float) -> Array:
        """Return the sum of the functions of all inputs, and an offset; where they cancel, in extended precision.

        That is where they are far larger than targets, which happens where inputs are far closer than their range.
        """
        out = self.pieces[0](columns[0])
        sizes = np.abs(out) if len(columns) > 1 else out
        out += offset
        for f, x in zip(self.pieces[1:], columns[1:], strict=True):
            part = f(x)
            out += part
            sizes += np.abs(part, out=part)
        if len(columns) > 1:
            rows = np.flatnonzero(sizes > CANCELLED * np.maximum(np.abs(out), self.scale))
            if rows.size:
                parts = (f.extended(x[rows]) for f, x in zip(self.unrounded, columns, strict=True))
                out[rows] = sum(parts, np.full(rows.size, offset, EXTENDED))
        return out


class SolvedModel(Model):
    """The model of a solution, each part made when it is asked for: of a million units nobody may look at the weights."""

    _problem: Problem
    _solution: Solution
    _spec: Architecture

    def __init__(self, problem: Problem, solution: Solution, spec: Architecture):
        vars(self).update(_problem=problem, _solution=solution, _spec=spec)

    @cached_property
    def _coef(self) -> list[Array]:
        """The coefficients of each input."""
        data, homogeneous = self._problem.data, self._spec.homogeneous
        scales = [data.y_scale / (axis.scale if homogeneous else 1.0) for axis in data.axes]
        return [z * scale for z, scale in zip(self._solution.coef, scales, strict=True)]

    @cached_property
    def coef(self) -> Array:
        """The coefficients of the active features."""
        return np.concatenate(self._coef)

    @cached_property
    def features(self) -> FeatureList:
        """The active features."""
        return FeatureList(self._problem, self._solution.features)

    @cached_property
    def _slopes(self) -> Array:
        """The slopes of the skip connection."""
        data = self._problem.data
        return self._solution.skip * np.array([data.y_scale / axis.scale for axis in data.axes])

    @property
    def scale(self) -> float:
        """The size of the targets."""
        return self._problem.data.y_scale

    @cached_property
    def offset(self) -> float:
        """The constant beside the pieces."""
        data = self._problem.data
        return data.y_center if self._solution.knows_values else data.y_center + data.y_scale * self._solution.intercept

    @cached_property
    def pieces(self) -> list[PiecewiseLinear]:
        """The function of each input."""
        data, solution = self._problem.data, self._solution
        if solution.splines is not None:
            return [_from_spline(f, axis, data.y_scale) for f, axis in zip(solution.splines, data.axes, strict=True)]
        pieces = [f.rounded() for f in self.unrounded]
        if solution.levels is not None:
            return [replace(pieces[0], values=solution.levels * data.y_scale)]
        return pieces

    @property
    def unrounded(self) -> list[PiecewiseLinear]:
        """The function of each input, in extended precision unless it is a spline of doubles."""
        if self._solution.splines is not None:
            return self.pieces
        functions = list(self._functions())
        if len(functions) == 1:
            return functions
        return [f.anchored(axis.origin) for f, axis in zip(functions, self._problem.data.axes, strict=True)]

    def _functions(self) -> Iterator[PiecewiseLinear]:
        """Yield the function of each input, in extended precision."""
        data, solution = self._problem.data, self._solution
        inputs = zip(data.axes, self._problem.units, solution.features, strict=True)
        for j, (axis, dictionary, features) in enumerate(inputs):
            if self._spec.homogeneous:
                f = superpose(dictionary.pieces(features), solution.coef[j], float(solution.skip[j]), 0.0)
                yield _in_units(f, axis, data.y_scale)
            else:  # steps tell inputs apart that centring makes equal
                pieces = dictionary.pieces(features, axis.origin)
                yield superpose(pieces, self._coef[j], float(self._slopes[j]), axis.center)

    @cached_property
    def network(self) -> Network:
        """The network."""
        data, solution, spec = self._problem.data, self._solution, self._spec
        inputs = zip(data.axes, self._problem.units, solution.features, strict=True)
        units = tuple(
            dictionary.units(features, axis.points * axis.scale if spec.homogeneous else axis.origin)
            for axis, dictionary, features in inputs
        )
        joined, outer, owners = rebuild(units, tuple(self._coef), spec.activation)
        intercept = data.y_center + data.y_scale * solution.intercept
        skip = self._slopes if spec.skip_connection else None
        centers = np.array([axis.center for axis in data.axes])
        return Network(
            spec.activation, spec.negative_slope, len(data.axes), owners, joined, outer, intercept, skip, centers
        )


def build_model(problem: Problem, solution: Solution, spec: Architecture) -> Model:
    """Map a solution back to the units of the data and rebuild the network."""
    return SolvedModel(problem, solution, spec)


def _from_spline(spline: Spline, axis: Axis, y_scale: float) -> PiecewiseLinear:
    """Map a spline to the units of the data."""
    knots, values = axis.origin[spline.knots], spline.values * y_scale
    slopes = spline.slopes * (y_scale / axis.scale)
    pieces = np.concatenate(([True], slopes[1:] != slopes[:-1]))
    anchors, values = np.concatenate((knots[:1], knots)), np.concatenate((values[:1], values))
    return PiecewiseLinear(knots[pieces[1:]], anchors[pieces], values[pieces], slopes[pieces])


def _in_units(f: PiecewiseLinear, axis: Axis, y_scale: float) -> PiecewiseLinear:
    """Map a continuous function of canonical places to the units of the data, the same at every double.

    A breakpoint that is no double, such as a midpoint, moves up to the next one, and the values there are those of the
    pieces, so that neither an offset of the inputs nor the move changes a prediction.
    """
    anchors = axis.place(f.anchors)
    moved = (anchors - axis.center) / axis.scale - f.anchors
    values, slopes = (f.values + f.slopes * moved) * y_scale, f.slopes * (y_scale / axis.scale)
    breakpoints = anchors[1:]
    # between breakpoints that fall together there is no double
    kept = np.concatenate((breakpoints[1:] > breakpoints[:-1], [True])) if breakpoints.size else np.empty(0, bool)
    pieces = np.concatenate(([True], kept))
    return PiecewiseLinear(breakpoints[kept], anchors[pieces], values[pieces], slopes[pieces])
