"""FeatureDisplay: the active features and, as arcs, which point is reflected across which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Units
from convexnn.network import Network
from convexnn.plotting._style import CYCLE, check_drawable, finish, input_names, palette, panels, vertices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
STYLES = ("-", "--", "-.", ":")
FLOOR = 0.34  # the part of the picture, from below, that the arcs have


@dataclass(frozen=True)
class FeatureCurve:
    """A feature, as arrays.

    Parameters
    ----------
    x, y : ndarray of shape (m,)
        The vertices of the feature times its coefficient.
    label : str
        Its name in the legend.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn.plotting import FeatureCurve
    >>> FeatureCurve(np.array([0.0, 1.0]), np.array([0.0, 2.0]), "2 times ramp").label
    '2 times ramp'
    """

    x: Array
    y: Array
    label: str


@dataclass(frozen=True)
class Reflection:
    """``image`` is ``source`` mirrored at ``mirror``: image = 2 mirror - source; a midpoint of two has itself as mirror.

    Parameters
    ----------
    source, mirror, image : float
        Places on the axis.

    Examples
    --------
    >>> from convexnn.plotting import Reflection
    >>> Reflection(source=0.0, mirror=1.0, image=2.0).image
    2.0
    """

    source: float
    mirror: float
    image: float


class FeatureDisplay:
    """The active features of one input, each times its coefficient, over arcs that show what is reflected across what.

    An arc goes from a training point to its image, above the mirror between them: the pictures of the features in *A
    Library of Mirrors* (arXiv 2403.01046), figures 1 and 2.

    Parameters
    ----------
    curves : sequence of FeatureCurve
        The features.
    reflections : sequence of Reflection
        The arcs.
    points : ndarray of shape (n,)
        The training points, drawn as ticks.
    x_name : str, default="x"
        The name of the axis.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.plotting import FeatureDisplay
    >>> model = ConvexNNRegressor(3, activation="abs", alpha=0.01).fit([[0], [1], [4]], [1, 0, 0])
    >>> display = FeatureDisplay.from_estimator(model)
    >>> [(arc.source, arc.mirror, arc.image) for arc in display.reflections]
    [(4.0, 0.0, -4.0), (4.0, 1.0, -2.0)]
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self, curves: Sequence[FeatureCurve], reflections: Sequence[Reflection], points: Array, x_name: str = "x"
    ):
        self.curves = list(curves)
        self.reflections = list(reflections)
        self.points = np.asarray(points, dtype=np.float64)
        self.x_name = x_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, feature: int = 0, most: int = 5, ax: Axes | None = None, x_name: str | None = None
    ) -> FeatureDisplay:
        """Draw the active features of a fitted estimator.

        Parameters
        ----------
        estimator : estimator of one network, of this package
            Fitted.
        feature : int, default=0
            The input.
        most : int, default=5
            The number of features to draw, those of largest coefficient.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        x_name : str, default=None
            The name of the input. By default that which the estimator knows.

        Returns
        -------
        FeatureDisplay
            The picture, drawn.
        """
        check_drawable(estimator)
        if not 0 <= feature < estimator.n_features_in_:
            raise ValueError(f"feature must be 0 to {estimator.n_features_in_ - 1}, got {feature!r}.")
        network = estimator.network_
        own = np.flatnonzero(network.inputs == feature)
        chosen = own[np.argsort(-np.abs(estimator.coef_[own]), kind="stable")[:most]]
        features = [estimator.features_[int(k)] for k in chosen]
        sources = [place for one in features for origin in one.sources for place in origin]
        points = _points(estimator, feature, sources)
        places = np.array([*points, *(place for one in features for place in one.breakpoints)])
        low, high = (places.min(), places.max()) if places.size else (0.0, 1.0)
        margin = 0.15 * (high - low) or 1.0
        curves = [
            _curve(network, int(k), one, float(estimator.coef_[k]), low - margin, high + margin)
            for k, one in zip(chosen, features, strict=True)
        ]
        arcs = dict.fromkeys(arc for one in features for arc in arcs_of(one))
        return cls(curves, list(arcs), points, x_name or input_names(estimator)[feature]).plot(ax)

    def plot(self, ax: Axes | None = None) -> FeatureDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.

        Returns
        -------
        FeatureDisplay
            Itself.
        """
        (self.ax_,) = panels(ax, 1)
        self.figure_ = self.ax_.figure
        colors = palette(self.ax_)
        for place, curve in enumerate(self.curves):
            style = STYLES[place // len(CYCLE) % len(STYLES)]
            self.ax_.plot(curve.x, curve.y, style, color=colors[CYCLE[place % len(CYCLE)]], linewidth=1.6, label=curve.label)
        heights = np.concatenate([curve.y for curve in self.curves]) if self.curves else np.zeros(1)
        low, high = float(heights.min()), float(heights.max())
        span = (high - low) or 1.0
        floor = FLOOR if self.reflections else 0.08
        self.ax_.set_ylim(low - span * floor / (1.0 - floor) - 0.05 * span, high + 0.08 * span)
        self._draw_arcs(colors)
        finish(self.ax_, self.x_name, "feature times coefficient", legend=False)
        # beside the picture, which has lines and arcs everywhere
        self.ax_.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        return self

    def _draw_arcs(self, colors: dict[str, str]) -> None:
        """Draw the training points as ticks, and the arcs above them; heights are parts of the picture."""
        across = self.ax_.get_xaxis_transform()
        base = 0.05
        self.ax_.plot(self.points, np.full(self.points.size, base), "|", color=colors["data"], transform=across,
                      markersize=9, label="training point")  # fmt: skip
        widest = max((abs(arc.image - arc.source) for arc in self.reflections), default=0.0) or 1.0
        angle = np.linspace(0.0, np.pi, 61)
        for number, arc in enumerate(self.reflections):
            half = 0.5 * (arc.image - arc.source)
            height = (FLOOR - 0.1) * (0.35 + 0.65 * abs(2.0 * half) / widest)
            middle = 0.5 * (arc.source + arc.image)
            self.ax_.plot(middle - half * np.cos(angle), base + height * np.sin(angle), color=colors["third"],
                          transform=across, linewidth=1.2, label="reflection" if number == 0 else None)  # fmt: skip
            self.ax_.plot([arc.mirror] * 2, [base, base + height], ":", color=colors["third"], transform=across, linewidth=1)
            self.ax_.plot([arc.image], [base], "D", color=colors["third"], transform=across, markersize=5)


def _points(estimator: Any, feature: int, sources: list[float]) -> Array:
    """Return the training points of an input; a model read from a file knows only those that its features are made of."""
    if estimator._training is not None:
        points = estimator._training.problem.data.axes[feature].origin
        if points.size <= 2000:
            return points
    return np.unique(np.array(sources, dtype=np.float64))


def _curve(network: Network, k: int, feature: Any, coef: float, low: float, high: float) -> FeatureCurve:
    """Return the part of the network that is unit k."""
    x = vertices(low, high, np.array(feature.breakpoints))
    units = Units(tuple(w[[k]] for w in network.units.weights), tuple(b[[k]] for b in network.units.biases))
    centers = None if network.centers is None else network.centers[[feature.input]]
    unit = replace(network, inputs=np.zeros(1, dtype=np.int64), units=units, outer=network.outer[[k]], n_features_in=1,
                   intercept=0.0, skip_coef=None, centers=centers)  # fmt: skip
    return FeatureCurve(x, unit(x[:, None]), f"{coef:.3g} times {feature.kind}")


def arcs_of(feature: Any) -> list[Reflection]:
    """Return an arc for every breakpoint of a feature that is a mirror image of a training point."""
    arcs = []
    for place, origin, sources in zip(feature.breakpoints, feature.origins, feature.sources, strict=True):
        if origin.startswith("reflection"):
            source, mirror = sources
            arcs.append(Reflection(source, mirror, place))
        elif feature.kind == "symmetrized ramp" and len(sources) == 3:
            # points i + j - k: point k mirrored at the middle of i and j
            arcs.append(Reflection(sources[2], 0.5 * (sources[0] + sources[1]), place))
    return arcs
