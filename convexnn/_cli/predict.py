"""``convexnn predict``: predict the rows of a CSV file with a model file."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from convexnn._cli._common import CommandError, check_outputs
from convexnn._cli._tables import open_text, read_columns, write_rows
from convexnn._export import load_model, replacing


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
        model = load_model(arguments.model)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if model.feature_names is None:
        raise CommandError(f"{arguments.model} does not name its inputs: save it with feature_names=[...]")
    X = read_columns(arguments.data, model.feature_names)
    header = [*model.feature_names, "prediction"]
    rows = np.column_stack([X, model.predict(X)]).tolist()
    if arguments.out is None:
        write_rows(sys.stdout, header, rows)
        sys.stdout.flush()
        return 0
    zipped = arguments.out.endswith(".gz")
    with replacing(arguments.out) as temporary, open_text(temporary, "wt", zipped=zipped) as file:
        write_rows(file, header, rows)
    return 0
