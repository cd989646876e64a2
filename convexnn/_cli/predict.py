"""``convexnn predict``: predict the rows of a CSV file with a model file."""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import Any

import numpy as np

from convexnn import ConvexNNRegressor, ConvexNNRegressorCV
from convexnn._cli._common import CommandError, check_outputs
from convexnn._cli._tables import open_text, read_columns, write_rows
from convexnn._export.disk import replacing
from convexnn._export.stored import load

# whose model files can be read here
CLASSES = (ConvexNNRegressor, ConvexNNRegressorCV)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    predict = commands.add_parser("predict", help="predict rows of a CSV file with a fitted model")
    predict.add_argument("model", metavar="MODEL.json", help="a model file written by convexnn fit")
    predict.add_argument("data", metavar="DATA.csv", help="a CSV file with the model's input columns; .gz is read too")
    predict.add_argument("--out", metavar="PRED.csv", help="write inputs and predictions here (default: stdout)")
    predict.set_defaults(run=_predict)


def _predict(arguments: argparse.Namespace) -> int:
    """Predict the rows of a file."""
    check_outputs(arguments.data, arguments.model, arguments.out, given=2)
    try:
        model = load(arguments.model, {cls.__name__: cls for cls in CLASSES})
    except ValueError as error:
        raise CommandError(str(error)) from error
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise CommandError(f"{arguments.model} does not name its inputs: fit the estimator to a frame with column names")
    X = read_columns(arguments.data, names)
    header = [*names, "prediction"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that X has no names: its columns were chosen by name
        predictions = model.predict(X)
    rows = np.column_stack([X, predictions]).tolist()
    if arguments.out is None:
        write_rows(sys.stdout, header, rows)
        sys.stdout.flush()
        return 0
    zipped = arguments.out.endswith(".gz")
    with replacing(arguments.out) as temporary, open_text(temporary, "wt", zipped=zipped) as file:
        write_rows(file, header, rows)
    return 0
