"""Reading the bundled data files into scikit-learn's ``Bunch``."""

from __future__ import annotations

import csv
import gzip
import io
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

Array = NDArray[np.float64]


def read_columns(filename: str) -> tuple[list[str], Array]:
    """Return the header and the numbers, shape (n_rows, n_columns), of a file in the ``data`` folder."""
    raw = (resources.files("convexnn.datasets") / "data" / filename).read_bytes()
    text = (gzip.decompress(raw) if filename.endswith(".gz") else raw).decode("utf-8")
    header, *rows = csv.reader(io.StringIO(text))
    return header, np.array(rows, dtype=np.float64)


def make_bunch(
    data: Array,
    target: Array,
    feature_names: list[str],
    target_name: str,
    descr: str,
    *,
    return_X_y: bool = False,
    as_frame: bool = False,
    filename: str | None = None,
) -> Any:
    """Return one input and its target in the form asked for, with scikit-learn's names."""
    frame = None
    X: Any = data
    y: Any = target
    if as_frame:
        X, y, frame = _as_frame(data, target, feature_names, target_name)
    if return_X_y:
        return X, y
    names = {"feature_names": feature_names, "target_names": [target_name]}
    bunch = Bunch(data=X, target=y, frame=frame, **names, DESCR=descr.strip() + "\n")
    if filename is not None:
        bunch.filename = filename
    return bunch


def _as_frame(data: Array, target: Array, feature_names: list[str], target_name: str) -> tuple[Any, Any, Any]:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: python -m pip install pandas") from error
    frame = pd.DataFrame(np.column_stack([data, target]), columns=[*feature_names, target_name])
    return frame[feature_names], frame[target_name], frame


def load_file(filename: str, descr: str, *, return_X_y: bool, as_frame: bool) -> Any:
    """Load a bundled file whose last column is the target."""
    header, numbers = read_columns(filename)
    return make_bunch(
        numbers[:, :-1].copy(),
        numbers[:, -1].copy(),
        header[:-1],
        header[-1],
        descr,
        return_X_y=return_X_y,
        as_frame=as_frame,
        filename=filename,
    )
