"""Model files of classifiers and quantile regressors: exact round trip, and altered files refused."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from convexnn import ConvexNNClassifier, ConvexNNQuantileRegressor, ConvexNNRegressor
from convexnn.datasets import load_mcycle

X = np.random.default_rng(0).normal(size=(60, 2)).round(1)
CODES = (np.sin(3.0 * X[:, 0]) + 0.4 * X[:, 1] > 0.3).astype(int) + (X[:, 0] > 0.7)
PROBES = np.concatenate([X, X + 0.05, X - 100.0, X + 1e6])
LABELS = {
    "int8": np.array([-3, 0, 7], dtype=np.int8),
    "uint64": np.array([0, 1, 2**64 - 1], dtype=np.uint64),
    "float32": np.array([-1.0, 2.0, 4.0], dtype=np.float32),
    "str": np.array(["", "a longer one", "é☃\U0001f600"]),
    "object": np.array(["a", "b", "c"], dtype=object),
    "bool": np.array([False, True, True]),
}


def same_function(loaded, model):
    for method in ("predict", "predict_proba", "decision_function"):
        expected, found = getattr(model, method)(PROBES), getattr(loaded, method)(PROBES)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("name", LABELS)
def test_classifier_round_trip(tmp_path, name):
    y = LABELS[name][CODES]
    model = ConvexNNClassifier(alpha=0.02, tol=1e-3).fit(X, y)
    path = tmp_path / "model.json"
    assert model.to_json(path) is None
    loaded = ConvexNNClassifier.from_json(path)
    same_function(loaded, model)
    assert loaded.get_params() == model.get_params()
    for attribute in ("alpha_", "alpha_max_", "objective_", "dual_gap_", "converged_", "exact_", "n_neurons_", "n_iter_",
                      "n_features_in_", "classes_"):  # fmt: skip
        np.testing.assert_array_equal(getattr(loaded, attribute), getattr(model, attribute))
    assert (loaded.summary(), loaded.to_json()) == (model.summary(), model.to_json())
    with pytest.raises(ValueError, match="This needs the training data"):
        loaded.certify()
    assert loaded.set_params(warm_start=True).fit(X, y).certify()[0].exact


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 3, "activation": "threshold", "architecture": "parallel", "width": 2},
        {"activation": "sign", "depth": 4, "architecture": "tree", "width": (2, 2)},
        {"activation": "abs", "skip_connection": True, "class_weight": "balanced"},
        {"class_weight": {0: 2.0, 1: 1.0, np.int64(2): np.float32(0.5)}},
    ],
    ids=str,
)
def test_classifier_parameters(options):
    model = ConvexNNClassifier(alpha=0.05, tol=1e-2, **options).fit(X, CODES)
    loaded = ConvexNNClassifier.from_json(model.to_json())
    same_function(loaded, model)
    assert loaded.get_params() == model.get_params()


def test_weights_of_labels_that_are_not_strings():
    model = ConvexNNClassifier(class_weight={True: 3.0, False: 1.0}).fit(X[:, :1], CODES > 0)
    loaded = ConvexNNClassifier.from_json(model.to_json())
    assert [type(key) for key in loaded.class_weight] == [bool, bool]
    assert loaded.class_weight == model.class_weight


def test_weights_that_json_cannot_hold():
    model = ConvexNNClassifier(alpha=0.1, class_weight={False: 1.0, True: 2.0, (2, 3): 1.0}).fit(X[:, :1], CODES > 0)
    with pytest.raises(ValueError, match="labels that are numbers, strings or booleans, got class_weight="):
        model.to_json()


@pytest.mark.parametrize("labels", [[b"no", b"yes"], np.array([0, 1], dtype=np.longdouble)], ids=["bytes", "longdouble"])
def test_labels_that_json_cannot_hold(labels):
    model = ConvexNNClassifier(alpha=0.1).fit(X, CODES > 0)
    model.classes_ = np.array(labels)
    if model.classes_.dtype == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(ValueError, match="labels that are numbers, strings or booleans, got"):
        model.to_json()


@pytest.mark.parametrize("crossing", ["sort", "allow"])
@pytest.mark.parametrize("estimator", [None, ConvexNNRegressor(3, activation="abs", alpha=0.3, tol=1e-3)], ids=str)
@pytest.mark.parametrize("quantile", [(0.1, 0.3, 0.9), (0.5,)])
def test_quantile_round_trip(crossing, estimator, quantile):
    frame, y = load_mcycle(return_X_y=True, as_frame=True)
    model = ConvexNNQuantileRegressor(quantile, estimator=estimator, crossing=crossing).fit(frame, y)
    loaded = ConvexNNQuantileRegressor.from_json(model.to_json())
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.score(frame, y) == model.score(frame, y)
    plain = [m.get_params() | {"estimator": None} for m in (loaded, model)]
    assert plain[0] == plain[1]
    assert (loaded.estimator is None) == (estimator is None)
    assert (loaded.feature_names_in_.tolist(), loaded.to_json()) == (["times"], model.to_json())
    for attribute in ("dual_gap_", "objective_", "converged_"):
        np.testing.assert_array_equal(getattr(loaded, attribute), getattr(model, attribute))


def test_size_is_linear_in_the_parts():
    x, y = load_mcycle(return_X_y=True)
    one, four = (
        len(ConvexNNQuantileRegressor(q, estimator=ConvexNNRegressor(alpha=0.5)).fit(x, y).to_json())
        for q in ([0.5], [0.35, 0.45, 0.55, 0.65])
    )
    assert four < 5 * one


def test_a_shape_by_name_is_kept():
    frame = pd.DataFrame({"a": np.arange(8.0)})
    model = ConvexNNRegressor(monotonic_cst={"a": 1}).fit(frame, np.arange(8.0) ** 2)
    assert ConvexNNRegressor.from_json(model.to_json()).monotonic_cst == {"a": 1}


@pytest.mark.parametrize("estimator", [ConvexNNClassifier(), ConvexNNQuantileRegressor()], ids=str)
def test_unfitted(estimator):
    with pytest.raises(NotFittedError):
        estimator.to_json()


def test_parameters_changed_after_the_fit_are_refused():
    model = ConvexNNClassifier(alpha=0.1).fit(X, CODES).set_params(depth=3)
    band = ConvexNNQuantileRegressor([0.2, 0.8]).fit(X, X[:, 0]).set_params(quantile=[0.1, 0.8])
    with pytest.raises(ValueError, match="network of depth 3"):
        model.to_json()
    with pytest.raises(ValueError, match="not those of the quantiles"):
        band.to_json()


@pytest.fixture(scope="module")
def classifier():
    return ConvexNNClassifier(alpha=0.1, class_weight={0: 1.0, 1: 2.0, 2: 1.0}).fit(X, CODES).to_json()


@pytest.fixture(scope="module")
def band():
    return ConvexNNQuantileRegressor([0.2, 0.8], estimator=ConvexNNRegressor(alpha=0.1)).fit(X, X[:, 0]).to_json()


def altered(text, path, value):
    """Return the text with what stands at a path of keys replaced; a value of KeyError deletes it."""
    content = json.loads(text)
    *parents, last = path
    place = content
    for key in parents:
        place = place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value(place[last]) if callable(value) else value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["version"], 1, "version is 1"),
        (["estimator"], "ConvexNNRegressor", "holds a fitted ConvexNNRegressor, expected ConvexNNClassifier"),
        (["feature_names"], ["a"], "feature_names must be 2 names"),
        (["parts"], KeyError, "'pieces' is missing"),
        (["parts"], {}, "parts must be a list"),
        (["parts"], [], "its 0 parts"),
        (["parts"], lambda parts: parts[:2], "2 networks do not fit 3 classes"),
        (["parts", 0], 3, r"parts\[0\]: it has no"),
        (["parts", 1, "version"], 4, r"parts\[1\]: its version is 4"),
        (["parts", 1, "offset"], "1", r"parts\[1\]: offset must hold numbers"),
        (["parts", 2, "pieces", 0, "slopes"], KeyError, r"parts\[2\]: 'slopes' is missing"),
        (["parts", 1, "estimator"], "ConvexNNRegressor", "holds a fitted ConvexNNRegressor, expected LogOdds"),
        (["parts", 1, "parameters", "depth"], 3, "network of depth 3"),
        (["parts", 1, "extra"], {"y": 1}, "extra holds y"),
        (["parameters", "depth"], 3, "network of depth 3"),
        (["parameters", "activation"], "abs", "a abs network"),
        (["parameters", "alpha"], "aic", "'alpha' parameter"),
        (["parameters", "alpha"], KeyError, "differ in alpha"),
        (["parameters", "loss"], "squared", "differ in loss"),
        (["parameters", "class_weight"], "much", "'class_weight' parameter"),
        (["parameters", "class_weight"], [[0]], "pairs of a label and a weight"),
        (["parameters", "class_weight"], [[[0], 1.0]], "pairs of a label and a weight"),
        (["parameters", "class_weight"], [[0, "1"]], "class_weight must hold numbers"),
        (["parameters", "class_weight"], [[0, 10**400]], "class_weight holds an integer that is too large"),
        (["extra"], {}, "extra must hold the classes"),
        (["extra", "more"], 1, "extra must hold the classes"),
        (["extra", "classes"], [0, 1, 2], "classes must hold type and labels"),
        (["extra", "classes", "labels"], 3, "classes must hold type and labels"),
        (["extra", "classes", "type"], "datetime64[ns]", "type of the classes must be one of"),
        (["extra", "classes", "type"], ["int64"], "type of the classes must be one of"),
        (["extra", "classes", "type"], "str", "must be of type str"),
        (["extra", "classes", "labels"], [0, 1, True], "must be of type int64"),
        (["extra", "classes", "labels"], [0, 1, 2.0], "must be of type int64"),
        (["extra", "classes", "labels"], [0, 1, 2**63], "do not fit into int64"),
        (["extra", "classes", "labels"], [0, 2, 1], "different int64 labels in order"),
        (["extra", "classes", "labels"], [0, 1, 1], "different int64 labels in order"),
        (["extra", "classes", "labels"], [0], "two or more"),
        (["extra", "classes"], {"type": "float64", "labels": [0, 1, 10**400]}, "too large"),
        (["extra", "classes"], {"type": "float32", "labels": [0, 1, 1e300]}, "do not fit into float32"),
        (["extra", "classes"], {"type": "str", "labels": ["a", "b", "b\x00"]}, "different str labels"),
        (["extra", "classes", "labels"], [0, 1], "3 networks do not fit 2 classes"),
    ],
)
def test_altered_classifiers_are_refused(classifier, path, value, message):
    with pytest.raises(ValueError, match=message):
        ConvexNNClassifier.from_json(altered(classifier, path, value))


def test_parts_have_no_parts(classifier):
    with pytest.raises(ValueError, match=r"parts\[1\] has parts of its own"):
        ConvexNNClassifier.from_json(altered(classifier, ["parts", 1], json.loads(classifier)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["parameters", "quantile"], [0.2, 0.9], "not those of the quantiles"),
        (["parameters", "quantile"], [0.2], "not those of the quantiles"),
        (["parameters", "quantile"], [], "rising numbers"),
        (["parameters", "quantile"], 0.2, "quantile must be a list"),
        (["parameters", "quantile"], [0.2, "0.8"], "quantile must hold numbers"),
        (["parameters", "crossing"], "perhaps", "'crossing' parameter"),
        (["parameters", "crossing"], KeyError, "differ in crossing"),
        (["parameters", "estimator"], "ConvexNNRegressor", "estimator must be null or the parameters"),
        (["parameters", "estimator", "depth"], KeyError, "differ in depth"),
        (["parameters", "estimator", "depth"], 3, "network of depth 3"),
        (["parameters", "estimator", "tol"], -1.0, "'tol' parameter"),
        (["parts"], lambda parts: parts[::-1], "not those of the quantiles"),
        (["parts", 0, "parameters", "loss"], "squared", "not those of the quantiles"),
        (["parts", 0, "estimator"], "LogOdds", "holds a fitted LogOdds, expected ConvexNNRegressor"),
        (["extra"], {"more": 1}, "extra holds more"),
    ],
)
def test_altered_bands_are_refused(band, path, value, message):
    with pytest.raises(ValueError, match=message):
        ConvexNNQuantileRegressor.from_json(altered(band, path, value))


def test_networks_and_ensembles_are_told_apart(band):
    network = ConvexNNRegressor().fit(X, X[:, 0]).to_json()
    with pytest.raises(ValueError, match="has parts, but the file holds one network"):
        ConvexNNQuantileRegressor.from_json(json.dumps(json.loads(network) | {
            "estimator": "ConvexNNQuantileRegressor", "parameters": json.loads(band)["parameters"],
        }))  # fmt: skip
    with pytest.raises(ValueError, match="is one network, but the file holds parts"):
        ConvexNNRegressor.from_json(json.dumps(json.loads(band) | {
            "estimator": "ConvexNNRegressor", "parameters": json.loads(network)["parameters"],
        }))  # fmt: skip
    parts = json.loads(band)
    parts["parts"][1] = json.loads(ConvexNNRegressor().fit(X[:, :1], X[:, 0]).to_json())
    with pytest.raises(ValueError, match="2 parts must have the same number of inputs"):
        ConvexNNQuantileRegressor.from_json(json.dumps(parts))
