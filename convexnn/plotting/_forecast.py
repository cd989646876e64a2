"""ForecastDisplay: the end of a series, its forecast, and prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convexnn._autoregressor import ConvexNNAutoregressor
from convexnn.plotting._style import check_drawable, finish, name_of, palette, panels
from convexnn.series import read_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


class ForecastDisplay:
    """The end of a series, its forecast, and prediction intervals.

    Parameters
    ----------
    past_x, past_y : array-like of shape (n,)
        The series: places or times, and values.
    future_x, forecast : array-like of shape (steps,)
        The forecast.
    bounds : sequence of tuple of array-like of shape (steps,), default=()
        The lower and the upper bound of each interval.
    labels : sequence of str, default=None
        The names of the intervals.
    x_name, y_name : str, default="", "series"
        The names of the axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from convexnn import ConvexNNAutoregressor
    >>> from convexnn.datasets import load_sunspots
    >>> from convexnn.plotting import ForecastDisplay
    >>> model = ConvexNNAutoregressor(lags=[1, 2, 9]).fit(load_sunspots().target)
    >>> display = ForecastDisplay.from_estimator(model, 11, level=[80, 95], name="sunspots")
    >>> display.ax_.get_ylabel(), len(display.bounds)
    ('sunspots', 2)
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        past_x: ArrayLike,
        past_y: ArrayLike,
        future_x: ArrayLike,
        forecast: ArrayLike,
        *,
        bounds: Sequence[tuple[ArrayLike, ArrayLike]] = (),
        labels: Sequence[str] | None = None,
        x_name: str = "",
        y_name: str = "series",
    ):
        self.past_x = past_x
        self.past_y = past_y
        self.future_x = future_x
        self.forecast = forecast
        self.bounds = list(bounds)
        self.labels = labels
        self.x_name = x_name
        self.y_name = y_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        steps: int,
        *,
        last_window: Any = None,
        level: float | Sequence[float] | None = None,
        ax: Axes | None = None,
        shown: int | None = None,
        name: str | None = None,
    ) -> ForecastDisplay:
        """Forecast with a fitted autoregression and draw it.

        Parameters
        ----------
        estimator : ConvexNNAutoregressor
            Fitted.
        steps : int
            How many values to forecast.
        last_window : array-like of shape (m,) or (m, 1), pandas Series or frame of one column, default=None
            The history to go on from; by default the training series.
        level : float or list of float, default=None
            The prediction intervals to add, in per cent.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        shown : int, default=None
            How many values of the series to draw: by default five for each step, and at least 100.
        name : str, default=None
            The name of the series; by default that which it has.

        Returns
        -------
        ForecastDisplay
            The picture, drawn.
        """
        check_drawable(estimator, ConvexNNAutoregressor)
        series = estimator.training_series() if last_window is None else last_window
        table = estimator.forecast(steps, last_window=last_window, level=level)
        return cls.from_forecast(series, table, level=level, ax=ax, shown=shown, name=name)

    @classmethod
    def from_forecast(
        cls,
        series: Any,
        forecast: Any,
        *,
        level: float | Sequence[float] | None = None,
        ax: Axes | None = None,
        shown: int | None = None,
        name: str | None = None,
    ) -> ForecastDisplay:
        """Draw a forecast that has been made.

        Parameters
        ----------
        series : array-like of shape (n,) or (n, 1), pandas Series or frame of one column
            The series that is forecast.
        forecast : ndarray or pandas object of shape (steps,) or (steps, 1 + 2 n_levels)
            What ``ConvexNNAutoregressor.forecast`` returned.
        level : float or list of float, default=None
            The levels of the intervals, in the order of ``forecast``, for the legend; frames have them in their columns.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        shown : int, default=None
            How many values of the series to draw: by default five for each step, and at least 100.
        name : str, default=None
            The name of the series; by default that which it has.

        Returns
        -------
        ForecastDisplay
            The picture, drawn.
        """
        history = read_series(series)
        values = np.asarray(forecast, dtype=np.float64)
        if values.ndim not in (1, 2) or values.size == 0 or (values.ndim == 2 and values.shape[1] % 2 == 0):
            raise ValueError(f"forecast must have shape (steps,) or (steps, 1 + 2 n_levels), got {values.shape}.")
        values = values.reshape(len(values), -1)
        labels = _levels(forecast, level, (values.shape[1] - 1) // 2)
        last = min(history.values.size, max(5 * len(values), 100) if shown is None else shown)
        past, future = _places(history.index, getattr(forecast, "index", None), last, len(values))
        index_name = None if history.index is None else history.index.name
        return cls(
            past,
            history.values[-last:],
            future,
            values[:, 0],
            bounds=list(zip(values[:, 1::2].T, values[:, 2::2].T, strict=True)),
            labels=labels,
            x_name="" if index_name is None else str(index_name),
            y_name=name_of(series, "series") if name is None else name,
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> ForecastDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.

        Returns
        -------
        ForecastDisplay
            Itself.
        """
        (self.ax_,) = panels(ax, 1)
        self.figure_ = self.ax_.figure
        colors = palette(self.ax_)
        labels = self.labels or ["interval"] * len(self.bounds)
        bands = [(*bounds, label) for bounds, label in zip(self.bounds, labels, strict=True)]
        # the widest first and lightest; those inside lie on it, so that each patch of the legend has a shade of its own
        bands.sort(key=lambda band: -float(np.sum(np.asarray(band[1]) - np.asarray(band[0]))))
        for rank, (lower, upper, label) in enumerate(bands, start=1):
            self.ax_.fill_between(self.future_x, lower, upper, color=colors["fit"], alpha=0.15 * rank, linewidth=0,
                                  label=label)  # fmt: skip
        self.ax_.plot(self.past_x, self.past_y, color=colors["data"], linewidth=1.0, label="series")
        self.ax_.plot(self.future_x, self.forecast, color=colors["fit"], linewidth=1.8, label="forecast")
        finish(self.ax_, self.x_name, self.y_name)
        return self


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
