"""Pictures of fitted estimators. Needs matplotlib, which the extra ``plot`` installs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from convexnn.series import read_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_fit", "plot_forecast"]

# Okabe and Ito's colours, which also differ in brightness
GREY, BLUE, VERMILION = "#8a8a8a", "#0072b2", "#d55e00"
Array = NDArray[np.float64]


def plot_fit(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    x_name: str | None = None,
    y_name: str | None = None,
    difference: bool = False,
) -> Axes:
    """Plot data of one input feature, the fitted function and its breakpoints.

    The function is drawn through its breakpoints, exactly; steps are drawn as vertical lines.

    Parameters
    ----------
    estimator : ConvexNNRegressor
        A fitted estimator with one input feature.
    X : array-like of shape (n_samples,) or (n_samples, 1)
        Inputs.
    y : array-like of shape (n_samples,)
        Targets.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. By default a new figure that no window shows; it is ``ax.figure``.
    x_name, y_name : str, default=None
        The names of the axes. By default the column names of X and y, if they have them.
    difference : bool, default=False
        Whether to show ``y - x`` and ``f(x) - x``, for a map from a quantity to its next value, which is near the
        diagonal. The largest changes, one in a thousand on either side, may then lie outside the picture.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> from convexnn.plotting import plot_fit
    >>> X, y = load_mcycle(return_X_y=True)
    >>> ax = plot_fit(ConvexNNRegressor(alpha=1.0).fit(X, y), X, y, x_name="times (ms)", y_name="accel (g)")
    >>> ax.get_xlabel()
    'times (ms)'
    """
    check_is_fitted(estimator)
    if estimator.n_features_in_ != 1:
        raise ValueError(f"plot_fit draws one input feature, the estimator has {estimator.n_features_in_}.")
    x_name = x_name or _name(X, "x")
    y_name = y_name or _name(y, "y")
    x, target = np.asarray(X, dtype=np.float64), np.ravel(np.asarray(y, dtype=np.float64))
    if x.size != target.size or x.size == 0 or x.ndim > 2:
        raise ValueError(f"X must have shape (n_samples,) or (n_samples, 1), got {x.shape} with {target.size} targets.")
    x = x.ravel()
    ax = make_figure()[1][0] if ax is None else ax
    breakpoints = estimator.breakpoints_[0]
    shown = breakpoints[(breakpoints >= x.min()) & (breakpoints <= x.max())]
    places = _vertices(x.min(), x.max(), shown)
    values, at_breakpoints = _values(estimator, places), _values(estimator, shown)
    if difference:
        target, values, at_breakpoints = target - x, values - places, at_breakpoints - shown
        _limit(ax, target, values)
    many = x.size > 1000
    ax.scatter(x, target, s=3 if many else 14, color=GREY, alpha=0.4 if many else 0.8, linewidths=0, rasterized=many)
    ax.plot([], [], "o", color=GREY, markersize=4.0, label="data")  # a dot of the scatter may be too small for a legend
    ax.plot(places, values, color=BLUE, linewidth=1.8, label="network")
    label = f"{breakpoints.size} breakpoint{'' if breakpoints.size == 1 else 's'}"
    ax.plot(shown, at_breakpoints, "o", color=VERMILION, markersize=5.0 if shown.size <= 60 else 2.5,
            markeredgecolor="white", markeredgewidth=0.5, label=label)  # fmt: skip
    ax.set_xlabel(x_name)
    ax.set_ylabel(y_name)
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_forecast(
    series: Any,
    forecast: Any,
    ax: Axes | None = None,
    *,
    level: float | Sequence[float] | None = None,
    shown: int | None = None,
    name: str | None = None,
) -> Axes:
    """Plot the end of a series, its forecast, and the prediction intervals.

    Parameters
    ----------
    series : array-like of shape (n,) or (n, 1), pandas Series or frame of one column
        The series that is forecast.
    forecast : ndarray or pandas object of shape (steps,) or (steps, 1 + 2 n_levels)
        What ``ConvexNNAutoregressor.forecast`` returned.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. By default a new figure that no window shows; it is ``ax.figure``.
    level : float or list of float, default=None
        The levels of the intervals, in the order of ``forecast``, for the legend; frames have them in their columns.
    shown : int, default=None
        How many values of the series to draw: by default five for each step, and at least 100.
    name : str, default=None
        The name of the series; by default that which it has.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Examples
    --------
    >>> from convexnn import ConvexNNAutoregressor
    >>> from convexnn.datasets import load_sunspots
    >>> from convexnn.plotting import plot_forecast
    >>> series = load_sunspots().target
    >>> table = ConvexNNAutoregressor(lags=[1, 2, 9]).fit(series).forecast(11, level=[80, 95])
    >>> ax = plot_forecast(series, table, level=[80, 95], name="sunspots")
    >>> ax.get_ylabel()
    'sunspots'
    """
    history = read_series(series)
    values = np.asarray(forecast, dtype=np.float64)
    if values.ndim not in (1, 2) or values.size == 0 or (values.ndim == 2 and values.shape[1] % 2 == 0):
        raise ValueError(f"forecast must have shape (steps,) or (steps, 1 + 2 n_levels), got {values.shape}.")
    values = values.reshape(len(values), -1)
    labels = _levels(forecast, level, (values.shape[1] - 1) // 2)
    last = min(history.values.size, max(5 * len(values), 100) if shown is None else shown)
    past, future = _places(history.index, getattr(forecast, "index", None), last, len(values))
    ax = make_figure()[1][0] if ax is None else ax
    bands = [(values[:, 2 * k + 1], values[:, 2 * k + 2], label) for k, label in enumerate(labels)]
    # the widest first and lightest; those inside lie on it, so that each patch of the legend has a shade of its own
    for rank, (lower, upper, label) in enumerate(sorted(bands, key=lambda band: -np.sum(band[1] - band[0])), start=1):
        ax.fill_between(future, lower, upper, color=BLUE, alpha=0.15 * rank, linewidth=0, label=label)
    ax.plot(past, history.values[-last:], color=GREY, linewidth=1.0, label="series")
    ax.plot(future, values[:, 0], color=BLUE, linewidth=1.8, label="forecast")
    if history.index is not None and history.index.name is not None:
        ax.set_xlabel(str(history.index.name))
    ax.set_ylabel(_name(series, "series") if name is None else name)
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _levels(forecast: Any, level: Any, count: int) -> list[str]:
    """Return the texts of the legend for the intervals."""
    columns = getattr(forecast, "columns", None)
    if columns is not None:
        return [f"{str(name).removeprefix('lower ')} %" for name in columns[1::2]]
    levels = [] if level is None else list(np.atleast_1d(level))
    if levels and len(levels) != count:
        raise ValueError(f"level has {len(levels)} percentages, the forecast {count} intervals.")
    return [f"{value:g} %" for value in levels] or ["interval"] * count


def _places(past: Any, future: Any, last: int, steps: int) -> tuple[Any, Any]:
    """Return the abscissas of the last values and of the forecast: times or numbers if both have them, else counts."""
    if past is None or future is None:
        return np.arange(-last + 1, 1), np.arange(1, steps + 1)
    if hasattr(past, "to_timestamp"):  # matplotlib knows dates, but no periods
        past, future = past.to_timestamp(), future.to_timestamp()
    return past[-last:], future


def make_figure(columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a new figure with that many panels side by side, which needs no screen.

    Parameters
    ----------
    columns : int, default=1
        The number of panels.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : list of matplotlib.axes.Axes
        Its panels.
    """
    try:
        # not pyplot: it would choose a window system, and keep every figure alive
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('Plots need matplotlib: python -m pip install "convexnn[plot]"') from error
    figure = Figure(figsize=(6.4 * columns, 4.4), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _vertices(low: float, high: float, breakpoints: Array) -> Array:
    """Return the vertices of the fit between low and high, both sides of every breakpoint among them."""
    inner = breakpoints[breakpoints > low]
    # a step jumps at its breakpoint: the float just below it shows the value on the left
    return np.sort(np.concatenate(([low, high], np.nextafter(inner, -np.inf), inner)))


def _limit(ax: Axes, target: Array, values: Array) -> None:
    """Show the whole fit and most of the data: a few jumps would press all else flat."""
    low, high = np.quantile(target, [0.001, 0.999])
    low, high = min(low, values.min()), max(high, values.max())
    margin = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + margin)


def _values(estimator: Any, x: Array) -> Array:
    # its predict would insist on the column names that the estimator was fitted to
    return estimator.to_piecewise()(x)


def _name(values: Any, default: str) -> str:
    """Return the column name that a frame or series carries."""
    columns = getattr(values, "columns", None)
    name = columns[0] if columns is not None and len(columns) else getattr(values, "name", None)
    return default if name is None else str(name)
