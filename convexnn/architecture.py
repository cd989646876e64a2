"""Which network is meant, and whether the parameters that say so have a meaning together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

from convexnn.activations import PIECEWISE_LINEAR, STEPS


@dataclass(frozen=True)
class Shape:
    """What the fit must be in an input, on the range of the data: +1 rising or convex, -1 falling or concave, 0 anything."""

    monotonic: int = 0
    convexity: int = 0

    @property
    def free(self) -> bool:
        """Whether nothing is asked for."""
        return self.monotonic == 0 and self.convexity == 0


@dataclass(frozen=True)
class Architecture:
    """The shape of a parallel network, as the estimators' parameters of the same names describe it.

    Raises
    ------
    ValueError
        If no network of this description exists or can be trained, naming the parameter.
    """

    depth: int = 2
    activation: str = "relu"
    architecture: str = "narrow"
    width: object = None
    negative_slope: float = 0.01
    skip_connection: bool = False
    dictionary: str = "auto"
    max_breakpoints: int | None = None
    shapes: tuple[Shape, ...] = ()

    def __post_init__(self) -> None:
        self._check_shapes()
        if self.depth == 2:
            if self.max_breakpoints is not None:
                raise ValueError("max_breakpoints has no use at depth=2, where all breakpoints cost O(N); leave it None")
            return
        if self.architecture in ("parallel", "tree") and self.activation not in STEPS:
            raise ValueError(
                f"architecture={self.architecture!r} beyond depth=2 needs activation='sign' or 'threshold', got "
                f"{self.activation!r}; use architecture='narrow'"
            )
        if self.architecture == "symmetrized" and (self.activation != "relu" or self.depth != 3):
            raise ValueError(
                f"architecture='symmetrized' needs activation='relu' and depth=2 or 3, got activation="
                f"{self.activation!r} and depth={self.depth}"
            )
        if self.architecture == "tree" and self.depth == 3:
            raise ValueError("architecture='tree' needs depth >= 4; at depth=3 use architecture='parallel'")
        if self.dictionary == "exact" and self.activation == "abs" and self.depth > 4:
            raise ValueError(
                f"dictionary='exact' with activation='abs' is known for depth <= 4 only, got depth={self.depth}; use 'auto'"
            )
        if self.activation in STEPS:
            self.widths()

    def _check_shapes(self) -> None:
        """Refuse shape constraints on a network whose constrained problem is not known to be solved exactly."""
        asked = [
            name
            for name, values in (
                ("monotonic_cst", [shape.monotonic for shape in self.shapes]),
                ("convexity_cst", [shape.convexity for shape in self.shapes]),
            )
            if any(values)
        ]
        if not asked:
            return
        if self.activation != "relu" and (self.activation != "abs" or self.depth > 2):
            raise ValueError(
                f"{asked[0]} needs activation='relu', or 'abs' at depth=2, got {self.activation!r} at depth={self.depth}"
            )
        if self.max_breakpoints is not None:
            raise ValueError(f"{asked[0]} and max_breakpoints cannot be combined; leave max_breakpoints None")
        if self.skip_connection and (self.depth > 2 or asked[0] == "monotonic_cst"):
            raise ValueError(
                f"{asked[0]} cannot be combined with skip_connection=True"
                + (" beyond depth=2" if asked[0] == "convexity_cst" else ", whose slope is free to have either sign")
            )

    @property
    def homogeneous(self) -> bool:
        """Whether units scale with their inputs."""
        return self.activation in PIECEWISE_LINEAR

    @property
    def unit_slope(self) -> float:
        """The steepest slope that a unit of coefficient one can have."""
        if not self.homogeneous:
            return math.inf
        # slope 2 before the scaling that makes the penalty that of the Lasso
        return 2.0 ** (1.0 / 3.0) if self.architecture == "symmetrized" and self.depth > 2 else 1.0

    @property
    def unit_variation(self) -> tuple[int, int]:
        """The most that the sizes of a unit's slopes, and of their jumps, add up to, over ``unit_slope``."""
        if self.activation == "relu":
            if self.depth == 2:
                return 1, 1
            # a ramp; the symmetrised one is the sum of two, cut off at its zeros, of which there are three at most
            return (6, 4) if self.architecture == "symmetrized" else (1, 2)
        if self.activation == "leaky_relu":
            return self.depth, self.depth - 1
        return 2 ** (self.depth - 1), 2**self.depth - 2

    def widths(self) -> tuple[int, ...]:
        """Return the widths m_1, ..., m_{L-2} of a unit of sign or threshold neurons; (1, ..., 1) where it is narrow."""
        layers = self.depth - 2
        if self.architecture == "parallel":
            if not isinstance(self.width, Integral):
                raise ValueError(f"width must be an int for architecture='parallel', got {self.width!r}")
            return (int(self.width), *(1,) * (layers - 1))
        if self.architecture == "tree":
            widths = self.width
            if not isinstance(widths, (tuple, list)) or not all(isinstance(m, Integral) and int(m) > 0 for m in widths):
                raise ValueError(f"width must be a tuple of positive ints for architecture='tree', got {widths!r}")
            if len(widths) != layers:
                raise ValueError(f"width must hold depth - 2 = {layers} numbers for architecture='tree', got {widths!r}")
            return tuple(int(m) for m in widths)
        return (1,) * layers
