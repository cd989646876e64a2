"""Model files: exact round trip, and one clear error for everything that is not a whole model file."""

import json
import os
import stat

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor, ConvexNNRegressorCV
from convexnn._export import disk
from convexnn.datasets import load_lynx, load_mcycle

ACTIVATIONS = ["relu", "leaky_relu", "abs", "sign", "threshold"]


def fit(n_inputs=1, **options):
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(40, n_inputs)), 1) + 1e4
    y = np.sin(3 * X).sum(axis=1) + 0.1 * rng.normal(size=40)
    return ConvexNNRegressor(**options).fit(X, y), X


@pytest.fixture
def content():
    return json.loads(fit()[0].to_json())


def save(model, path):
    model.to_json(path)
    return path


NETWORKS = [
    *({"activation": activation, "skip_connection": skip} for activation in ACTIVATIONS for skip in (False, True)),
    {"depth": 4},
    {"depth": 3, "activation": "leaky_relu"},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "architecture": "symmetrized", "skip_connection": True},
    {"depth": 4, "activation": "sign", "architecture": "tree", "width": (2, 2)},
    {"depth": 3, "activation": "threshold", "architecture": "parallel", "width": 3},
]


@pytest.mark.parametrize("n_inputs", [1, 3])
@pytest.mark.parametrize("options", NETWORKS, ids=str)
def test_round_trip(tmp_path, options, n_inputs):
    model, X = fit(n_inputs, **options, tol=1e-3, alpha=0.02)
    loaded = ConvexNNRegressor.from_json(save(model, tmp_path / "model.json"))
    assert type(loaded) is ConvexNNRegressor
    assert loaded.get_params() == model.get_params()
    probes = np.concatenate([X, X + 0.05, X - 100.0, X + 1e6])
    np.testing.assert_array_equal(loaded.predict(probes), model.predict(probes))
    np.testing.assert_array_equal(loaded.network_(probes), model.network_(probes))
    for name, value in vars(model).items():
        if isinstance(value, (bool, int, float, str)) and not name.startswith("_"):
            assert getattr(loaded, name) == value, name
    coefs, intercepts, skip_coef = model.get_network_weights()
    for saved, fitted in zip(
        [*loaded.network_.coefs, *loaded.network_.intercepts, *loaded.breakpoints_, *loaded.slopes_, loaded.coef_],
        [*coefs, *intercepts, *model.breakpoints_, *model.slopes_, model.coef_],
        strict=True,
    ):
        np.testing.assert_array_equal(saved, fitted)
    np.testing.assert_array_equal(loaded.get_network_weights()[2], skip_coef)
    assert (list(loaded.features_), loaded.summary()) == (list(model.features_), model.summary())
    assert loaded.to_json() == model.to_json()


def test_a_loaded_model_can_be_fitted_again_but_not_certified():
    model, X = fit()
    loaded = ConvexNNRegressor.from_json(model.to_json())
    with pytest.raises(ValueError, match="This needs the training data"):
        loaded.certify()
    assert loaded.set_params(warm_start=True).fit(X, X[:, 0]).certify().exact


def test_text_and_path_are_told_apart(tmp_path):
    model, X = fit()
    path = tmp_path / "model.json"
    assert model.to_json(str(path)) is None
    for source in (path, str(path), path.read_text(), "\n " + path.read_text()):
        np.testing.assert_array_equal(ConvexNNRegressor.from_json(source).predict(X), model.predict(X))


def test_model_without_units(tmp_path):
    model = ConvexNNRegressor(alpha=1e9).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0])
    loaded = ConvexNNRegressor.from_json(save(model, tmp_path / "model.json"))
    assert [coef.shape for coef in loaded.get_network_weights()[0]] == [(1, 0), (0, 1)]
    np.testing.assert_array_equal(loaded.predict([[7.0]]), [2.0])


def test_size_is_linear_in_the_units():
    x = np.arange(400.0)[:, None]
    sizes = [len(ConvexNNRegressor(3, alpha=0).fit(x[:n], np.cos(x[:n, 0])).to_json()) for n in (200, 400)]
    assert sizes[1] < 2.3 * sizes[0]


def test_names(tmp_path):
    X, y = load_mcycle(return_X_y=True, as_frame=True)
    model = ConvexNNRegressor(alpha=1.0, random_state=np.random.RandomState(0)).fit(X, y)
    loaded = ConvexNNRegressor.from_json(save(model, tmp_path / "model.json"))
    assert loaded.feature_names_in_.tolist() == ["times"]
    assert loaded.random_state is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(pd.DataFrame({"other": [1.0]}))


def test_parameters_of_numpy_types_are_kept():
    model, X = fit(alpha=np.float64(0.02), depth=np.int64(3), tol=np.float32(0.125), monotonic_cst=np.array([1]))
    loaded = ConvexNNRegressor.from_json(model.to_json())
    assert (loaded.alpha, loaded.depth, loaded.tol, loaded.monotonic_cst) == (0.02, 3, 0.125, [1])
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_autoregressor_goes_on_from_its_series():
    series = load_lynx().target
    model = ConvexNNAutoregressor(lags=[1, 2], difference=1).fit(series)
    loaded = ConvexNNAutoregressor.from_json(model.to_json())
    np.testing.assert_array_equal(loaded.forecast(12, level=80), model.forecast(12, level=80))
    np.testing.assert_array_equal(loaded.residuals_, model.residuals_)
    for state in ({}, {"history": "x"}, {"history": [{}] * 9}, {"history": [1.0]}, {"history": [1.0] * 9, "more": 1}):
        content = json.loads(model.to_json()) | {"extra": state}
        with pytest.raises(ValueError, match=r"history|one series|values do not fit|not 'dict'"):
            ConvexNNAutoregressor.from_json(json.dumps(content))


@pytest.mark.parametrize("method", ["to_json", "to_piecewise", "to_sympy", "to_latex", "to_python", "to_torch",
                                    "to_mlp_regressor"])  # fmt: skip
def test_unfitted(method):
    with pytest.raises(NotFittedError):
        getattr(ConvexNNRegressor(), method)()


def test_cross_validated_model():
    X, y = load_mcycle(return_X_y=True)
    model = ConvexNNRegressorCV(depths=(2, 3), alphas=5, cv=3).fit(X, y)
    loaded = ConvexNNRegressorCV.from_json(model.to_json())
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert (loaded.depth_, loaded.activation_, loaded.alpha_) == (model.depth_, model.activation_, model.alpha_)
    np.testing.assert_array_equal(loaded.mse_path_, model.mse_path_)
    np.testing.assert_array_equal(loaded.alphas_, model.alphas_)
    content = json.loads(model.to_json())
    content["extra"]["mse_path"]["shape"] = [5, 4]
    with pytest.raises(ValueError, match="mse_path has 15 numbers, expected 20"):
        ConvexNNRegressorCV.from_json(json.dumps(content))
    del content["extra"]["mse_path"]
    with pytest.raises(ValueError, match="extra must hold alphas and mse_path"):
        ConvexNNRegressorCV.from_json(json.dumps(content))


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = save(fit()[0], tmp_path / "model.json")
    before = path.read_text()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fit(alpha=0.5)[0].to_json(path)
    assert (path.read_text(), list(tmp_path.iterdir())) == (before, [path])


def test_a_missing_folder_is_that_of_the_file_asked_for(tmp_path):
    path = tmp_path / "missing" / "model.json"
    with pytest.raises(FileNotFoundError) as caught:
        fit()[0].to_json(path)
    assert caught.value.filename == str(path)


@pytest.mark.skipif(os.name != "posix", reason="file rights of POSIX")
def test_others_may_read(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    path = save(fit()[0], tmp_path / "model.json")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_deterministic(tmp_path):
    first, second = (save(fit()[0], tmp_path / name).read_bytes() for name in ("a", "b"))
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
        (["version"], 1, "version is 1"),
        (["version"], 4, "version is 4"),
        (["version"], 2.0, "version is 2.0"),
        (["version"], True, "version is True"),
        (["version"], KeyError, "version is None"),
        (["offset"], "1.0", "offset must hold numbers"),
        (["offset"], True, "offset must hold numbers"),
        (["offset"], float("nan"), "NaN"),
        (["fitted", "alpha_"], float("inf"), "Infinity"),
        (["fitted", "alpha_"], 10**400, "large"),
        (["fitted", "dual_gap_"], KeyError, "differs in dual_gap_"),
        (["fitted", "predict"], 1.0, "differs in predict"),
        (["fitted", "exact_"], 1, "exact_ must be of type bool"),
        (["fitted", "n_iter_"], True, "n_iter_ must be of type int"),
        (["feature_names"], ["a", "b"], "feature_names must be 1 names"),
        (["feature_names"], [1], "feature_names"),
        (["pieces"], [], "no inputs"),
        (["pieces"], {}, "pieces must be a list"),
        (["pieces", 0, "values"], [1.0], r"pieces\[0\].values has 1 numbers"),
        (["pieces", 0, "breakpoints"], [2.0, 1.0], "do not increase"),
        (["pieces", 0, "slopes"], KeyError, "'slopes' is missing"),
        (["pieces", 0], 3, r"pieces\[0\] must be an object"),
        (["network"], None, "network must be an object"),
        (["network", "activation"], 3, "activation"),
        (["network", "activation"], "tanh", "activation must be one of"),
        (["network", "weights"], [], "0 blocks of weights"),
        (["network", "weights", 0], [], r"weights\[0\] must be an object"),
        (["network", "weights", 0, "shape"], [2, 2], r"weights\[0\] has shape \[2, 2\]"),
        (["network", "weights", 0, "shape", 2], 10**12, r"weights\[0\] has \d+ numbers, expected \d+0000"),
        (["network", "weights", 0, "shape", 2], -1, r"weights\[0\] has shape"),
        (["network", "biases", 0, "data"], [1.0], r"biases\[0\] has 1 numbers"),
        (["network", "outer", 0], None, "outer must hold numbers only"),
        (["network", "inputs", 0], 1, "inputs must hold"),
        (["network", "inputs"], [], "inputs must hold"),
        (["network", "skip_coef"], [1.0, 2.0], "skip_coef has 2 numbers"),
        (["coef"], [1.0], "coef has 1 numbers"),
        (["features"], [], "features has 0 entries"),
        (["features", 0], [], r"features\[0\] must hold kind"),
        (["features", 0, 1], 7, "input must be 0 to 0"),
        (["features", 0, 3], [5], "signs"),
        (["features", 0, 4], [], "origins"),
        (["features", 0, 5], [], "sources"),
        (["features", 0, 5, 0], ["x"], "sources must hold numbers"),
        (["parameters"], [], "parameters must be an object"),
        (["estimator"], 3, "estimator must be a text"),
        (["extra"], [], "extra must be an object"),
    ],
)
def test_altered_files_are_refused(tmp_path, content, path, value, message):
    alter(content, path, value)
    file = tmp_path / "altered.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"altered.json is not a valid convexnn model file: .*({message})"):
        ConvexNNRegressor.from_json(file)


def test_a_unit_ends_in_one_neuron(content):
    units = len(content["network"]["outer"])
    content["network"]["weights"][-1] = {"shape": [units, 1, 2], "data": [1.0] * 2 * units}
    content["network"]["biases"][-1] = {"shape": [units, 2], "data": [0.0] * 2 * units}
    with pytest.raises(ValueError, match="the last layer of a unit must have one neuron, got 2"):
        ConvexNNRegressor.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["estimator"], "os.system", "holds a fitted os.system, expected ConvexNNRegressor"),
        (["parameters", "alpha"], KeyError, "differ in alpha"),
        (["parameters", "__class__"], "x", "differ in __class__"),
        (["parameters", "alpha"], "much", "'alpha' parameter"),
        (["parameters", "depth"], 3, "network of depth 3"),
        (["parameters", "activation"], "abs", "a abs network"),
        (["extra"], {"y": 1}, "extra holds y"),
    ],
)
def test_what_the_class_does_not_know_is_refused(content, path, value, message):
    alter(content, path, value)
    with pytest.raises(ValueError, match=message):
        ConvexNNRegressor.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["{", '{"a": ' * 100_000, "{}"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="the text is not a valid convexnn model file"):
        ConvexNNRegressor.from_json(text)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"format": "convexnn-model"', "\x00", "[" * 100_000])
def test_other_files_are_refused(tmp_path, text):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="is not a valid convexnn model file"):
        ConvexNNRegressor.from_json(file)


def test_binary_and_missing_files(tmp_path):
    file = tmp_path / "binary.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not a valid convexnn model file"):
        ConvexNNRegressor.from_json(file)
    with pytest.raises(FileNotFoundError):
        ConvexNNRegressor.from_json(tmp_path / "none.json")


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_overflow_is_not_finite(tmp_path, content, number):
    file = tmp_path / "model.json"
    content["offset"] = "here"
    file.write_text(json.dumps(content).replace('"here"', number))
    with pytest.raises(ValueError, match="offset holds a number that is not finite"):
        ConvexNNRegressor.from_json(file)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = save(fit()[0], tmp_path / "model.json")
    monkeypatch.setattr(disk, "MOST_BYTES", path.stat().st_size)
    ConvexNNRegressor.from_json(path)
    monkeypatch.setattr(disk, "MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(ValueError, match=r"more than \d+ bytes"):
        ConvexNNRegressor.from_json(path)
