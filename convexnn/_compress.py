"""compress: the sufficient statistics of the squared loss, from chunks, Parquet files or Dask, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _get_feature_names

from convexnn.compression import Compressed, Pool

Array = NDArray[np.float64]
BATCH = 1 << 17  # rows of a Parquet file read at a time
BRANCHES = 8  # summaries merged into one, on the way from the leaves of a tree to its root


@validate_params(
    {
        "source": "no_validation",
        "x": [str, list, tuple, None],
        "y": [str, None],
        "sample_weight": [str, None],
        "grid": [Interval(Real, 0.0, None, closed="neither"), "array-like", None],
        "max_points": [Interval(Integral, 1, 2**30, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def compress(
    source: Any,
    *,
    x: str | list[str] | tuple[str, ...] | None = None,
    y: str | None = None,
    sample_weight: str | None = None,
    grid: float | ArrayLike | None = None,
    max_points: int = 10_000_000,
) -> Compressed:
    """Merge any number of rows into what the squared loss depends on: distinct inputs, weights, mean targets, a constant.

    The rows are read once and never held: memory grows with the number of distinct inputs, by some 200 bytes for each.
    :meth:`ConvexNNRegressor.fit_compressed` then trains the network that ``fit`` trains on all rows.

    Parameters
    ----------
    source : iterable, str, os.PathLike, Dask DataFrame, or tuple of Dask arrays
        The rows. An iterable gives chunks: tuples ``(X, y)`` or ``(X, y, sample_weight)`` as for ``fit``, or what
        ``compress`` returned before, so that rows can be added and parts be merged. A path is a Parquet file or a folder of
        them, read in batches; needs pyarrow. Partitions of a Dask DataFrame, or blocks of Dask arrays ``(X, y)`` or
        ``(X, y, sample_weight)``, are summarised where they are, and the summaries merged in a tree, by Dask's scheduler.
    x : str or list of str, default=None
        The columns with the inputs, of a Parquet file or Dask DataFrame.
    y, sample_weight : str, default=None
        The columns with targets and weights.
    grid : float or array-like of shape (n_features,), default=None
        The width of a grid to whose nearest point every input is rounded, in the units of the inputs; 0 leaves an input as
        it is. ``objective_bounds_`` of the fit says what that can have changed. By default nothing is rounded.
    max_points : int, default=10_000_000
        The largest number of distinct inputs to hold: more are an error instead of a full memory.

    Returns
    -------
    Compressed
        The points, with ``score(model)`` on all rows.

    Raises
    ------
    ValueError
        If an argument or a chunk is not valid (which one is said), no row has weight, or there are too many distinct inputs.
    ImportError
        If a library is needed that is not installed.

    Notes
    -----
    Means and squares are updated row by row with the formula of Chan, Golub and LeVeque (*Updating formulae and a pairwise
    algorithm for computing sample variances*, 1979), in compensated arithmetic: neither the number of rows nor their order
    matters beyond the last digits.

    Means are doubles. Of targets that scatter by less than 1e5 of the last digits of their size (1e-3 about 1e8), subtract
    an offset first: rounded means are other data, and what ``fit_compressed`` says of the objective is true of these.
    ``fit`` subtracts it by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from convexnn import ConvexNNRegressor, compress
    >>> def chunks():
    ...     for seed in range(10):
    ...         cents = np.random.default_rng(seed).integers(0, 50, size=(1000, 1))
    ...         yield cents / 100, np.sin(cents[:, 0] / 10)
    >>> data = compress(chunks())
    >>> data
    <10000 rows as 50 points>
    >>> bool(ConvexNNRegressor().fit_compressed(data).dual_gap_ <= 1e-6)
    True
    """
    named = isinstance(source, (str, os.PathLike)) or _is_dask(source)
    if named and (x is None or y is None):
        raise ValueError("x and y must name the columns with inputs and targets")
    if not named and not (x is None and y is None and sample_weight is None):
        raise ValueError("x, y and sample_weight name columns of a Parquet file or Dask DataFrame; chunks are (X, y)")
    inputs = () if x is None else (x,) if isinstance(x, str) else tuple(x)
    columns = [name for name in (*inputs, y, sample_weight) if name is not None]
    if isinstance(source, (str, os.PathLike)):
        data = summarize(_parquet(source, columns, len(inputs)), grid, max_points, inputs)
    elif named:
        data = _tree(_partitions(source, columns, len(inputs)), grid, max_points)
    elif isinstance(source, tuple) and source and all(map(_is_dask, source)):
        data = _tree(_blocks(*source), grid, max_points)
    else:
        data = summarize(source, grid, max_points)
    if not data.y.size:
        raise ValueError(f"source has no row of positive weight; it has {data.n_rows} rows")
    return data


def summarize(
    chunks: Iterable[Any], grid: Any, max_points: int, names: tuple[str, ...] | None = None, first: int = 0
) -> Compressed:
    """Pool chunks one after another; ``first`` is the number of the first, for messages."""
    pool = None
    for number, chunk in enumerate(chunks, first):
        with _said_of(number):
            part = chunk if isinstance(chunk, Compressed) else _read(chunk)
            if pool is None:
                pool, names = Pool(_widths(grid, part.n_features), int(max_points)), names or part.feature_names
            if part.n_features != pool.n_features:
                raise ValueError(f"it has {part.n_features} inputs, those before have {pool.n_features}")
            if part.feature_names not in (None, names):
                raise ValueError(f"its inputs are named {part.feature_names}, those before {names}")
            pool.add(part)
    if pool is None:
        raise ValueError("source has no chunks")
    return pool.result(names)


@contextmanager
def _said_of(number: int) -> Iterator[None]:
    """Say in an error message which chunk it is about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"chunk {number} of source: {error}") from error


def _read(chunk: Any) -> Compressed:
    """Check a chunk, which may be empty, as ``fit`` would check its data: rows not merged yet."""
    if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
        raise TypeError(
            f"a chunk must be (X, y), (X, y, sample_weight) or a Compressed, got {type(chunk).__name__}; one chunk alone is "
            "[(X, y)]"
        )
    names = _get_feature_names(chunk[0])
    X = check_array(chunk[0], dtype=np.float64, ensure_min_samples=0, input_name="X")
    y = _read_column(chunk[1], "y")
    w: Array = np.broadcast_to(1.0, y.shape) if len(chunk) == 2 else _read_column(chunk[2], "sample_weight")
    check_consistent_length(X, y, w)
    if w.min(initial=0.0) < 0.0:
        raise ValueError("Negative values in data passed to `sample_weight`.")
    nothing: Array = np.broadcast_to(0.0, y.shape)
    return Compressed(X, y, w, nothing, y.size, np.empty((y.size, 0)), None if names is None else tuple(names))


def _read_column(values: Any, name: str) -> Array:
    return column_or_1d(check_array(values, dtype=np.float64, ensure_2d=False, ensure_min_samples=0, input_name=name))


def _widths(grid: Any, n_features: int) -> Array:
    """Return the width of the grid of each input, 0 without one."""
    if grid is None:
        return np.zeros(n_features)
    if isinstance(grid, Real):
        return np.full(n_features, float(grid))
    widths: Array = check_array(grid, dtype=np.float64, ensure_2d=False, input_name="grid")
    if widths.shape != (n_features,) or widths.min() < 0.0:
        raise ValueError(f"grid must be a width, or one for each of {n_features} inputs, not negative, got {grid!r}")
    return widths


def _check_names(wanted: list[str], present: list[str]) -> None:
    for name in wanted:
        if name not in present:
            raise ValueError(f"{name!r} is no column of source, which has {present!r}")


def _parquet(path: Any, columns: list[str], n_inputs: int) -> Iterator[tuple[Array, ...]]:
    """Read a Parquet file or folder in batches: the inputs, the targets and, if there is a third kind, the weights."""
    try:
        import pyarrow as pa
        import pyarrow.dataset
    except ImportError as error:
        raise ImportError("Reading Parquet files needs pyarrow: pip install pyarrow") from error
    source = pa.dataset.dataset(path, format="parquet")
    _check_names(columns, source.schema.names)
    # a scan of the whole would read ahead and hold what it has read: a scan of each row group holds that group at most
    options = pa.dataset.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
    for group in (part for fragment in source.get_fragments() for part in fragment.split_by_row_group()):
        for batch in group.to_batches(
            source.schema, list(dict.fromkeys(columns)), batch_size=BATCH, use_threads=False, fragment_scan_options=options
        ):
            values = [_numbers(name, batch.column(name)) for name in columns]
            yield np.column_stack(values[:n_inputs]), *values[n_inputs:]


def _numbers(name: str, column: Any) -> Array:
    """Return a column of numbers, decimals included, as floats; what is missing becomes NaN."""
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)):
        raise ValueError(f"column {name!r} of source is of type {column.type}, not a number")
    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _is_dask(source: Any) -> bool:
    return hasattr(source, "__dask_graph__")


def _partitions(frame: Any, columns: list[str], n_inputs: int) -> list[tuple[Any, ...]]:
    """Return the partitions of a Dask DataFrame as chunks still to be computed."""
    if not hasattr(frame, "columns"):
        raise ValueError(f"source must be a Dask DataFrame or a tuple of Dask arrays, got {type(frame).__name__}")
    _check_names(columns, list(frame.columns))
    parts = frame[list(dict.fromkeys(columns))].to_delayed()
    return [(part[columns[:n_inputs]], *(part[name] for name in columns[n_inputs:])) for part in parts]


def _blocks(X: Any, *others: Any) -> list[tuple[Any, ...]]:
    """Return the blocks of Dask arrays as chunks still to be computed."""
    if X.ndim != 2 or any(part.ndim != 1 for part in others) or len(others) not in (1, 2):
        raise ValueError("Dask arrays must be X of two dimensions, y of one, and, if at all, sample_weight of one")
    X = X.rechunk({1: -1})
    known = not np.isnan(X.chunks[0]).any()
    others = tuple(part.rechunk({0: X.chunks[0]}) if known else part for part in others)
    if len({len(part.chunks[0]) for part in (X, *others)}) > 1:
        raise ValueError("Dask arrays of unknown sizes must have the same number of blocks")
    return list(zip(X.to_delayed()[:, 0], *(part.to_delayed() for part in others), strict=True))


def _tree(chunks: list[tuple[Any, ...]], grid: Any, max_points: int) -> Compressed:
    """Summarise chunks by Dask where they are, and merge the summaries in a tree."""
    from dask.base import compute
    from dask.delayed import delayed

    summary = delayed(summarize)
    level = [summary([chunk], grid, max_points, first=number) for number, chunk in enumerate(chunks)]
    while len(level) > 1:
        level = [summary(level[k : k + BRANCHES], None, max_points) for k in range(0, len(level), BRANCHES)]
    return compute(level[0])[0]
