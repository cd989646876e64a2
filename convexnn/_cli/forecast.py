"""``convexnn forecast``: fit an autoregression to a column of a CSV file and forecast what follows it."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexnn import ConvexNNAutoregressor
from convexnn._cli._common import add_network_options, check_outputs, network_options, shown_warnings
from convexnn._cli._pictures import new_picture, save_picture
from convexnn._cli._tables import open_text, read_columns, write_rows
from convexnn._export.disk import replacing
from convexnn.plotting import ForecastDisplay

Array = NDArray[np.float64]


def add(commands: Any) -> None:
    """Add the command to the parser."""
    forecast = commands.add_parser("forecast", help="forecast a series: a column of a CSV file, oldest row first")
    forecast.add_argument("data", metavar="DATA.csv", help="a CSV file with a header row; .gz is read too")
    forecast.add_argument("--column", required=True, metavar="COL", help="the column with the series")
    forecast.add_argument("--steps", type=int, required=True, metavar="H", help="how many values to forecast")
    forecast.add_argument(
        "--lags", type=int, nargs="+", default=[1], metavar="P",
        help="the last values that the network reads: one number P means 1 to P, several mean those lags (default: 1)",
    )  # fmt: skip
    forecast.add_argument("--difference", type=int, default=0, metavar="0|1", help="1 fits the increments (default: 0)")
    forecast.add_argument(
        "--level", type=float, nargs="+", metavar="PERCENT", help="prediction intervals to add, such as 80 95"
    )
    add_network_options(forecast)
    forecast.add_argument("--out", metavar="FORECAST.csv", help="write the forecast here (default: stdout)")
    forecast.add_argument("--plot", metavar="FORECAST.png", help="draw the forecast here; needs matplotlib")
    forecast.set_defaults(run=_forecast)


def _forecast(arguments: argparse.Namespace) -> int:
    """Forecast, and write what was asked for; everything that can fail comes before the first write."""
    check_outputs(arguments.data, arguments.out, arguments.plot)
    figure, axes = new_picture(arguments.plot) if arguments.plot else (None, None)
    series = read_columns(arguments.data, [arguments.column])[:, 0]
    lags = arguments.lags[0] if len(arguments.lags) == 1 else arguments.lags
    model = ConvexNNAutoregressor(lags, difference=arguments.difference, **network_options(arguments))
    with shown_warnings():
        table = model.fit(series).forecast(arguments.steps, level=arguments.level)
    if figure is not None:
        ForecastDisplay.from_forecast(series, table, ax=axes, level=arguments.level, name=arguments.column)
    _write(arguments, table.reshape(arguments.steps, -1), figure)
    return 0


def _write(arguments: argparse.Namespace, table: Array, figure: Any) -> None:
    """Write table and picture, both or neither; to the standard output last."""
    bounds = [f"{side} {level:g}" for level in arguments.level or () for side in ("lower", "upper")]
    header = ["step", "forecast", *bounds]
    rows = [[step, *row] for step, row in enumerate(table.tolist(), start=1)]
    with ExitStack() as files:
        if arguments.out is not None:
            temporary = files.enter_context(replacing(arguments.out))
            with open_text(temporary, "wt", zipped=arguments.out.endswith(".gz")) as file:
                write_rows(file, header, rows)
        if figure is not None:
            save_picture(figure, arguments.plot, files)
    if arguments.out is None:
        write_rows(sys.stdout, header, rows)
        sys.stdout.flush()
