"""``convexnn demo``: two real data sets, fitted, compared and drawn."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from convexnn._cli._common import CommandError
from convexnn._demo import run_demo


def add(commands: Any) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser("demo", help="fit two bundled real data sets, compare, and draw them")
    demo.add_argument("--out-dir", default=".", metavar="DIR", help="where convexnn_demo.png goes (default: here)")
    demo.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    if not os.path.isdir(arguments.out_dir):
        raise CommandError(f"--out-dir {arguments.out_dir}: no such folder")
    try:
        run_demo(Path(arguments.out_dir), lambda line: print(line, flush=True))
    except ImportError as error:
        raise CommandError(str(error)) from error
    return 0
