"""CSV files: columns of numbers read with errors that name line and column, and rows written.

Files are read as a stream, zipped ones too. A row may have ``LONGEST`` characters and a field 131,072, and ``MOST`` numbers
may be taken from a file: memory stays below 16 bytes for each of these and some of the longest rows, whatever the file is.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convexnn._cli._common import CommandError

Array = NDArray[np.float64]
LONGEST = 2**20
MOST = 10**8
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


class _Lines:
    """The lines of a file, as long as those since the last row, which quotes may hold together, are not too long."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.since_row = file, 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.file.readline(LONGEST + 1)
        self.since_row += len(line)
        if self.since_row > LONGEST:
            raise csv.Error(f"a row is longer than {LONGEST} characters")
        if not line:
            raise StopIteration
        return line


def read_columns(path: str, names: Sequence[str]) -> Array:
    """Return the named columns of a CSV file as numbers, shape (n_rows, n_names); an error names line and column."""
    with _readable(path), open_text(path, "rt", zipped=path.endswith(".gz")) as file:
        lines = _Lines(file)
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise CommandError(f"{path} is empty: a header row with the column names is needed")
        places = [_place(path, header, name) for name in names]
        numbers, blank = array("d"), 0
        for row in reader:
            lines.since_row = 0
            if not row:  # blank lines may end a file, but not stand in it
                blank = blank or reader.line_num
                continue
            line = blank or reader.line_num
            if blank or len(row) != len(header):
                found = "a blank line" if blank else f"{len(row)} fields"
                raise CommandError(f"{path}, line {line}: {found}, but the header has {len(header)} names")
            numbers.extend(_number(row[place], path, line, header[place]) for place in places)
            if len(numbers) > MOST:
                raise CommandError(f"{path} holds more than {MOST} numbers, the most that are read")
    if not numbers:
        raise CommandError(f"{path} has no rows below its header")
    return np.frombuffer(numbers, dtype=np.float64).reshape(-1, len(places))


def _place(path: str, header: list[str], name: str) -> int:
    """Return the place of a column."""
    if header.count(name) > 1:
        raise CommandError(f"{path} has {header.count(name)} columns named {name!r}")
    if name not in header:
        hint = "; columns are separated by commas" if len(header) == 1 else ""
        raise CommandError(f"{path} has no column {name!r}; it has {', '.join(map(repr, header))}{hint}")
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
