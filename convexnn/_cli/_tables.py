"""CSV files: columns of numbers read with errors that name line and column, and rows written."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convexnn._cli._common import CommandError

Array = NDArray[np.float64]
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


def write_rows(file: IO[str], header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a header and rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def open_text(path: str | Path, mode: str, *, zipped: bool) -> Any:
    """Open a text file in UTF-8, zipped or not."""
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
    with _readable(path), open_text(path, "rt", zipped=path.endswith(".gz")) as file:
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
