"""The command ``convexnn``: one file for each of its commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from convexnn import __version__
from convexnn._cli import demo, explore, fit, forecast, predict
from convexnn._cli._common import CommandError, one_line

# in the order of the help; each has add(commands), which sets the function that runs it
COMMANDS = (fit, predict, forecast, explore, demo)


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
    print(f"convexnn: error: {one_line(message)}", file=sys.stderr)
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="convexnn", description="Neural networks on one input or a few, trained to certified global optimality."
    )
    parser.add_argument("--version", action="version", version=f"convexnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
