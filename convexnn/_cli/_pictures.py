"""Pictures: figures made before anything is computed, and saved whole or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from convexnn._cli._common import CommandError
from convexnn._export.disk import replacing
from convexnn.plotting._style import make_figure


def new_picture(path: str) -> tuple[Any, Any]:
    """Return an empty figure for that file and its axes; an error where it could not be saved in the end."""
    try:
        figure, (axes,) = make_figure()
    except ImportError as error:
        raise CommandError(str(error)) from error
    kinds = figure.canvas.get_supported_filetypes()
    if _kind(path) not in kinds:
        raise CommandError(f"--plot {path}: the name must end in .{', .'.join(sorted(kinds))}")
    return figure, axes


def save_picture(figure: Any, path: str, files: ExitStack) -> None:
    """Save a figure; it takes its place when ``files`` closes without an error."""
    figure.savefig(files.enter_context(replacing(path)), format=_kind(path))


def _kind(path: str) -> str:
    return Path(path).suffix.lower().lstrip(".")
