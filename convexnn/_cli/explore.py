"""``convexnn explore``: write an interactive page of the paths of several networks for columns of a CSV file."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from convexnn._cli._common import CommandError, check_outputs, shown_warnings
from convexnn._cli._tables import read_columns
from convexnn._explore import explore_page
from convexnn._export.disk import replacing
from convexnn.activations import STEPS

# beyond so many distinct inputs a path of reflections takes minutes
MOST_FOR_REFLECTIONS = 400


def add(commands: Any) -> None:
    """Add the command to the parser."""
    explore = commands.add_parser("explore", help="write a page with a slider over alpha, for any browser")
    explore.add_argument("data", metavar="DATA.csv", help="a CSV file with a header row; .gz is read too")
    explore.add_argument("--x", required=True, metavar="COL", help="the input column")
    explore.add_argument("--y", required=True, metavar="COL", help="the target column")
    explore.add_argument("--weights", metavar="COL", help="a column of non-negative sample weights")
    explore.add_argument("--depth", type=int, nargs="+", default=[2, 3], metavar="L", help="the depths (default: 2 3)")
    explore.add_argument(
        "--activation", nargs="+", default=["relu", "abs", "threshold"], metavar="NAME",
        help="the activations (default: relu abs threshold)",
    )  # fmt: skip
    explore.add_argument("--alphas", type=int, default=40, metavar="K", help="most fits in each path (default: 40)")
    explore.add_argument("--skip-connection", action="store_true", help="add an unpenalised linear term")
    explore.add_argument("--tol", type=float, default=1e-6, help="relative duality gap to reach (default: 1e-6)")
    explore.add_argument("--out", default="explore.html", metavar="PAGE.html", help="the page (default: explore.html)")
    explore.set_defaults(run=_explore)


def _explore(arguments: argparse.Namespace) -> int:
    """Fit the paths and write the page."""
    check_outputs(arguments.data, arguments.out)
    if arguments.alphas < 2:
        raise CommandError("--alphas must be at least 2")
    names = [arguments.x, arguments.y, *([arguments.weights] if arguments.weights else [])]
    columns = read_columns(arguments.data, names)
    with shown_warnings():
        page = explore_page(
            columns[:, 0], columns[:, 1], _networks(arguments, np.unique(columns[:, 0]).size),
            alphas=arguments.alphas, x_name=arguments.x, y_name=arguments.y,
            sample_weight=columns[:, 2] if arguments.weights else None, report=lambda line: print(line, flush=True),
        )  # fmt: skip
    with replacing(arguments.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"wrote {arguments.out}")
    return 0


def _networks(arguments: argparse.Namespace, size: int) -> list[dict[str, Any]]:
    """Return the networks asked for; narrow sign and threshold networks are the same at any depth."""
    networks = []
    for activation in dict.fromkeys(arguments.activation):
        for depth in dict.fromkeys(arguments.depth[:1] if activation in STEPS else arguments.depth):
            one = {"depth": depth, "activation": activation}
            one |= {"skip_connection": arguments.skip_connection, "tol": arguments.tol}
            if activation == "abs" and depth > 2 and size > MOST_FOR_REFLECTIONS:
                one["max_breakpoints"] = MOST_FOR_REFLECTIONS
            networks.append(one)
    return networks
