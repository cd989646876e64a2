"""No memory, or Ctrl-C, in any stage: the estimator is as it was before, works on, and no file is left."""

import os
import tempfile

import numpy as np
import pytest

import convexnn._base
import convexnn.duality
import convexnn.training
from convexnn import (
    ConvexNNAutoregressor,
    ConvexNNClassifier,
    ConvexNNQuantileRegressor,
    ConvexNNRegressor,
    ConvexNNRegressorCV,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 1))
Y = np.sin(3 * X[:, 0]) + 0.1 * RNG.normal(size=50)
# where a fit allocates: canonical data, dictionaries, pricing, certificates, solvers, the model, what it delivers
STAGES = [
    (convexnn._base, "canonicalize"),
    (convexnn._base, "prepare"),
    (convexnn.training, "build_dictionary"),
    (convexnn.training, "make_problem"),
    (convexnn.training, "solve"),
    (convexnn.training, "in_units"),
    (convexnn.duality, "price"),
    (convexnn._base, "build_model"),
    (convexnn._base, "delivered_gap"),
    (convexnn._base, "relative_gap"),
]
ESTIMATORS = {
    "regressor": (lambda: ConvexNNRegressor(3, activation="abs"), (X, Y)),
    "spline": (ConvexNNRegressor, (X, Y)),
    "warm": (lambda: ConvexNNRegressor(warm_start=True), (X, Y)),
    "information": (lambda: ConvexNNRegressor(alpha="bic"), (X, Y)),
    "classifier": (lambda: ConvexNNClassifier(warm_start=True), (X, np.digitize(Y, [-0.5, 0.5]))),
    "quantiles": (lambda: ConvexNNQuantileRegressor((0.25, 0.75)), (X, Y)),
    "choice": (lambda: ConvexNNRegressorCV(alphas=3, cv=3), (X, Y)),
    "series": (lambda: ConvexNNAutoregressor(lags=2), (Y,)),
}
each_estimator = pytest.mark.parametrize("name", ESTIMATORS)
each_error = pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])


def fail_at(monkeypatch, module, function, error, calls):
    """Let a function raise at its n-th call."""
    original, count = getattr(module, function), [0]

    def failing(*args, **options):
        count[0] += 1
        if count[0] == calls:
            raise error
        return original(*args, **options)

    monkeypatch.setattr(module, function, failing)
    return count


def predicted(model, data):
    return np.asarray(model.predict(data[0])).tobytes()


@each_error
@each_estimator
@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize(("module", "function"), STAGES, ids=[name for _, name in STAGES])
def test_a_fit_that_fails_changes_nothing(name, error, calls, module, function, monkeypatch, tmp_path):
    make, data = ESTIMATORS[name]
    model, other = make().fit(*data), make().fit(*data)
    wanted, before = predicted(model, data), dict(vars(model))
    files = set(os.listdir(tempfile.gettempdir()))
    changed = tuple(part[::-1] * 1 for part in data)
    with monkeypatch.context() as patch:
        count = fail_at(patch, module, function, error, calls)
        try:
            model.fit(*changed)
        except error:
            assert vars(model).keys() == before.keys()
            assert all(vars(model)[key] is value for key, value in before.items())
            assert predicted(model, data) == wanted
        else:
            assert count[0] < calls  # this fit has no such stage, or does not come to it twice
    # and the next fit is one like any other
    assert predicted(model.fit(*data), data) == predicted(other.fit(*data), data)
    assert not {file for file in set(os.listdir(tempfile.gettempdir())) - files if "convexnn" in file.lower()}


@each_error
@pytest.mark.parametrize("name", ["regressor", "classifier", "choice", "series"])
def test_a_first_fit_that_fails_leaves_an_unfitted_estimator(name, error, monkeypatch):
    make, data = ESTIMATORS[name]
    model = make()
    before = dict(vars(model))
    fail_at(monkeypatch, convexnn.training, "build_dictionary", error, 1)
    with pytest.raises(error):
        model.fit(*data)
    assert vars(model) == before
    assert model.fit(*data) is model
