"""CertificateDisplay: the correlations of the residuals with features over their biases, against the bound beta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convexnn.certificate import certified_point
from convexnn.dictionaries.base import Rows
from convexnn.model import Model, breakpoints_of
from convexnn.plotting._style import CYCLE, check_drawable, finish, input_names, palette, panels
from convexnn.training import Training

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CorrelationCurve:
    """The correlations of features with a dual point, as arrays.

    Parameters
    ----------
    biases : ndarray of shape (m,)
        The first breakpoint of each feature.
    correlations : ndarray of shape (m,)
        ``lam @ g`` for each.
    label : str
        What the features are.
    connected : bool
        Whether these are all features of one bias each, so that a line through them means something.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn.plotting import CorrelationCurve
    >>> CorrelationCurve(np.array([0.0, 1.0]), np.array([0.5, -0.5]), "ramps", True).biases.size
    2
    """

    biases: Array
    correlations: Array
    label: str
    connected: bool


class CertificateDisplay:
    """The certificate of one input: no feature correlates with the dual point by more than beta; active ones by just that.

    Parameters
    ----------
    curves : sequence of CorrelationCurve
        The correlations.
    active : CorrelationCurve or None
        Those of the active features.
    beta : float
        The bound.
    x_name : str, default="x"
        The name of the axis.
    title : str, default=""
        What the certificate says.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> from convexnn.plotting import CertificateDisplay
    >>> model = ConvexNNRegressor(alpha=1.0).fit(*load_mcycle(return_X_y=True))
    >>> display = CertificateDisplay.from_estimator(model)
    >>> bool(max(abs(curve.correlations).max() for curve in display.curves) <= display.beta * (1 + 1e-6))
    True
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        curves: Sequence[CorrelationCurve],
        active: CorrelationCurve | None,
        beta: float,
        *,
        x_name: str = "x",
        title: str = "",
    ):
        self.curves = list(curves)
        self.active = active
        self.beta = beta
        self.x_name = x_name
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, feature: int = 0, ax: Axes | None = None, x_name: str | None = None
    ) -> CertificateDisplay:
        """Draw the certificate of a fitted estimator.

        At depth 2 every feature is drawn, as a curve over its bias; of deeper dictionaries, too large to draw, a sample of
        several hundred of the strongest, spread over the biases. The largest correlation in the title is over all of them.

        Parameters
        ----------
        estimator : estimator of one network, of this package
            Fitted, and not read from a file.
        feature : int, default=0
            The input.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        x_name : str, default=None
            The name of the input. By default that which the estimator knows.

        Returns
        -------
        CertificateDisplay
            The picture, drawn.
        """
        check_drawable(estimator)
        training = estimator._trained_once()
        if not 0 <= feature < estimator.n_features_in_:
            raise ValueError(f"feature must be 0 to {estimator.n_features_in_ - 1}, got {feature!r}.")
        curves, active, largest, beta = correlation_curves(training, estimator._model, feature)
        title = f"largest correlation {largest / (beta or 1.0):.6g} β, relative gap {estimator.dual_gap_:.1e}"
        return cls(
            curves, active, beta, x_name=f"bias on {x_name or input_names(estimator)[feature]}", title=title
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> CertificateDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.

        Returns
        -------
        CertificateDisplay
            Itself.
        """
        (self.ax_,) = panels(ax, 1)
        self.figure_ = self.ax_.figure
        colors = palette(self.ax_)
        self.ax_.axhspan(-self.beta, self.beta, color=colors["data"], alpha=0.15, linewidth=0)
        for place, bound in enumerate((self.beta, -self.beta)):
            self.ax_.axhline(bound, color=colors["data"], linewidth=1.0, label=None if place else "± β")
        for place, curve in enumerate(self.curves):
            style = ("-", "--")[place % 2] if curve.connected else "."
            self.ax_.plot(curve.biases, curve.correlations, style, color=colors[CYCLE[0] if place == 0 else CYCLE[2]],
                          markersize=4, linewidth=1.5, label=curve.label)  # fmt: skip
        if self.active is not None:
            self.ax_.plot(
                self.active.biases, self.active.correlations, "o", color=colors["first"], markersize=5, markeredgewidth=0.5,
                markeredgecolor=self.ax_.get_facecolor(), label=self.active.label,
            )  # fmt: skip
        self.ax_.set_title(self.title, fontsize="medium")
        finish(self.ax_, self.x_name, "λᵀg, correlation with the dual point", legend=False)
        top = max([self.beta, *(float(np.abs(curve.correlations).max(initial=0.0)) for curve in self.curves)]) or 1.0
        self.ax_.set_ylim(-1.15 * top, 1.5 * top)  # room for the legend above the band
        self.ax_.legend(frameon=False, loc="upper center", ncols=4, fontsize="small")
        return self


def correlation_curves(
    training: Training, model: Model, feature: int
) -> tuple[list[CorrelationCurve], CorrelationCurve | None, float, float]:
    """Return the correlations of one input's features, those of the active ones, the largest of all inputs, and beta."""
    problem, data = training.problem, training.problem.data
    if problem.network is not None:
        raise ValueError("Correlations are not drawn for fits under a shape constraint, which does not bound them by beta")
    gap, lam = certified_point(training, model)
    axis, dictionary, bound = data.axes[feature], problem.units[feature], float(problem.betas[feature])
    lam = axis.scatter(lam)
    beta = training.alpha * float(data.w.sum()) * data.w_scale
    unit = beta / bound if bound else 1.0  # from canonical units

    def curve(label: str, rows: Rows, correlations: Array, connected: bool) -> CorrelationCurve:
        biases = breakpoints_of(dictionary, rows, axis)[:, 0]
        order = np.argsort(biases, kind="stable")
        once = connected and bool((np.diff(biases[order]) > 0).all())
        return CorrelationCurve(biases[order], unit * correlations[order], label, once)

    curves = [curve(label, rows, found, True) for label, rows, found in dictionary.profile(lam) if len(rows)]
    rows = training.solution.features[feature]
    active = None
    if len(rows):
        active = curve("active features", rows, lam @ dictionary.evaluate(rows, dictionary.points), False)
    return curves, active, gap.violations.maximum * beta, beta
