"""The command ``convexnn``: fit a CSV file, predict from a model file, and a demonstration on real data."""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
import sys
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from convexnn import ConvexNNRegressor, __version__
from convexnn._demo import run_demo
from convexnn._export import load_model, replacing, save_model
from convexnn.plotting import make_figure, plot_fit

Array = NDArray[np.float64]
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


class CommandError(Exception):
    """What the user can mend: one line on the standard error, and exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line too."""

    def error(self, message: str) -> NoReturn:
        """Raise in place of printing the usage."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 2 with one line on the standard error."""
    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except BrokenPipeError:  # the reader of the output, such as head, has seen enough
        # what is left in the buffer goes nowhere, or the interpreter would complain on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except CommandError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str, code: int = 2) -> int:
    print(f"convexnn: error: {_one_line(message)}", file=sys.stderr)
    return code


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _parser() -> Parser:
    parser = Parser(
        prog="convexnn", description="Neural networks on one input or a few, trained to certified global optimality."
    )
    parser.add_argument("--version", action="version", version=f"convexnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_fit(commands)
    _add_predict(commands)
    demo = commands.add_parser("demo", help="fit two bundled real data sets, compare, and draw them")
    demo.add_argument("--out-dir", default=".", metavar="DIR", help="where convexnn_demo.png goes (default: here)")
    demo.set_defaults(run=_demo)
    return parser


def _add_fit(commands: Any) -> None:
    fit = commands.add_parser("fit", help="fit a network to columns of a CSV file")
    fit.add_argument("data", metavar="DATA.csv", help="a CSV file with a header row; .gz is read too")
    fit.add_argument("--x", action="append", required=True, metavar="COL", help="an input column; once for each")
    fit.add_argument("--y", required=True, metavar="COL", help="the target column")
    fit.add_argument("--weights", metavar="COL", help="a column of non-negative sample weights")
    fit.add_argument("--depth", type=int, default=2, help="layers of weights (default: 2, one hidden layer)")
    fit.add_argument("--activation", default="relu", help="relu (default), leaky_relu, abs, sign or threshold")
    fit.add_argument("--architecture", default="narrow", help="narrow (default), symmetrized, parallel or tree")
    fit.add_argument("--width", type=int, nargs="+", metavar="M", help="units' width: one for parallel, several for tree")
    fit.add_argument("--negative-slope", type=float, default=0.01, help="slope of leaky_relu below zero (default: 0.01)")
    fit.add_argument("--max-breakpoints", type=int, metavar="M", help="thin the candidate breakpoints of deep networks")
    fit.add_argument("--tol", type=float, default=1e-6, help="relative duality gap to reach (default: 1e-6)")
    fit.add_argument("--alpha", type=_alpha, default="auto", help='regularisation, a number or "auto" (default)')
    fit.add_argument("--skip-connection", action="store_true", help="add an unpenalised linear term")
    fit.add_argument("--out", metavar="MODEL.json", help="write the fitted model here")
    fit.add_argument("--plot", metavar="FIT.png", help="draw data and fit here; needs one input and matplotlib")
    fit.set_defaults(run=_fit)


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser("predict", help="predict rows of a CSV file with a fitted model")
    predict.add_argument("model", metavar="MODEL.json", help="a model file written by convexnn fit")
    predict.add_argument("data", metavar="DATA.csv", help="a CSV file with the model's input columns; .gz is read too")
    predict.add_argument("--out", metavar="PRED.csv", help="write inputs and predictions here (default: stdout)")
    predict.set_defaults(run=_predict)


def _width(arguments: argparse.Namespace) -> int | tuple[int, ...] | None:
    if arguments.width is None or arguments.architecture == "tree":
        return arguments.width and tuple(arguments.width)
    if len(arguments.width) > 1:
        raise CommandError(f"--width takes several numbers for --architecture tree only, not {arguments.architecture}")
    return arguments.width[0]


def _alpha(text: str) -> float | str:
    """Return the number, or "auto"."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a number nor "auto"') from None


def _fit(arguments: argparse.Namespace) -> int:
    """Fit, report, and write what was asked for; everything that can fail comes before the first write."""
    _check_outputs(arguments.data, arguments.out, arguments.plot)
    if arguments.plot and len(arguments.x) > 1:
        raise CommandError("--plot draws one input, but several --x are given")
    if len(set(arguments.x)) < len(arguments.x):
        raise CommandError("--x names a column twice")
    figure, axes = _make_figure(arguments.plot) if arguments.plot else (None, None)
    names = [*arguments.x, arguments.y, *([arguments.weights] if arguments.weights else [])]
    columns = read_columns(arguments.data, names)
    X, y = columns[:, : len(arguments.x)], columns[:, len(arguments.x)]
    model = _fit_model(arguments, X, y, columns[:, -1] if arguments.weights else None)
    if figure is not None:
        plot_fit(model, X, y, axes, x_name=arguments.x[0], y_name=arguments.y)
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
    """Fit the estimator; its errors are the user's to mend, its warnings one line each."""
    model = ConvexNNRegressor(
        arguments.depth,
        activation=arguments.activation,
        architecture=arguments.architecture,
        width=_width(arguments),
        negative_slope=arguments.negative_slope,
        max_breakpoints=arguments.max_breakpoints,
        tol=arguments.tol,
        alpha=arguments.alpha,
        skip_connection=arguments.skip_connection,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            model.fit(X, y, sample_weight=weights)
        except (ValueError, NotImplementedError) as error:
            raise CommandError(str(error)) from error
    for warning in caught:
        print(f"convexnn: warning: {_one_line(warning.message)}", file=sys.stderr)
    return model


def _make_figure(path: str) -> tuple[Any, Any]:
    """Return an empty figure and its axes, made before the fit so that it is not done in vain."""
    try:
        figure, (axes,) = make_figure()
    except ImportError as error:
        raise CommandError(str(error)) from error
    kinds = figure.canvas.get_supported_filetypes()
    if _kind(path) not in kinds:
        raise CommandError(f"--plot {path}: the name must end in .{', .'.join(sorted(kinds))}")
    return figure, axes


def _kind(path: str) -> str:
    return Path(path).suffix.lower().lstrip(".")


def _write_fit(model: Any, arguments: argparse.Namespace, figure: Any) -> None:
    """Write model and picture, both or neither."""
    with ExitStack() as files:
        if arguments.out:
            temporary = files.enter_context(replacing(arguments.out))
            try:
                save_model(model, temporary, feature_names=arguments.x)
            except ValueError as error:
                raise CommandError(f"the model cannot be written: {error}") from error
        if figure is not None:
            figure.savefig(files.enter_context(replacing(arguments.plot)), format=_kind(arguments.plot))


def _predict(arguments: argparse.Namespace) -> int:
    """Predict the rows of a file."""
    _check_outputs(arguments.data, arguments.model, arguments.out, given=2)
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
        _write_rows(sys.stdout, header, rows)
        sys.stdout.flush()
        return 0
    zipped = arguments.out.endswith(".gz")
    with replacing(arguments.out) as temporary, _open_text(temporary, "wt", zipped=zipped) as file:
        _write_rows(file, header, rows)
    return 0


def _write_rows(file: IO[str], header: list[str], rows: list[list[float]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def _demo(arguments: argparse.Namespace) -> int:
    if not os.path.isdir(arguments.out_dir):
        raise CommandError(f"--out-dir {arguments.out_dir}: no such folder")
    try:
        run_demo(Path(arguments.out_dir), lambda line: print(line, flush=True))
    except ImportError as error:
        raise CommandError(str(error)) from error
    return 0


def _check_outputs(*paths: str | None, given: int = 1) -> None:
    """Refuse outputs that cannot be written, or that would overwrite an input or each other; inputs come first."""
    used = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in used}) < len(used):
        raise CommandError("the same file is named twice, as input and output or as two outputs")
    for path in used[given:]:
        if not os.path.isdir(os.path.dirname(path) or "."):
            raise CommandError(f"{path}: there is no such folder")
        if os.path.isdir(path):
            raise CommandError(f"{path} is a folder")


def _open_text(path: str | Path, mode: str, *, zipped: bool) -> Any:
    opener: Any = gzip.open if zipped else open
    # utf-8-sig: spreadsheet programs put a byte order mark before the first name
    return opener(path, mode, encoding="utf-8-sig" if mode == "rt" else "utf-8", newline="")


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Turn everything that a broken file can raise into one line that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not text in UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CommandError(f"{path} is not a whole gzip file: {error}") from error
    except csv.Error as error:
        raise CommandError(f"{path} is not a CSV file: {error}") from error


def read_columns(path: str, names: Sequence[str]) -> Array:
    """Return the named columns of a CSV file as numbers, shape (n_rows, n_names); an error names line and column."""
    with _readable(path), _open_text(path, "rt", zipped=path.endswith(".gz")) as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise CommandError(f"{path} is empty: a header row with the column names is needed")
        places = [_place(path, header, name) for name in names]
        rows, blank = [], 0
        for row in reader:
            if not row:  # blank lines may end a file, but not stand in it
                blank = blank or reader.line_num
                continue
            line = blank or reader.line_num
            if blank or len(row) != len(header):
                found = "a blank line" if blank else f"{len(row)} fields"
                raise CommandError(f"{path}, line {line}: {found}, but the header has {len(header)} names")
            rows.append([_number(row[place], path, line, header[place]) for place in places])
    if not rows:
        raise CommandError(f"{path} has no rows below its header")
    return np.array(rows, dtype=np.float64)


def _place(path: str, header: list[str], name: str) -> int:
    """Return the place of a column."""
    if header.count(name) > 1:
        raise CommandError(f"{path} has {header.count(name)} columns named {name!r}")
    if name not in header:
        raise CommandError(f"{path} has no column {name!r}; it has {', '.join(map(repr, header))}")
    return header.index(name)


def _number(cell: str, path: str, line: int, name: str) -> float:
    """Return the number in a cell; numbers with underscores, which Python reads, count as text."""
    text = cell.strip()
    try:
        value = float("text" if "_" in text else text)
        problem = "" if math.isfinite(value) else f"{text!r} is not a finite number"
    except ValueError:
        problem = f"{text!r} is not a number"
    if not problem:
        return value
    if text.lower() in MISSING:
        problem = "the value is missing"
    raise CommandError(f"{path}, line {line}, column {name!r}: {problem}")
