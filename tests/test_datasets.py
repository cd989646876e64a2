"""The bundled data: shapes and values as documented, scikit-learn's conventions, licences, and the simulated series."""

import sys
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from convexnn import datasets

# name: (rows, column of the input, column of the target, first row, last row, licence)
REAL = {
    "btc_minutes": (20160, "timestamp", "close", (1786924800, 62830.33), (1788134340, 77701.7), "Apache-2.0"),
    "btc_half_hours": (35019, "timestamp", "close", (1506816000, 4386.3), (1569888000, 8265.5), "MIT"),
    "mcycle": (133, "times", "accel", (2.4, 0.0), (57.6, 10.7), "Apache-2.0"),
    "lynx": (114, "year_number", "trappings", (1, 269.0), (114, 3396.0), "BSD-3-Clause"),
    "sunspots": (309, "year", "sunspots", (1700, 5.0), (2008, 2.9), "public domain"),
    "faithful": (272, "eruptions", "waiting", (3.6, 79.0), (4.467, 74.0), "Apache-2.0"),
    "engel": (
        235, "income", "foodexp", (420.157650843928, 255.839424594576), (1057.67671146451, 750.320163419201), "public domain"
    ),
    "auto_mpg": (392, "horsepower", "mpg", (130.0, 18.0), (82.0, 31.0), "BSD-3-Clause"),
    "nile": (100, "year", "volume", (1871, 1120.0), (1970, 740.0), "public domain"),
    "run_log": (376, "distance", "pace", (0.0, 30.88072), (4333.266, 17.3851), "BSD-3-Clause"),
}
TOYS = {
    "zshape": ([0, 2, 6, 7], [0, 0, 3, 3]),
    "bounce": ([0, 2, 6, 7], [0, 0, 3, 7]),
    "opt": ([0, 4, 5, 7, 10, 11], [0, 0, 0, 2, 3, 3]),
}


def load(name, **options):
    return getattr(datasets, f"load_{name}")(**options)


@pytest.mark.parametrize("name", REAL)
def test_real_values(name):
    rows, _, _, first, last, licence = REAL[name]
    bunch = load(name)
    assert bunch.data.shape == (rows, 1)
    assert bunch.target.shape == (rows,)
    assert (bunch.data[0, 0], bunch.target[0]) == first
    assert (bunch.data[-1, 0], bunch.target[-1]) == last
    assert licence in bunch.DESCR
    assert "Source:" in bunch.DESCR


@pytest.mark.parametrize("name", TOYS)
def test_toy_values(name):
    X, y = load(name, return_X_y=True)
    assert (X[:, 0].tolist(), y.tolist()) == TOYS[name]
    assert "2403.01046" in load(name).DESCR


@pytest.mark.parametrize("name", [*REAL, *TOYS])
def test_forms(name):
    bunch, frames = load(name), load(name, as_frame=True)
    X, y = load(name, return_X_y=True, as_frame=True)
    assert np.isfinite(bunch.data).all()
    assert np.isfinite(bunch.target).all()
    assert bunch.data.dtype == bunch.target.dtype == np.float64
    assert bunch.frame is None
    pd.testing.assert_frame_equal(X, frames.data)
    pd.testing.assert_series_equal(y, frames.target)
    assert frames.frame.columns.tolist() == bunch.feature_names + bunch.target_names
    np.testing.assert_array_equal(frames.frame.to_numpy(), np.column_stack([bunch.data, bunch.target]))


@pytest.mark.parametrize("name", REAL)
def test_column_names(name):
    bunch = load(name)
    assert (bunch.feature_names, bunch.target_names) == ([REAL[name][1]], [REAL[name][2]])


@pytest.mark.parametrize("name", [*REAL, *TOYS])
def test_loads_are_independent(name):
    load(name).target[:] = 0.0
    assert load(name).target.any()


def test_frames_need_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert datasets.load_lynx().frame is None
    with pytest.raises(ImportError, match="as_frame=True needs pandas"):
        datasets.load_lynx(as_frame=True)


def test_every_data_file_has_its_note():
    folder = resources.files("convexnn.datasets") / "data"
    note = (folder / "README.md").read_text(encoding="utf-8")
    files = {entry.name for entry in folder.iterdir()} - {"README.md"}
    assert {name for name in files if name not in note} == set()


def test_btc_is_one_price_a_minute():
    X, y = datasets.load_btc_minutes(return_X_y=True)
    np.testing.assert_array_equal(np.diff(X[:, 0]), 60.0)
    np.testing.assert_array_equal(np.round(y, 2), y)


def test_half_hours_have_nine_gaps():
    X, y = datasets.load_btc_half_hours(return_X_y=True)
    steps = np.diff(X[:, 0]) / 1800.0
    assert (steps == steps.round()).all() and steps.min() == 1.0
    assert np.count_nonzero(steps > 1.0) == 9 and steps.max() == 6.0
    assert y.min() > 3000.0 and y.max() < 20_000.0


def test_minute_prices():
    prices = datasets.make_minute_prices(50_000)
    np.testing.assert_array_equal(prices, datasets.make_minute_prices(50_000, random_state=0))
    np.testing.assert_array_equal(prices, np.round(prices, 2))
    assert prices[0] == 1000.0
    assert prices.min() >= 0.01
    assert np.diff(np.log(prices)).std() == pytest.approx(0.001, rel=0.02)
    assert np.unique(prices).size < 0.8 * prices.size
    assert not np.array_equal(prices, datasets.make_minute_prices(50_000, random_state=1))


@pytest.mark.parametrize(
    ("options", "name"),
    [({"n": 0}, "n"), ({"start": 0.0}, "start"), ({"start": np.nan}, "start"), ({"volatility": -1.0}, "volatility")],
)
def test_minute_prices_bad_options(options, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        datasets.make_minute_prices(**{"n": 10, **options})
