"""``convexnn fit``: fit a network to columns of a CSV file."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexnn import ConvexNNRegressor
from convexnn._cli._common import CommandError, add_network_options, check_outputs, network_options, shown_warnings
from convexnn._cli._pictures import new_picture, save_picture
from convexnn._cli._tables import read_columns
from convexnn._export.disk import replacing
from convexnn.plotting import FitDisplay

Array = NDArray[np.float64]


def add(commands: Any) -> None:
    """Add the command to the parser."""
    fit = commands.add_parser("fit", help="fit a network to columns of a CSV file")
    fit.add_argument("data", metavar="DATA.csv", help="a CSV file with a header row; .gz is read too")
    fit.add_argument("--x", action="append", required=True, metavar="COL", help="an input column; once for each")
    fit.add_argument("--y", required=True, metavar="COL", help="the target column")
    fit.add_argument("--weights", metavar="COL", help="a column of non-negative sample weights")
    add_network_options(fit)
    fit.add_argument("--loss", default="squared", help="squared (default), huber, absolute or pinball")
    fit.add_argument("--quantile", type=float, metavar="Q", help="what pinball estimates, in (0, 1) (default: 0.5)")
    fit.add_argument("--huber-delta", type=float, metavar="D", help="residual where huber turns linear (default: 1.35)")
    fit.add_argument("--out", metavar="MODEL.json", help="write the fitted model here")
    fit.add_argument("--plot", metavar="FIT.png", help="draw data and fit here; needs one input and matplotlib")
    fit.set_defaults(run=_fit)


def _fit(arguments: argparse.Namespace) -> int:
    """Fit, report, and write what was asked for; everything that can fail comes before the first write."""
    check_outputs(arguments.data, arguments.out, arguments.plot)
    if arguments.plot and len(arguments.x) > 1:
        raise CommandError("--plot draws one input, but several --x are given")
    if len(set(arguments.x)) < len(arguments.x):
        raise CommandError("--x names a column twice")
    figure, axes = new_picture(arguments.plot) if arguments.plot else (None, None)
    names = [*arguments.x, arguments.y, *([arguments.weights] if arguments.weights else [])]
    columns = read_columns(arguments.data, names)
    X, y = columns[:, : len(arguments.x)], columns[:, len(arguments.x)]
    model = _fit_model(arguments, X, y, columns[:, -1] if arguments.weights else None)
    if figure is not None:
        FitDisplay.from_estimator(model, X, y, ax=axes, x_name=arguments.x[0], y_name=arguments.y)
    _write_fit(model, arguments, figure)
    breakpoints = sum(len(places) for places in model.breakpoints_)
    print(f"rows          {len(y)}")
    print(f"alpha         {model.alpha_:.6g}")
    print(f"objective     {model.objective_:.10g}")
    print(f"relative gap  {model.dual_gap_:.3g}{'' if model.exact_ else ' (within the dictionary used)'}")
    print(f"neurons       {model.n_neurons_}")
    print(f"breakpoints   {breakpoints}")
    for path in filter(None, (arguments.out, arguments.plot)):
        print(f"wrote         {path}")
    return 0


def _fit_model(arguments: argparse.Namespace, X: Array, y: Array, weights: Array | None) -> Any:
    """Fit the estimator."""
    model = ConvexNNRegressor(**network_options(arguments), **_loss_options(arguments))
    with shown_warnings():
        model.fit(X, y, sample_weight=weights)
    model.feature_names_in_ = np.array(arguments.x, dtype=object)  # as if the columns had come in a frame
    return model


def _loss_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the loss; an option of another loss would be ignored, and is refused."""
    given = {"loss": arguments.loss}
    for name, loss in (("quantile", "pinball"), ("huber_delta", "huber")):
        value = getattr(arguments, name)
        if value is not None and arguments.loss != loss:
            raise CommandError(f"--{name.replace('_', '-')} is for --loss {loss} only, not {arguments.loss}")
        given |= {} if value is None else {name: value}
    return given


def _write_fit(model: Any, arguments: argparse.Namespace, figure: Any) -> None:
    """Write model and picture, both or neither."""
    with ExitStack() as files:
        if arguments.out:
            temporary = files.enter_context(replacing(arguments.out))
            try:
                model.to_json(temporary)
            except ValueError as error:
                raise CommandError(f"the model cannot be written: {error}") from error
        if figure is not None:
            save_picture(figure, arguments.plot, files)
