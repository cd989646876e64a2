"""Models of past releases are read by this version and answer as they did; CONTRIBUTING.md says what is promised."""

import json
import pickle
import warnings
from inspect import Parameter, signature

import numpy as np
import pytest
from make_release_models import RELEASES
from sklearn.base import clone

import convexnn
from convexnn._classifier import LogOdds
from convexnn._export import files
from convexnn._export.stored import StoredMixin

ANSWERS = {folder.name: json.loads((folder / "answers.json").read_text("utf-8")) for folder in RELEASES.iterdir()}
MODELS = [(version, name) for version, models in ANSWERS.items() for name in models]
SERIES = convexnn.__version__.rpartition(".")[0]
MODEL = pytest.mark.parametrize(("version", "name"), MODELS)
SAME = [(version, name) for version, name in MODELS if version.rpartition(".")[0] == SERIES]


def check(model, version, name):
    """Compare what a model answers now with what it answered then."""
    stored = ANSWERS[version][name]
    assert type(model) is getattr(convexnn, stored["class"])
    answer = getattr(model, stored["method"])(stored["argument"])
    np.testing.assert_allclose(answer, stored["answer"], rtol=1e-12, atol=1e-12)


def test_every_estimator_has_a_model():
    estimators = {name for name in convexnn.__all__ if name.startswith("ConvexNN")}
    for models in ANSWERS.values():
        assert {model["class"] for model in models.values()} >= estimators - {"ConvexNNPath"}


@MODEL
def test_model_files(version, name):
    estimator = getattr(convexnn, ANSWERS[version][name]["class"])
    check(estimator.from_json(RELEASES / version / f"{name}.json"), version, name)


@pytest.mark.parametrize(("version", "name"), SAME)
def test_pickles_of_the_same_series(version, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = pickle.loads((RELEASES / version / f"{name}.pkl").read_bytes())
    check(model, version, name)
    clone(model)  # a parameter that the pickle does not know would be missing here


def test_a_pickled_fit_can_be_certified():
    model = pickle.loads((RELEASES / SAME[0][0] / "relu.pkl").read_bytes())
    assert model.certify().relative_gap <= 1e-6


NEXT = files.VERSION + 1
ESTIMATORS = [LogOdds, *(getattr(convexnn, name) for name in convexnn.__all__ if name.startswith("ConvexNN"))]


def grow(monkeypatch, estimator):
    """Give a class one parameter more."""
    init, names = estimator.__init__, estimator._get_param_names()

    def longer(self, *arguments, added="as now", **others):
        init(self, *arguments, **others)
        self.added = added

    own = Parameter("added", Parameter.KEYWORD_ONLY, default="as now")
    longer.__signature__ = signature(init).replace(parameters=[*signature(init).parameters.values(), own])
    monkeypatch.setattr(estimator, "__init__", longer)
    monkeypatch.setattr(estimator, "_get_param_names", classmethod(lambda cls: [*names, "added"]))
    monkeypatch.setattr(estimator, "_parameter_constraints", estimator._parameter_constraints | {"added": [str]})


def age(monkeypatch):
    """Make this a later release, in which every estimator has a parameter that those of past releases lack."""
    for estimator in ESTIMATORS:
        grow(monkeypatch, estimator)
    monkeypatch.setattr(StoredMixin, "_later_parameters", {"added": (NEXT, "as then"), "of_another_class": (NEXT, 0)})
    monkeypatch.setattr(files, "VERSION", NEXT)


@pytest.fixture
def later(monkeypatch):
    """Run a test in that later release."""
    age(monkeypatch)


def values(model):
    """Return the added parameter of an estimator, of its parts and of what its parts were made from."""
    nested = [one for one in [*getattr(model, "estimators_", []), getattr(model, "estimator", None)] if one is not None]
    return {one.get_params()["added"] for one in [model, *nested]}


@MODEL
def test_what_a_later_release_adds_is_as_it_was(later, version, name):
    estimator = getattr(convexnn, ANSWERS[version][name]["class"])
    stored = estimator.from_json(RELEASES / version / f"{name}.json")
    pickled = pickle.loads((RELEASES / version / f"{name}.pkl").read_bytes())
    for model in (stored, pickled, estimator.from_json(stored.to_json()), pickle.loads(pickle.dumps(stored))):
        check(model, version, name)
        assert values(model) == {"as then"} == values(clone(model))
        assert "added='as then'" in repr(model)
    assert json.loads(stored.to_json())["version"] == NEXT
    stored.set_params(added="mine")
    for model in (estimator.from_json(stored.to_json()), pickle.loads(pickle.dumps(stored))):
        assert model.added == "mine"


@MODEL
def test_what_a_later_release_adds_is_not_guessed_in_its_own_files(later, version, name):
    estimator = getattr(convexnn, ANSWERS[version][name]["class"])
    content = json.loads(estimator.from_json(RELEASES / version / f"{name}.json").to_json())
    del content["parameters"]["added"]
    with pytest.raises(ValueError, match=f"the parameters of the file and of {estimator.__name__} differ in added"):
        estimator.from_json(json.dumps(content))
    for old in json.loads((RELEASES / version / f"{name}.json").read_text("utf-8")), content:
        old |= {"version": min(old["version"], NEXT - 1), "parameters": old["parameters"] | {"added": "as now"}}
        with pytest.raises(ValueError, match="differ in added"):
            estimator.from_json(json.dumps(old))


@MODEL
def test_files_of_a_later_release_are_refused(monkeypatch, version, name):
    estimator = getattr(convexnn, ANSWERS[version][name]["class"])
    path = RELEASES / version / f"{name}.json"
    with monkeypatch.context() as patch:
        age(patch)
        text = estimator.from_json(path).to_json()
    with pytest.raises(ValueError, match=f"version is {NEXT}, .* a newer release of convexnn wrote it"):
        estimator.from_json(text)
    with pytest.raises(ValueError, match="differ in added"):  # so that what it does not know is not dropped in silence
        estimator.from_json(text.replace(f'"version":{NEXT}', f'"version":{files.VERSION}'))
    check(estimator.from_json(path), version, name)


def test_what_a_later_release_calls_otherwise_is_translated(monkeypatch):
    read = StoredMixin._read_parameters.__func__

    def translate(cls, parameters, version):
        if version < NEXT:
            parameters = {"negative_slope" if name == "leak" else name: value for name, value in parameters.items()}
        return read(cls, parameters, version)

    content = json.loads((RELEASES / SAME[0][0] / "leaky_relu.json").read_text("utf-8"))
    content["parameters"]["leak"] = content["parameters"].pop("negative_slope")
    with pytest.raises(ValueError, match="differ in leak, negative_slope"):
        convexnn.ConvexNNRegressor.from_json(json.dumps(content))
    monkeypatch.setattr(StoredMixin, "_read_parameters", classmethod(translate))
    check(convexnn.ConvexNNRegressor.from_json(json.dumps(content)), SAME[0][0], "leaky_relu")
