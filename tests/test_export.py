"""Model files: exact round trip, and one clear error for everything that is not a whole model file."""

import json
import os
import stat

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from convexnn import ConvexNNRegressor
from convexnn._export import load_model, save_model
from convexnn.datasets import load_mcycle

ACTIVATIONS = ["relu", "leaky_relu", "abs", "sign", "threshold"]


def fit(n_inputs=1, **options):
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(40, n_inputs)), 1) + 1e4
    y = np.sin(3 * X).sum(axis=1) + 0.1 * rng.normal(size=40)
    return ConvexNNRegressor(**options).fit(X, y), X


@pytest.fixture
def content(tmp_path):
    model, _ = fit()
    return json.loads(save_model(model, tmp_path / "model.json").read_text())


@pytest.mark.parametrize("n_inputs", [1, 3])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_round_trip(tmp_path, activation, skip, n_inputs):
    model, X = fit(n_inputs, activation=activation, skip_connection=skip)
    loaded = load_model(save_model(model, tmp_path / "model.json"))
    probes = np.concatenate([X, X + 0.05, X - 100.0, X + 1e6])
    np.testing.assert_array_equal(loaded.predict(probes), model.predict(probes))
    assert (loaded.alpha_, loaded.objective_) == (model.alpha_, model.objective_)
    assert (loaded.dual_gap_, loaded.exact_) == (model.dual_gap_, model.exact_)
    assert loaded.parameters["activation"] == loaded.activation == activation
    coefs, intercepts, skip_coef = model.get_network_weights()
    for saved, fitted in zip(loaded.coefs + loaded.intercepts, coefs + intercepts, strict=True):
        np.testing.assert_array_equal(saved, fitted)
    np.testing.assert_array_equal(loaded.skip_coef, skip_coef)
    for saved, fitted in zip(loaded.breakpoints_ + loaded.slopes_, model.breakpoints_ + model.slopes_, strict=True):
        np.testing.assert_array_equal(saved, fitted)


def test_model_without_units(tmp_path):
    model = ConvexNNRegressor(alpha=1e9).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0])
    loaded = load_model(save_model(model, tmp_path / "model.json"))
    assert [coef.shape for coef in loaded.coefs] == [(1, 0), (0, 1)]
    np.testing.assert_array_equal(loaded.predict([[7.0]]), [2.0])


def test_names(tmp_path):
    X, y = load_mcycle(return_X_y=True, as_frame=True)
    model = ConvexNNRegressor(alpha=1.0, random_state=np.random.RandomState(0)).fit(X, y)
    loaded = load_model(save_model(model, tmp_path / "model.json"))
    assert loaded.feature_names == ("times",)
    assert loaded.parameters["random_state"] is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="fitted to \\['times'\\]"):
        loaded.predict(pd.DataFrame({"other": [1.0]}))
    with pytest.raises(ValueError, match="2 names"):
        save_model(model, tmp_path / "other.json", feature_names=["a", "b"])


@pytest.mark.parametrize("X", [[[1.0, 2.0]], [1.0], [[np.nan]]])
def test_predict_refuses(tmp_path, X):
    loaded = load_model(save_model(fit()[0], tmp_path / "model.json"))
    with pytest.raises(ValueError, match=r"features|2D array|NaN"):
        loaded.predict(X)


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(ConvexNNRegressor(), tmp_path / "model.json")
    assert list(tmp_path.iterdir()) == []


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = save_model(fit()[0], tmp_path / "model.json")
    before = path.read_text()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(fit(alpha=0.5)[0], path)
    assert (path.read_text(), list(tmp_path.iterdir())) == (before, [path])


@pytest.mark.skipif(os.name != "posix", reason="file rights of POSIX")
def test_others_may_read(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    path = save_model(fit()[0], tmp_path / "model.json")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_deterministic(tmp_path):
    first, second = (save_model(fit()[0], tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def alter(content, path, value):
    """Set what stands at a path of keys; a value of KeyError deletes it."""
    *parents, last = path
    for key in parents:
        content = content[key]
    if value is KeyError:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "other", "format"),
        (["format"], KeyError, "format"),
        (["version"], 2, "version is 2"),
        (["version"], True, "version is True"),
        (["version"], KeyError, "version is None"),
        (["offset"], "1.0", "offset must hold numbers"),
        (["offset"], True, "offset must hold numbers"),
        (["offset"], float("nan"), "NaN"),
        (["alpha"], float("inf"), "Infinity"),
        (["alpha"], 10**400, "large"),
        (["dual_gap"], KeyError, "'dual_gap' is missing"),
        (["exact"], 1, "exact"),
        (["feature_names"], ["a", "b"], "feature_names must be 1 names"),
        (["feature_names"], [1], "feature_names"),
        (["pieces"], [], "no inputs"),
        (["pieces"], {}, "pieces must be a list"),
        (["pieces", 0, "values"], [1.0], r"pieces\[0\].values has 1 numbers"),
        (["pieces", 0, "breakpoints"], [2.0, 1.0], "do not increase"),
        (["pieces", 0, "slopes"], KeyError, "'slopes' is missing"),
        (["pieces", 0], 3, r"pieces\[0\] must be an object"),
        (["network"], None, "network must be an object"),
        (["network", "coefs", 0], [], r"coefs\[0\] must be an object"),
        (["parameters"], [], "parameters must be an object"),
        (["network", "activation"], 3, "activation"),
        (["network", "coefs"], [], "0 weight matrices"),
        (["network", "coefs", 0, "shape"], [2, 2], r"coefs\[0\] has shape \[2, 2\]"),
        (["network", "coefs", 1, "data"], [1.0], r"coefs\[1\] has 1 numbers"),
        (["network", "intercepts", 1], [1.0, 2.0], r"intercepts\[1\] has 2 numbers"),
        (["network", "skip_coef"], [1.0, 2.0], "skip_coef has 2 numbers"),
    ],
)
def test_altered_files_are_refused(tmp_path, content, path, value, message):
    alter(content, path, value)
    file = tmp_path / "altered.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"altered.json is not a valid convexnn model file: .*({message})"):
        load_model(file)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"format": "convexnn-model"', "\x00", "[" * 100_000])
def test_other_files_are_refused(tmp_path, text):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="is not a valid convexnn model file"):
        load_model(file)


def test_binary_and_missing_files(tmp_path):
    file = tmp_path / "binary.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not a valid convexnn model file"):
        load_model(file)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.json")


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_overflow_is_not_finite(tmp_path, content, number):
    file = tmp_path / "model.json"
    content["offset"] = "here"
    file.write_text(json.dumps(content).replace('"here"', number))
    with pytest.raises(ValueError, match="offset holds a number that is not finite"):
        load_model(file)
