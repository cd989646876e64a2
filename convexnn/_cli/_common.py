"""What the commands share: errors that the user can mend, outputs that may be written, warnings of one line."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CommandError(Exception):
    """What the user can mend: one line on the standard error, and exit code 2."""


def one_line(message: object) -> str:
    """Return the text with its line breaks and runs of blanks as single blanks."""
    return " ".join(str(message).split())


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the network and its training; ``network_options`` reads them."""
    parser.add_argument("--depth", type=int, default=2, help="layers of weights (default: 2, one hidden layer)")
    parser.add_argument("--activation", default="relu", help="relu (default), leaky_relu, abs, sign or threshold")
    parser.add_argument("--architecture", default="narrow", help="narrow (default), symmetrized, parallel or tree")
    parser.add_argument("--width", type=int, nargs="+", metavar="M", help="units' width: one for parallel, several for tree")
    parser.add_argument("--negative-slope", type=float, default=0.01, help="slope of leaky_relu below zero (default: 0.01)")
    parser.add_argument("--max-breakpoints", type=int, metavar="M", help="thin the candidate breakpoints of deep networks")
    parser.add_argument("--tol", type=float, default=1e-6, help="relative duality gap to reach (default: 1e-6)")
    parser.add_argument("--alpha", type=_alpha, default="auto", help="a number, or auto (default), aic or bic")
    parser.add_argument("--skip-connection", action="store_true", help="add an unpenalised linear term")


def network_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the estimators' parameters that ``add_network_options`` let the user choose."""
    names = ("depth", "activation", "architecture", "negative_slope", "max_breakpoints", "tol", "alpha", "skip_connection")
    return {**{name: getattr(arguments, name) for name in names}, "width": _width(arguments)}


def _width(arguments: argparse.Namespace) -> int | tuple[int, ...] | None:
    if arguments.width is None or arguments.architecture == "tree":
        return arguments.width and tuple(arguments.width)
    if len(arguments.width) > 1:
        raise CommandError(f"--width takes several numbers for --architecture tree only, not {arguments.architecture}")
    return arguments.width[0]


def _alpha(text: str) -> float | str:
    """Return the number, or how it is chosen."""
    if text in ("auto", "aic", "bic"):
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a number nor "auto", "aic" or "bic"') from None


def check_outputs(*paths: str | None, given: int = 1) -> None:
    """Refuse outputs that cannot be written, or that would overwrite an input or each other; inputs come first."""
    used = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in used}) < len(used):
        raise CommandError("the same file is named twice, as input and output or as two outputs")
    for path in used[given:]:
        if not os.path.isdir(os.path.dirname(path) or "."):
            raise CommandError(f"{path}: there is no such folder")
        if os.path.isdir(path):
            raise CommandError(f"{path} is a folder")


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Turn the warnings of a fit into one line each on the standard error, and its errors into the user's to mend."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            yield
        except (ValueError, NotImplementedError) as error:
            raise CommandError(str(error)) from error
    for warning in caught:
        print(f"convexnn: warning: {one_line(warning.message)}", file=sys.stderr)
