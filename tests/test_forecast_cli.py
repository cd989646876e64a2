"""``convexnn forecast`` and its picture: the estimator's figures, and one line and exit code 2 for what is wrong."""

import csv
import gzip

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from test_cli import check_refused, write

from convexnn import ConvexNNAutoregressor
from convexnn import _cli as cli
from convexnn.datasets import load_sunspots
from convexnn.plotting import ForecastDisplay

SERIES = load_sunspots().target


@pytest.fixture
def table(tmp_path):
    """Return a CSV file with the sunspots."""
    rows = "".join(f"{year},{value!r},{'x' if year > 1900 else 0}\n" for year, value in enumerate(SERIES.tolist(), 1700))
    return write(tmp_path / "data.csv", "year,spots,broken\n" + rows)


def parsed(text):
    """Return the header and the numbers of a CSV text."""
    header, *rows = csv.reader(text.splitlines())
    return header, np.array(rows, dtype=float)


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz", None])
@pytest.mark.parametrize("lags", [[1], [2], [1, 2, 9]], ids=str)
def test_forecast(table, tmp_path, capsys, name, lags):
    out = [] if name is None else ["--out", str(tmp_path / name)]
    argv = ["forecast", table, "--column", "spots", "--lags", *map(str, lags), "--steps", "6", "--level", "80", "95"]
    assert cli.main([*argv, "--depth", "3", *out]) == 0
    text = capsys.readouterr().out
    if name is not None:
        assert text == ""
        with (gzip.open if name.endswith(".gz") else open)(tmp_path / name, "rt") as file:
            text = file.read()
    header, values = parsed(text)
    assert header == ["step", "forecast", "lower 80", "upper 80", "lower 95", "upper 95"]
    model = ConvexNNAutoregressor(lags[0] if len(lags) == 1 else lags, depth=3).fit(SERIES)
    assert_array_equal(values[:, 0], np.arange(1, 7))
    assert_array_equal(values[:, 1:], model.forecast(6, level=[80, 95]))


def test_defaults_and_options(table, capsys):
    argv = ["forecast", table, "--column", "spots", "--steps", "60"]
    assert cli.main(argv) == 0
    assert_array_equal(parsed(capsys.readouterr().out)[1][:, 1], ConvexNNAutoregressor().fit(SERIES).forecast(60))
    assert cli.main([*argv, "--difference", "1", "--activation", "abs", "--alpha", "5"]) == 0
    model = ConvexNNAutoregressor(difference=1, activation="abs", alpha=5.0).fit(SERIES)
    assert_array_equal(parsed(capsys.readouterr().out)[1][:, 1], model.forecast(60))


def test_picture(table, tmp_path, capsys):
    plot = tmp_path / "out.png"
    argv = ["forecast", table, "--column", "spots", "--lags", "1", "--steps", "20", "--level", "80", "95"]
    assert cli.main([*argv, "--plot", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(capsys.readouterr().out.splitlines()) == 21


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--column", "none", "--steps", "3"], ["no column 'none'", "'year', 'spots', 'broken'"]),
        (["--column", "broken", "--steps", "3"], ["column 'broken'", "'x' is not a number"]),
        (["--column", "spots", "--steps", "0"], ["steps must be a positive int, got 0"]),
        (["--column", "spots", "--steps", "-2"], ["steps must be a positive int"]),
        (["--column", "spots", "--steps", "1.5"], ["--steps", "1.5"]),
        (["--column", "spots"], ["--steps"]),
        (["--steps", "3"], ["--column"]),
        (["--column", "spots", "--steps", "3", "--lags", "0"], ["lags"]),
        (["--column", "spots", "--steps", "3", "--lags", "2", "2"], ["lags"]),
        (["--column", "spots", "--steps", "3", "--lags", "308"], ["series is too short: it has 309 values"]),
        (["--column", "spots", "--steps", "3", "--level", "0.95"], ["level must be a percentage"]),
        (["--column", "spots", "--steps", "3", "--level", "99.9"], ["level=99.9", "calibration windows"]),
        (["--column", "spots", "--steps", "3", "--difference", "2"], ["difference"]),
        (["--column", "spots", "--steps", "3", "--activation", "tanh"], ["activation", "tanh"]),
        (["--column", "spots", "--steps", "3", "--plot", "f.doc"], ["must end in", ".png"]),
        (["--column", "spots", "--steps", "3", "--out", "none/f.csv"], ["no such folder"]),
        (["--column", "spots", "--steps", "3", "--out", "data.csv"], ["named twice"]),
    ],
)
def test_bad_options(table, tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    check_refused(capsys, ["forecast", "data.csv", *options], *words)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_nothing_is_written_when_the_picture_fails(table, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    argv = ["forecast", table, "--column", "spots", "--steps", "3"]
    check_refused(capsys, [*argv, "--out", tmp_path / "f.csv", "--plot", tmp_path / "f.png"], "No space left")
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


DATES = pd.date_range("1700", periods=SERIES.size, freq="YS", name="year")


@pytest.mark.parametrize(
    "series",
    [
        SERIES,
        SERIES[:, None],
        pd.Series(SERIES, index=DATES, name="spots"),
        pd.DataFrame({"spots": SERIES}, index=DATES.to_period("Y")),
        pd.Series(SERIES, name="spots"),
    ],
    ids=["array", "column", "dates", "periods", "range"],
)
@pytest.mark.parametrize("level", [None, 80, [50, 95]], ids=str)
def test_plot(series, level):
    table = ConvexNNAutoregressor(lags=2).fit(series).forecast(11, level=level)
    ax = ForecastDisplay.from_forecast(series, table, level=level, shown=50).ax_
    levels = [] if level is None else np.atleast_1d(level).tolist()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(labels) == sorted(["series", "forecast", *(f"{value} %" for value in levels)])
    history, forecast = ax.lines
    assert_array_equal(history.get_ydata(), SERIES[-50:])
    assert_array_equal(forecast.get_ydata(), np.asarray(table).reshape(11, -1)[:, 0])
    assert history.get_xdata()[-1] < forecast.get_xdata()[0]
    assert len(ax.collections) == len(levels)
    assert ax.get_ylabel() == ("spots" if hasattr(series, "iloc") else "series")
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("forecast", "level", "message"),
    [
        (np.zeros((3, 2)), None, "forecast must have shape"),
        (np.zeros((0, 1)), None, "forecast must have shape"),
        (np.zeros((3, 3)), [80, 95], "level has 2 percentages, the forecast 1 intervals"),
    ],
)
def test_bad_plots(forecast, level, message):
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_forecast(SERIES, forecast, level=level)
