"""What the displays share: axes that need no screen, colours for light and dark, names, vertices of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from convexnn._base import BaseConvexNN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

# Okabe and Ito's colours: told apart with any colour vision; on dark ground the lighter ones
ROLES = ("data", "fit", "first", "second", "third", "other")
LIGHT = dict(zip(ROLES, ("#8a8a8a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"), strict=True))
DARK = dict(zip(ROLES, ("#9a9a9a", "#56b4e9", "#e69f00", "#3fc9a0", "#e6a3c6", "#f0e442"), strict=True))
# for many lines: order of use
CYCLE = ("fit", "first", "second", "third", "other")


def palette(ax: Axes) -> dict[str, str]:
    """Return colours that are seen on the ground of these axes."""
    from matplotlib.colors import to_rgba

    red, green, blue, opacity = to_rgba(ax.get_facecolor())
    if opacity < 0.5 and ax.figure is not None:
        red, green, blue, _ = to_rgba(ax.figure.get_facecolor())
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else LIGHT


def make_figure(columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a new figure with that many panels, which needs no screen and no window.

    Parameters
    ----------
    columns, rows : int, default=1
        The number of panels side by side and below each other.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : list of matplotlib.axes.Axes
        Its panels.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise _missing(error) from error
    figure = Figure(figsize=(6.4 * columns, 4.4 * rows), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def panels(ax: Axes | Sequence[Axes] | None, count: int) -> list[Axes]:
    """Return axes to draw on: those given, or new ones of pyplot's, as in scikit-learn's displays."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise _missing(error) from error
        columns = min(count, 3)
        rows = -(-count // columns)
        size = (6.4 if count == 1 else 4.8 * columns, 4.4 if count == 1 else 3.8 * rows)
        _, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        for unused in axes.ravel()[count:]:
            unused.set_visible(False)
        return list(axes.ravel()[:count])
    given = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(given) != count:
        raise ValueError(f"ax must hold {count} axes, one for each panel, got {len(given)}")
    return given


def _missing(error: ImportError) -> ImportError:
    return ImportError(f'Plots need matplotlib: python -m pip install "convexnn[plot]" ({error})')


def check_drawable(estimator: Any, kind: type = BaseConvexNN) -> None:
    """Refuse what is not a fitted estimator of this kind; several networks in one are drawn one by one."""
    if not isinstance(estimator, kind):
        wanted = "one network of this package" if kind is BaseConvexNN else f"a {kind.__name__}"
        hint = "; draw each of its estimators_" if hasattr(estimator, "estimators_") else ""
        raise TypeError(f"estimator must be {wanted}, got {type(estimator).__name__}{hint}")
    check_is_fitted(estimator)


def finish(ax: Axes, x_name: str, y_name: str, *, legend: bool = True) -> None:
    """Name the axes, and take away what says nothing."""
    ax.set_xlabel(x_name)
    ax.set_ylabel(y_name)
    ax.spines[["top", "right"]].set_visible(False)
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)


def input_names(estimator: Any) -> list[str]:
    """Return the names of an estimator's inputs."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names]
    return ["x"] if estimator.n_features_in_ == 1 else [f"x{j}" for j in range(estimator.n_features_in_)]


def name_of(values: Any, default: str) -> str:
    """Return the column name that a frame or series carries."""
    columns = getattr(values, "columns", None)
    name = columns[0] if columns is not None and len(columns) else getattr(values, "name", None)
    return default if name is None else str(name)


def vertices(low: float, high: float, breakpoints: Array) -> Array:
    """Return the vertices of a piecewise-linear curve between low and high, both sides of every breakpoint among them."""
    inner = breakpoints[(breakpoints > low) & (breakpoints <= high)]
    # a step jumps at its breakpoint: the float just below it shows the value on the left
    return np.sort(np.concatenate(([low, high], np.nextafter(inner, -np.inf), inner)))
