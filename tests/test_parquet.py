"""Parquet files and folders, read in batches."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from convexnn import ConvexNNRegressor, compress

pa = pytest.importorskip("pyarrow", reason="needs pyarrow, which the extra dask brings along")
pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow, which the extra dask brings along")


@pytest.fixture(scope="module")
def columns():
    """Return cents, whole numbers, targets and weights."""
    rng = np.random.default_rng(0)
    cents = rng.integers(0, 200, size=5000)
    return {
        "price": cents / 100,
        "size": rng.integers(0, 3, size=5000),
        "next": np.sin(cents / 30) + rng.normal(size=5000),
        "weight": rng.integers(0, 3, size=5000).astype(np.float32),
        "name": np.array(["a"] * 5000),
    }


def same(found, chunk):
    """Assert that what was read is what one chunk of arrays gives."""
    expected = compress([chunk])
    assert_array_equal(found.X, expected.X)
    assert_allclose(found.y, expected.y, rtol=1e-14)
    assert found.constant == pytest.approx(expected.constant, rel=1e-13) and found.n_rows == expected.n_rows


@pytest.mark.parametrize("folder", [False, True])
def test_file_and_folder(folder, columns, tmp_path):
    table, path = pa.table(columns), tmp_path / "data.parquet"
    if folder:
        path.mkdir()
        for k in range(4):
            pq.write_table(table.slice(1250 * k, 1250), path / f"part-{k}.parquet", row_group_size=300)
    else:
        pq.write_table(table, path)
    found = compress(path, x="price", y="next", sample_weight="weight")
    same(found, (columns["price"][:, None], columns["next"], columns["weight"]))
    assert found.feature_names == ("price",)
    both = compress(str(path), x=["price", "size"], y="next")
    same(both, (np.column_stack([columns["price"], columns["size"]]), columns["next"]))
    model = ConvexNNRegressor().fit_compressed(both)
    assert model.feature_names_in_.tolist() == ["price", "size"]


def test_decimals_are_numbers(tmp_path):
    prices = [Decimal("0.07"), Decimal("1.10"), Decimal("0.07")]
    pq.write_table(pa.table({"x": pa.array(prices, pa.decimal128(10, 2)), "y": [1, 2, 3]}), tmp_path / "d.parquet")
    found = compress(tmp_path / "d.parquet", x="x", y="y")
    assert found.X.tolist() == [[0.07], [1.1]] and found.y.tolist() == [2.0, 2.0]


def test_bad_columns(columns, tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({**columns, "gap": pa.array([None] + [1.0] * 4999)}), path)
    with pytest.raises(ValueError, match="x and y must name the columns"):
        compress(path, x="price")
    with pytest.raises(ValueError, match=r"'cost' is no column of source, which has \['price'"):
        compress(path, x="cost", y="next")
    with pytest.raises(ValueError, match="column 'name' of source is of type string, not a number"):
        compress(path, x="name", y="next")
    with pytest.raises(ValueError, match="chunk 0 of source: Input X contains NaN"):
        compress(path, x="gap", y="next")
    with pytest.raises(FileNotFoundError):
        compress(tmp_path / "none.parquet", x="price", y="next")


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="Reading Parquet files needs pyarrow"):
        compress(tmp_path / "data.parquet", x="x", y="y")


def test_a_file_is_not_held_in_memory(tmp_path):
    """Four million rows in groups of a hundred thousand, of which a process of its own may hold a part only."""
    rng = np.random.default_rng(0)
    schema = pa.schema([("x", pa.float64()), ("y", pa.float64())])
    with pq.ParquetWriter(tmp_path / "long.parquet", schema, compression="none") as writer:
        for _ in range(40):
            part = {"x": rng.integers(0, 1000, size=100_000) / 8, "y": rng.normal(size=100_000)}
            writer.write_table(pa.table(part, schema=schema))
    code = f"""
import resource, sys
import pyarrow.parquet
from convexnn import compress
compress([([[0.0]], [1.0])])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = compress({str(tmp_path / "long.parquet")!r}, x="x", y="y")
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(data.n_rows, data.y.size, more * (1 if sys.platform == "darwin" else 1024))
"""
    pytest.importorskip("resource", reason="Windows does not tell a process's peak memory this way")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out[:2] == ["4000000", "1000"]
    assert int(out[2]) < 45e6 < 64e6  # the columns are 64 MB
