"""The command line on real files: what it prints and writes, and one line and exit code 2 for what is wrong."""

import csv
import gzip
import os
import subprocess
import sys
import tracemalloc
import warnings
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNRegressor, __version__, _demo
from convexnn import _cli as cli
from convexnn._cli import _tables
from convexnn._cli._common import CommandError
from convexnn.datasets import load_mcycle

X, Y = load_mcycle(return_X_y=True)


def write(path, text):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    return str(path)


@pytest.fixture
def table(tmp_path):
    """Return a CSV file of the mcycle data with a second input and a weight."""
    pairs = np.column_stack([X, Y]).tolist()
    rows = "".join(f"{x!r},{y!r},{i % 7},{1 + i % 2}\n" for i, (x, y) in enumerate(pairs))
    return write(tmp_path / "data.csv", "times,accel,seven,w\n" + rows)


@pytest.fixture
def fitted(table, tmp_path):
    """Return a model file."""
    path = str(tmp_path / "model.json")
    assert cli.main(["fit", table, "--x", "times", "--y", "accel", "--out", path]) == 0
    return path


def check_refused(capsys, argv, *words):
    """Check for exit code 2, one line that holds the words, and nothing on the standard output."""
    assert cli.main([str(word) for word in argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("convexnn: error: ")
    for word in words:
        assert word in err


def test_fit_prints_and_writes(table, tmp_path, capsys):
    model_file, plot = tmp_path / "m.json", tmp_path / "fit.png"
    argv = ["fit", table, "--x", "times", "--y", "accel", "--alpha", "1", "--out", str(model_file), "--plot", str(plot)]
    assert cli.main(argv) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "gap" not in line)
    model = ConvexNNRegressor(alpha=1.0).fit(X, Y)
    assert float(lines["objective"]) == pytest.approx(model.objective_, rel=1e-9)
    assert (int(lines["neurons"]), int(lines["rows"])) == (model.n_neurons_, 133)
    assert int(lines["breakpoints"]) == len(model.breakpoints_[0])
    assert plot.read_bytes().startswith(b"\x89PNG")
    loaded = ConvexNNRegressor.from_json(model_file)
    assert loaded.feature_names_in_.tolist() == ["times"]
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "abs", "sign", "threshold"])
def test_fit_options(table, tmp_path, activation):
    path = str(tmp_path / "m.json")
    argv = ["fit", table, "--x", "times", "--x", "seven", "--y", "accel", "--weights", "w", "--skip-connection"]
    assert cli.main([*argv, "--activation", activation, "--alpha", "0.5", "--out", path]) == 0
    columns = np.column_stack([X[:, 0], np.arange(133) % 7])
    model = ConvexNNRegressor(activation=activation, alpha=0.5, skip_connection=True)
    model.fit(columns, Y, sample_weight=1 + np.arange(133) % 2)
    np.testing.assert_array_equal(ConvexNNRegressor.from_json(path).predict(columns), model.predict(columns))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("parallel --width 3 --depth 3", {"architecture": "parallel", "width": 3, "depth": 3}),
        ("tree --width 2 2 --depth 4", {"architecture": "tree", "width": (2, 2), "depth": 4}),
    ],
)
def test_fit_widths(table, tmp_path, words, options):
    path = str(tmp_path / "m.json")
    argv = ["fit", table, "--x", "times", "--y", "accel", "--alpha", "0.5", "--activation", "sign", "--out", path]
    assert cli.main([*argv, "--architecture", *words.split()]) == 0
    model = ConvexNNRegressor(activation="sign", alpha=0.5, **options).fit(X, Y)
    np.testing.assert_array_equal(ConvexNNRegressor.from_json(path).predict(X), model.predict(X))


@pytest.mark.parametrize(
    "loss",
    [{"loss": "huber"}, {"loss": "huber", "huber_delta": 5.0}, {"loss": "absolute"}, {"loss": "pinball", "quantile": 0.9}],
    ids=str,
)
def test_fit_losses(table, tmp_path, capsys, loss):
    path = str(tmp_path / "m.json")
    options = [word for name, value in loss.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert cli.main(["fit", table, "--x", "times", "--y", "accel", "--alpha", "0.5", *options, "--out", path]) == 0
    model, loaded = ConvexNNRegressor(alpha=0.5, **loss).fit(X, Y), ConvexNNRegressor.from_json(path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert cli.main(["predict", path, table, "--out", str(tmp_path / "p.csv")]) == 0


@pytest.mark.parametrize("name", ["pred.csv", "pred.csv.gz", None])
def test_predict(table, fitted, tmp_path, capsys, name):
    capsys.readouterr()
    out = [] if name is None else ["--out", str(tmp_path / name)]
    assert cli.main(["predict", fitted, table, *out]) == 0
    if name is None:
        text = capsys.readouterr().out
    else:
        opener = gzip.open if name.endswith(".gz") else open
        with opener(tmp_path / name, "rt") as file:
            text = file.read()
    header, *rows = csv.reader(text.splitlines())
    assert header == ["times", "prediction"]
    expected = np.column_stack([X, ConvexNNRegressor.from_json(fitted).predict(X)])
    np.testing.assert_array_equal(np.array(rows, dtype=float), expected)


def test_columns_are_found_by_name(fitted, tmp_path, capsys):
    other = write(tmp_path / "other.csv", "\ufeffid,note, times \n1,a b,20\n2,,30.5\n\n")
    capsys.readouterr()
    assert cli.main(["predict", fitted, other]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    np.testing.assert_array_equal(np.array(rows[1:], dtype=float)[:, 0], [20.0, 30.5])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty"]),
        ("x,y\n", ["no rows"]),
        ("x,b\n1,2\n", ["no column 'y'", "'x', 'b'"]),
        ("x;y\n1;2\n", ["no column 'x'", "'x;y'", "separated by commas"]),
        ("x,y\n1,2\n,3\n", ["line 3", "column 'x'", "missing"]),
        ("x,y\n1,2\nNaN,3\n", ["line 3", "column 'x'", "missing"]),
        ("x,y\n1,NA\n", ["line 2", "column 'y'", "missing"]),
        ("x,y\n1,2\n2,abc\n", ["line 3", "column 'y'", "'abc' is not a number"]),
        ("x,y\n1,1_000\n", ["'1_000' is not a number"]),
        ("x,y\n1,inf\n", ["not a finite number"]),
        ("x,y\n1,2\n1\n", ["line 3", "1 fields", "2 names"]),
        ("x,y\n1,2,3\n", ["line 2", "3 fields"]),
        ("x,y\n1,2\n\n3,4\n", ["line 3", "blank line"]),
        ("x,y,x\n1,2,3\n", ["2 columns named 'x'"]),
        ('x,y\n1,"' + "9" * 200_000 + '"\n', ["not a CSV file"]),
    ],
)
def test_bad_tables(tmp_path, capsys, text, words, suffix):
    data = write(tmp_path / f"data{suffix}", text)
    check_refused(capsys, ["fit", data, "--x", "x", "--y", "y", "--out", tmp_path / "m.json"], "data.csv", *words)
    assert [path.name for path in tmp_path.iterdir()] == [f"data{suffix}"]


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("data.csv", b"x,y\n1,\xff\n", ["UTF-8"]),
        ("data.csv.gz", b"x,y\n1,2\n", ["gzip"]),
        ("data.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 1000, mtime=0)[:-12], ["gzip"]),
        ("data.csv/inner", None, ["data.csv", "directory"]),
    ],
)
def test_bad_files(tmp_path, capsys, name, raw, words):
    if raw is None:
        (tmp_path / name).parent.mkdir()
        name = "data.csv"
    else:
        (tmp_path / name).write_bytes(raw)
    check_refused(capsys, ["fit", tmp_path / name, "--x", "x", "--y", "y"], name, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--x", "times", "--y", "none"], ["no column 'none'"]),
        (["--x", "times", "--y", "accel", "--weights", "none"], ["no column 'none'"]),
        (["--x", "times", "--y", "accel", "--weights", "accel"], ["sample_weight"]),
        (["--x", "times", "--x", "times", "--y", "accel"], ["twice"]),
        (["--x", "times", "--x", "w", "--y", "accel", "--plot", "p.png"], ["one input"]),
        (["--x", "times", "--y", "accel", "--plot", "fit.doc"], ["must end in", ".png"]),
        (["--x", "times", "--y", "accel", "--out", "none/m.json"], ["no such folder"]),
        (["--x", "times", "--y", "accel", "--out", "."], ["is a folder"]),
        (["--x", "times", "--y", "accel", "--out", "data.csv"], ["named twice"]),
        (["--x", "times", "--y", "accel", "--out", "a.png", "--plot", "./a.png"], ["named twice"]),
        (["--x", "times", "--y", "accel", "--depth", "1"], ["depth"]),
        (["--x", "times", "--y", "accel", "--depth", "two"], ["depth", "two"]),
        (["--x", "times", "--y", "accel", "--activation", "tanh"], ["activation", "tanh"]),
        (["--x", "times", "--y", "accel", "--architecture", "wide"], ["architecture", "wide"]),
        (["--x", "times", "--y", "accel", "--width", "2", "3"], ["--width", "tree only", "narrow"]),
        (["--x", "times", "--y", "accel", "--alpha", "-1"], ["alpha"]),
        (["--x", "times", "--y", "accel", "--alpha", "much"], ["alpha", "much"]),
        (["--x", "times", "--y", "accel", "--alpha", "bic", "--loss", "huber"], ["alpha='bic' needs loss='squared'"]),
        (["--x", "times", "--y", "accel", "--alpha", "nan"], ["alpha"]),
        (["--x", "times", "--y", "accel", "--loss", "cubic"], ["loss", "cubic"]),
        (["--x", "times", "--y", "accel", "--loss", "logistic"], ["loss", "logistic"]),
        (["--x", "times", "--y", "accel", "--loss", "pinball", "--quantile", "1"], ["quantile"]),
        (["--x", "times", "--y", "accel", "--loss", "pinball", "--quantile", "nan"], ["quantile"]),
        (["--x", "times", "--y", "accel", "--quantile", "0.9"], ["--quantile is for --loss pinball only", "squared"]),
        (["--x", "times", "--y", "accel", "--loss", "huber", "--huber-delta", "0"], ["huber_delta"]),
        (["--x", "times", "--y", "accel", "--loss", "absolute", "--huber-delta", "1"], ["--huber-delta is for"]),
        (["--x", "times"], ["--y"]),
        (["--unknown"], ["fit --help"]),
    ],
)
def test_bad_options(table, tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "data.csv").read_bytes()
    check_refused(capsys, ["fit", "data.csv", *options], *words)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]
    assert (tmp_path / "data.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], ["COMMAND"]),
        (["fly"], ["fly"]),
        (["fit", "none.csv", "--x", "x", "--y", "y"], ["none.csv", "No such file"]),
        (["predict", "none.json", "data.csv"], ["none.json", "No such file"]),
        (["predict", "data.csv", "model.json"], ["data.csv", "not a valid convexnn model"]),
        (["predict", "model.json", "model.json"], ["named twice"]),
        (["predict", "model.json", "data.csv", "--out", "model.json"], ["named twice"]),
        (["predict", "model.json", "other.csv"], ["no column 'times'"]),
        (["demo", "--out-dir", "none"], ["no such folder"]),
    ],
)
def test_bad_calls(fitted, tmp_path, capsys, monkeypatch, argv, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "other.csv", "time\n1\n")
    names = sorted(path.name for path in tmp_path.iterdir())
    capsys.readouterr()
    check_refused(capsys, argv, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_nothing_is_written_when_the_picture_fails(table, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    argv = ["fit", table, "--x", "times", "--y", "accel", "--out", tmp_path / "m.json", "--plot", tmp_path / "f.png"]
    check_refused(capsys, argv, "No space left")
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_nothing_is_written_when_the_model_fails(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ConvexNNRegressor, "to_json", Mock(side_effect=ValueError("it holds inf")))
    argv = ["fit", table, "--x", "times", "--y", "accel", "--out", tmp_path / "m.json", "--plot", tmp_path / "f.png"]
    check_refused(capsys, argv, "the model cannot be written: it holds inf")
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_model_without_names(tmp_path, table, capsys):
    path = tmp_path / "m.json"
    ConvexNNRegressor(alpha=1.0).fit(X, Y).to_json(path)
    check_refused(capsys, ["predict", path, table], "does not name its inputs")


def test_warning_is_one_line_and_no_failure(table, tmp_path, capsys, monkeypatch):
    def fit_and_warn(self, *args, original=ConvexNNRegressor.fit, **kwargs):
        warnings.warn("The gap is\ntoo large.", ConvergenceWarning, stacklevel=2)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ConvexNNRegressor, "fit", fit_and_warn)
    assert cli.main(["fit", table, "--x", "times", "--y", "accel"]) == 0
    assert capsys.readouterr().err == "convexnn: warning: The gap is too large.\n"


def test_plots_need_matplotlib(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    argv = ["fit", table, "--x", "times", "--y", "accel", "--plot", tmp_path / "fit.png"]
    check_refused(capsys, argv, "convexnn[plot]")


@pytest.mark.parametrize("argv", [["--help"], ["fit", "--help"], ["--version"]])
def test_help(capsys, argv):
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert "convexnn" in out
    assert argv != ["--version"] or out == f"convexnn {__version__}\n"


def test_as_a_process(table):
    argv = [sys.executable, "-m", "convexnn", "fit", table, "--x", "times", "--y", "accel"]
    good = subprocess.run(argv, capture_output=True, text=True)
    assert (good.returncode, good.stderr) == (0, "")
    assert "relative gap" in good.stdout
    bad = subprocess.run([*argv[:-1], "none"], capture_output=True, text=True)
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("rows", [100, pytest.param(None, marks=pytest.mark.slow)])
def test_demo(rows, tmp_path, capsys, monkeypatch):
    cases = [replace(case, x=case.x[:rows], y=case.y[:rows]) for case in _demo.load_cases()]
    monkeypatch.setattr(_demo, "load_cases", lambda: cases)
    assert cli.main(["demo", "--out-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert (tmp_path / "convexnn_demo.png").read_bytes().startswith(b"\x89PNG")
    lines = [line.split() for line in out.splitlines()]
    ours = [float(line[1]) for line in lines if line[:1] == ["ConvexNN"] and len(line) == 6]
    mlps = [float(line[1]) for line in lines if line[:1] == ["MLPRegressor"] and len(line) == 6]
    straight = [float(line[2]) for line in lines if line[:2] == ["straight", "line"] and len(line) == 7]
    assert len(ours) == len(mlps) == len(straight) == 2
    assert all(a <= min(b, c) for a, b, c in zip(ours, mlps, straight, strict=True))


def test_demo_needs_matplotlib(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    check_refused(capsys, ["demo", "--out-dir", tmp_path], "convexnn[plot]")


def test_a_reader_that_has_seen_enough(fitted, table, monkeypatch, capsys):
    capsys.readouterr()
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert cli.main(["predict", fitted, table]) == 1
    monkeypatch.undo()
    assert capsys.readouterr().err == ""


def test_an_interrupted_command(table, capsys, monkeypatch):
    monkeypatch.setattr(ConvexNNRegressor, "fit", Mock(side_effect=KeyboardInterrupt))
    assert cli.main(["fit", table, "--x", "times", "--y", "accel"]) == 130
    assert capsys.readouterr() == ("", "convexnn: error: interrupted\n")


def test_memory_of_tables_is_bounded(tmp_path, monkeypatch):
    rows = "x,y\n" + "1,2\n" * 9
    for name, text, word in [
        ("line.csv", rows + "1," + "0" * 200, "longer than 100 characters"),
        ("quotes.csv", rows + '1,"' + "\n" * 200, "longer than 100 characters"),
        ("fields.csv", rows + '"\n","\n",' * 50, "longer than 100 characters"),
        ("zipped.csv.gz", rows + "1,2\n" * 20, "more than 40 numbers"),
    ]:
        path = write(tmp_path / name, text)
        monkeypatch.setattr(_tables, "LONGEST", 100)
        monkeypatch.setattr(_tables, "MOST", 40)
        with pytest.raises(CommandError, match=word):
            _tables.read_columns(path, ["x", "y"])
    np.testing.assert_array_equal(_tables.read_columns(write(tmp_path / "good.csv", rows), ["y", "x"]), [[2, 1]] * 9)


def test_a_zipped_table_is_not_unpacked_as_a_whole(tmp_path):
    # a hundred million characters without a line break, from a hundred kilobytes
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"x,y\n")
        for _ in range(100):
            file.write(b"1" * 10**6)
    tracemalloc.start()
    with pytest.raises(CommandError, match="longer than 1048576 characters"):
        _tables.read_columns(str(path), ["x"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e7
