"""FitDisplay: data, fitted function, and breakpoints marked by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from convexnn.plotting._style import check_drawable, finish, input_names, name_of, palette, panels, vertices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
# how each kind of breakpoint is drawn: marker and colour differ
MARKS = {
    "training point": ("o", "first"),
    "reflection": ("D", "third"),
    "midpoint": ("s", "second"),
    "composite": ("^", "other"),
    "breakpoint": ("o", "first"),
}
MOST_FEATURES = 5000  # of more than these nobody can see the kinds of breakpoints


@dataclass(frozen=True)
class FitPanel:
    """The picture of one input, as arrays.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        The data.
    line_x, line_y : ndarray of shape (m,)
        The vertices of the fitted function, in order.
    breakpoints, values : ndarray of shape (k,)
        Its breakpoints, and the function there.
    kinds : tuple of str of length k
        What each is: "training point", "reflection", "midpoint", "composite", or "breakpoint" where it is not known.
    x_name, y_name : str
        The names of the axes.
    band : tuple of ndarray of shape (m,), default=None
        The lower and the upper bound of a band at ``line_x``.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn.plotting import FitDisplay, FitPanel
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> panel = FitPanel(x, np.array([0.1, 0.9, 2.1]), x, x, x[1:2], x[1:2], ("training point",), x_name="dose")
    >>> FitDisplay([panel]).plot().axes_[0].get_xlabel()
    'dose'
    """

    x: Array
    y: Array
    line_x: Array
    line_y: Array
    breakpoints: Array
    values: Array
    kinds: tuple[str, ...]
    x_name: str = "x"
    y_name: str = "y"
    band: tuple[Array, Array] | None = None


class FitDisplay:
    """Data, the fitted function, and its breakpoints; one panel for each input.

    Parameters
    ----------
    fit_panels : sequence of FitPanel
        The panels.

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        Their figure.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> from convexnn.plotting import FitDisplay
    >>> X, y = load_mcycle(return_X_y=True, as_frame=True)
    >>> display = FitDisplay.from_estimator(ConvexNNRegressor(alpha=1.0).fit(X, y), X, y)
    >>> display.axes_[0].get_xlabel()
    'times'
    """

    axes_: list[Axes]
    figure_: Any

    def __init__(self, fit_panels: Sequence[FitPanel]):
        self.fit_panels = list(fit_panels)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        ax: Axes | Sequence[Axes] | None = None,
        band: tuple[Any, Any] | None = None,
        x_name: str | Sequence[str] | None = None,
        y_name: str | None = None,
        difference: bool = False,
    ) -> FitDisplay:
        """Draw a fitted estimator and data.

        The function is drawn through its breakpoints, exactly; steps are drawn as vertical lines. With several inputs the
        panel of one shows the targets less the fitted functions of the others, and its own function plus the constant.

        Parameters
        ----------
        estimator : estimator of one network, of this package
            Fitted.
        X : array-like of shape (n_samples, n_features) or (n_samples,) for one input
            Inputs.
        y : array-like of shape (n_samples,)
            Targets.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Where to draw, one for each input. By default a new figure.
        band : tuple of two, default=None
            The lower and the upper bound of a band, for one input: fitted estimators (two quantiles, say), or numbers,
            which are offsets from the fit (such as those of :func:`convexnn.conformal.conformal_offsets`).
        x_name : str or sequence of str, default=None
            The names of the inputs. By default the column names that X or the estimator has.
        y_name : str, default=None
            The name of the target. By default that which y has.
        difference : bool, default=False
            Whether to show ``y - x`` and ``f(x) - x``, for a map from a quantity to its next value, which is near the
            diagonal. The largest changes, one in a thousand on either side, may then lie outside the picture.

        Returns
        -------
        FitDisplay
            The picture, drawn.
        """
        check_drawable(estimator)
        count = estimator.n_features_in_
        if count > 1 and (band is not None or difference):
            raise ValueError(f"band and difference need one input, the estimator has {count}.")
        inputs, target = _data(X, y, count)
        names = _names(estimator, X, x_name, count)
        parts = [estimator.to_piecewise(j if count > 1 else None) for j in range(count)]
        values = np.column_stack([f(x) for f, x in zip(parts, inputs.T, strict=True)])
        # the constant, which the first part holds, belongs to every panel
        constant = estimator._model.offset if count > 1 else 0.0
        kinds = _kinds(estimator)
        built = []
        for j, f in enumerate(parts):
            own = 0.0 if j == 0 else constant
            x = inputs[:, j]
            rest = values.sum(axis=1) - values[:, j]
            line_x = vertices(x.min(), x.max(), f.breakpoints)
            shown = f.breakpoints[(f.breakpoints >= x.min()) & (f.breakpoints <= x.max())]
            shift = (lambda places: places) if difference else np.zeros_like
            built.append(FitPanel(
                x, target - rest + own - shift(x), line_x, f(line_x) + own - shift(line_x), shown,
                f(shown) + own - shift(shown), tuple(kinds[j].get(place, "breakpoint") for place in shown.tolist()),
                names[j], y_name or name_of(y, "y") + ("" if count == 1 else " less the other inputs' parts"),
                None if band is None else _band(band, line_x, f(line_x), shift(line_x)),
            ))  # fmt: skip
        display = cls(built).plot(ax)
        if difference:
            _limit(display.axes_[0], built[0])
        return display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> FitDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Where to draw, one for each panel. By default a new figure.

        Returns
        -------
        FitDisplay
            Itself.
        """
        self.axes_ = panels(ax, len(self.fit_panels))
        self.figure_ = self.axes_[0].figure
        for axes, panel in zip(self.axes_, self.fit_panels, strict=True):
            _draw(axes, panel)
        return self


def _draw(ax: Axes, panel: FitPanel) -> None:
    colors = palette(ax)
    many = panel.x.size > 1000
    ax.scatter(panel.x, panel.y, s=3 if many else 14, color=colors["data"], alpha=0.4 if many else 0.8, linewidths=0,
               rasterized=many)  # fmt: skip
    ax.plot([], [], "o", color=colors["data"], markersize=4.0, label="data")  # a dot of the scatter may be too small
    if panel.band is not None:
        ax.fill_between(panel.line_x, *panel.band, color=colors["fit"], alpha=0.25, linewidth=0, label="band")
    ax.plot(panel.line_x, panel.line_y, color=colors["fit"], linewidth=1.8, label="network")
    size = 5.0 if panel.breakpoints.size <= 60 else 2.5
    kinds = np.array(panel.kinds, dtype=object)
    for kind, (marker, color) in MARKS.items():
        chosen = kinds == kind
        if chosen.any():
            label = f"{chosen.sum()} {kind}{'' if chosen.sum() == 1 else 's'}"
            ax.plot(panel.breakpoints[chosen], panel.values[chosen], marker, color=colors[color], markersize=size,
                    markeredgecolor=ax.get_facecolor(), markeredgewidth=0.5, label=label)  # fmt: skip
    finish(ax, panel.x_name, panel.y_name)


def _data(X: Any, y: Any, count: int) -> tuple[Array, Array]:
    inputs = np.asarray(X, dtype=np.float64)
    inputs = check_array(inputs.reshape(-1, 1) if inputs.ndim == 1 else inputs, dtype=np.float64, input_name="X")
    target = column_or_1d(np.asarray(y, dtype=np.float64))
    check_consistent_length(inputs, target)
    if inputs.shape[1] != count:
        raise ValueError(f"X has {inputs.shape[1]} features, but the estimator was fitted to {count}.")
    return inputs, target


def _names(estimator: Any, X: Any, given: str | Sequence[str] | None, count: int) -> list[str]:
    if given is not None:
        names = [given] if isinstance(given, str) else list(given)
        if len(names) != count:
            raise ValueError(f"x_name has {len(names)} names, the estimator {count} inputs.")
        return names
    columns = getattr(X, "columns", None)
    if columns is not None:
        return [str(name) for name in columns]
    return [name_of(X, "x")] if count == 1 and getattr(X, "name", None) is not None else input_names(estimator)


def _kinds(estimator: Any) -> list[dict[float, str]]:
    """Return, for each input, what the breakpoints of its active features are."""
    kinds: list[dict[float, str]] = [{} for _ in range(estimator.n_features_in_)]
    if len(estimator.features_) <= MOST_FEATURES:
        for feature in estimator.features_:
            for place, origin in zip(feature.breakpoints, feature.origins, strict=True):
                kinds[feature.input].setdefault(place, "training point" if origin == "training point" else origin.split()[0])
    return kinds


def _band(band: tuple[Any, Any], line_x: Array, line_y: Array, shift: Array) -> tuple[Array, Array]:
    bounds = [
        (bound.to_piecewise()(line_x) if hasattr(bound, "to_piecewise") else line_y + np.float64(bound)) - shift
        for bound in band
    ]
    return bounds[0], bounds[1]


def _limit(ax: Axes, panel: FitPanel) -> None:
    """Show the whole fit and most of the data: a few jumps would press all else flat."""
    low, high = np.quantile(panel.y, [0.001, 0.999])
    low, high = min(low, panel.line_y.min()), max(high, panel.line_y.max())
    margin = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + margin)
