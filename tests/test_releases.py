"""Models of past releases are read by this version and answer as they did; CONTRIBUTING.md says what is promised."""

import json
import pickle
import warnings

import numpy as np
import pytest
from make_release_models import RELEASES
from sklearn.base import clone

import convexnn

ANSWERS = {folder.name: json.loads((folder / "answers.json").read_text("utf-8")) for folder in RELEASES.iterdir()}
MODELS = [(version, name) for version, models in ANSWERS.items() for name in models]
SERIES = convexnn.__version__.rpartition(".")[0]
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


@pytest.mark.parametrize(("version", "name"), MODELS)
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
