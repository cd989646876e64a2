"""One input's share of an additive fit: a spline, or a step function, on few of the points, and what it costs.

The unknowns are the values at the knots (of steps: the first points of the levels). With the signs of kinks (or jumps) known
the penalty is linear in the values: a kink at a knot costs a force times the change of slope there, and the curve
F(a) = sum_n lam_n max(x_n - a, 0) (of steps: the sum of lam from a on) has to meet the forces at the knots, to stay
between their bounds elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import EPSILON, Axis
from convexnn.dictionaries.base import Dictionary, Rows, SplineDictionary, SplineNorm, StepDictionary
from convexnn.dictionaries.sums import ramp_sums
from convexnn.solvers.solution import Spline

Array = NDArray[np.float64]
Places = NDArray[np.int64]
NEGLIGIBLE = 1e-13  # what a unit contributes, next to how far its function is from a line, which may be large and cancel


@dataclass(frozen=True)
class Kind:
    """What a block may be: a spline with this norm on these points, or (``norm`` is None) a step function.

    ``beta`` is the penalty; of a step function it is per unit of height, and its points are numbered.
    """

    axis: Axis
    points: Array
    beta: float
    norm: SplineNorm | None

    @property
    def coupled(self) -> bool:
        """Whether the outer slopes cost something."""
        return self.norm is not None and self.norm.coupled and self.points.size > 1

    @property
    def ends(self) -> bool:
        """Whether the first and the last point are knots always."""
        return self.norm is not None and not self.norm.flat

    def begin(self) -> Block:
        """Return the zero function."""
        size = self.points.size
        knots = np.unique([0, size - 1] if self.ends else [0])
        return Block(self, knots, np.zeros(knots.size), np.zeros(knots.size), 0.0)


def kind_of(axis: Axis, dictionary: Dictionary, beta: float) -> Kind:
    """Return the kind of block that an input contributes."""
    if isinstance(dictionary, StepDictionary):
        return Kind(axis, dictionary.points, beta / dictionary.height, None)
    assert isinstance(dictionary, SplineDictionary) and dictionary.spline_norm is not None
    return Kind(axis, axis.points, beta, dictionary.spline_norm)


@dataclass(frozen=True)
class Block:
    """Knots, the signs of their kinks (0: none), values there, and tau, which is zero where outer slopes cost nothing.

    R(f) = max over -1 <= tau <= 1 of (kink - |tau| (kink - 1/2)) TV(f') + tau (f'_first + f'_last) / 2.
    """

    kind: Kind
    knots: Places
    signs: Array
    values: Array
    tau: float

    def locate(self, points: Array) -> tuple[Places, Array]:
        """Return before which points the segments begin, and where in its segment, from 0 to 1, each of sorted points is.

        Beyond the knots there are points with flat tails only.
        """
        places = self.kind.points[self.knots]
        starts = np.searchsorted(points, places[: max(1, places.size - (self.kind.norm is not None))])
        starts[0] = 0
        if self.kind.norm is None or places.size == 1:
            return starts, np.zeros(points.size)
        sizes = np.diff(starts, append=points.size)
        t = (points - np.repeat(places[:-1], sizes)) / np.repeat(np.diff(places), sizes)
        return starts, np.clip(t, 0.0, 1.0, out=t)

    def spread(self, starts: Places, t: Array, values: Array) -> Array:
        """Return what values at the knots give at located points."""
        sizes = np.diff(starts, append=t.size)
        first = np.repeat(values[: starts.size], sizes)
        if values.size == starts.size:
            return first
        return first + np.repeat(np.diff(values), sizes) * t

    def collect(self, starts: Places, t: Array, at_points: Array) -> Array:
        """Apply the transpose of ``spread``; every segment has points."""
        total = np.add.reduceat(at_points, starts)
        if self.knots.size == starts.size:
            return total
        right = np.add.reduceat(at_points * t, starts)
        return np.append(total - right, 0.0) + np.append(0.0, right)

    def at(self, points: Array) -> Array:
        """Return the values at sorted points."""
        return self.spread(*self.locate(points), self.values)

    def slopes(self) -> Array:
        """Return the slopes between the knots."""
        return np.diff(self.values) / np.diff(self.kind.points[self.knots])

    def turns(self) -> Array:
        """Return what the forces act on: the change of slope at each knot, from zero and to zero; of steps the jumps."""
        if self.kind.norm is None:
            return np.diff(self.values, prepend=self.values[0])
        return np.diff(self.slopes(), prepend=0.0, append=0.0) if self.knots.size > 1 else np.zeros(1)

    def pull(self, forces: Array) -> Array:
        """Return the gradient of forces @ turns in the values."""
        if self.kind.norm is None:
            inner = forces.copy()
            inner[0] = 0.0
            return inner - np.append(inner[1:], 0.0)
        if self.knots.size == 1:
            return np.zeros(1)
        fall = -np.diff(forces) / np.diff(self.kind.points[self.knots])
        return np.append(0.0, fall) - np.append(fall, 0.0)

    def band(self) -> tuple[float, float]:
        """Return the middle and half the width of the band in which F must stay."""
        norm, beta = self.kind.norm, self.kind.beta
        if norm is None:
            return 0.0, beta
        return 0.5 * beta * self.tau, beta * (norm.kink - abs(self.tau) * (norm.kink - 0.5))

    def forces(self) -> Array:
        """Return F at the knots of a restricted optimum: its bound on the side of the kink, and the outer moments."""
        middle, half = self.band()
        forces = middle + half * self.signs
        if self.kind.ends:
            forces[0], forces[-1] = self.kind.beta * self.tau, 0.0
        return forces

    def lean(self, side: float) -> Array:
        """Return how the gradient of the penalty changes as tau grows on one side; with the values, beta times the excess.

        The excess is by how much the cost of the outer slopes exceeds what the kinks pay for: zero for 0 < |tau| < 1.
        """
        norm, beta = self.kind.norm, self.kind.beta
        assert norm is not None
        rates = beta * (0.5 * side - (norm.kink - 0.5) * self.signs)
        rates[0], rates[-1] = beta * side, 0.0
        return self.pull(rates)

    def penalty(self) -> float:
        """Return beta R(f)."""
        if self.kind.norm is None:
            return self.kind.beta * float(np.abs(self.turns()).sum())
        kink, turns = self.kind.norm.kink, self.turns()
        if not self.kind.coupled:
            kinks = turns[1:-1] if self.kind.ends else turns
            return self.kind.beta * kink * float(np.abs(kinks).sum())
        slopes, variation = self.slopes(), float(np.abs(turns[1:-1]).sum())
        return self.kind.beta * max(kink * variation, 0.5 * (variation + abs(float(slopes[0] + slopes[-1]))))

    def wrong(self, aim: Block) -> tuple[Array, Array]:
        """Return the kinks here and at the aim, in the direction of their signs; infinite where a knot has no sign."""
        now, then = self.signs * self.turns(), self.signs * aim.turns()
        free = self.signs == 0.0
        return np.where(free, np.inf, np.maximum(now, 0.0)), np.where(free, np.inf, then)

    def without(self, dropped: NDArray[np.bool_]) -> Block:
        """Return the block without the kinks of some knots, with the values that are left."""
        signs = np.where(dropped, 0.0, self.signs)
        kept = signs != 0.0
        if self.kind.ends:
            kept[[0, -1]] = True
        elif self.kind.norm is None or not kept.any():
            kept[0] = True
        return replace(self, knots=self.knots[kept], signs=signs[kept], values=self.values[kept])

    def including(self, places: Places, sides: Array) -> Block:
        """Return the same function with more knots, without a kink yet."""
        if places.size == 0:
            return self
        known, signs = self.knots, self.signs
        if not self.kind.ends and self.kind.norm is not None:
            known, signs = known[signs != 0.0], signs[signs != 0.0]  # the place of a constant is no knot
        knots = np.concatenate((known, places))
        order = np.argsort(knots, kind="stable")
        knots = knots[order]
        values = self.at(self.kind.points[knots])
        return replace(self, knots=knots, signs=np.concatenate((signs, sides))[order], values=values)

    def excursions(self, lam: Array, strongest: bool) -> tuple[Places, Array, Array]:
        """Return where F leaves its band, at which side, and by how much of its half width: a place an excursion.

        ``strongest`` asks for the farthest alone; where there are no kinks yet but tails must be flat, of each side.
        """
        from convexnn.kernels.sweeps import excursions

        kind, none = self.kind, (np.empty(0, np.int64), np.empty(0), np.empty(0))
        middle, half = self.band()
        if kind.points.size == 1:
            return none
        lam = kind.axis.scatter(lam)
        used = self.signs != 0.0
        if kind.norm is None:
            curve = np.append(0.0, np.cumsum(lam[:0:-1])[::-1])
        else:
            curve = ramp_sums(kind.points, lam)
            if kind.norm.flat:
                # only differences of F count: anchor it at the kinks, else centre it
                off = curve[self.knots[used]] - half * self.signs[used]
                middle = float(off.mean()) if off.size else 0.5 * float(curve.min() + curve.max())
            else:
                curve[[0, -1]] = middle
        curve = (curve - middle) / half
        curve[self.knots[used]] = np.clip(curve[self.knots[used]], -1.0, 1.0)
        places = excursions(curve, 1.0 + 1e-13)
        sides, peaks = np.sign(curve[places]), np.abs(curve[places]) - 1.0
        if strongest and places.size:
            kept = [int(np.argmax(peaks))]
            others = np.flatnonzero(sides == -sides[kept[0]])
            if kind.norm is not None and kind.norm.flat and not self.signs.any() and others.size:
                kept.append(int(others[np.argmax(peaks[others])]))
            places, sides, peaks = places[kept], sides[kept], peaks[kept]
        return places, sides, peaks


def represent(block: Block, dictionary: Dictionary) -> tuple[Rows, Array, float, Spline | None]:
    """Return features, coefficients and skip slope of least norm for a block; for splines also the one with end points."""
    points = block.kind.points
    if isinstance(dictionary, StepDictionary):
        return (*dictionary.represent(block.at(points)), 0.0, None)
    assert isinstance(dictionary, SplineDictionary)
    if points.size == 1:
        none = dictionary.price(np.zeros(1), 1.0, 0).features
        return none, np.empty(0), 0.0, Spline(block.knots.astype(np.int32), block.values, np.zeros(2))
    knots = np.union1d(block.knots, [0, points.size - 1]).astype(np.int32)
    values = block.at(points[knots])
    slopes = np.diff(values) / np.diff(points[knots])
    rows, z, skip = dictionary.represent(knots, slopes)
    left, right = dictionary.tails(slopes)
    # where outer slopes and kinks cost the same, and of a constant, rounding leaves a unit
    chord = np.interp(points[knots], points[[0, -1]], values[[0, -1]])
    rounding = 4.0 * EPSILON * max(1.0, np.abs(values).max())
    kept = np.abs(z) * (points[-1] - points[0]) > max(rounding, NEGLIGIBLE * np.abs(values - chord).max())
    rows, z = rows[kept], z[kept]
    return rows, z, skip, Spline(knots, values, np.concatenate(([left], slopes, [right])))
