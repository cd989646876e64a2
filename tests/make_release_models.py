"""Make the models of a release: ``python tests/make_release_models.py`` writes ``tests/data/releases/<version>/``.

Run once for a release, with the oldest supported dependencies (``.ci/oldest.txt``: newer numpy loads what an older one has
pickled, not the other way round), and kept from then on: ``tests/test_releases.py`` reads them with every later version.
For each estimator there is a pickle, a model file, and in ``answers.json`` a call and what it returned.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

import convexnn
from convexnn import (
    ConvexNNAutoregressor,
    ConvexNNClassifier,
    ConvexNNQuantileRegressor,
    ConvexNNRegressor,
    ConvexNNRegressorCV,
)

RELEASES = Path(__file__).resolve().parent / "data" / "releases"


def fitted() -> dict:
    """Return fitted estimators of all classes and of the kinds of networks, on few rows."""
    rng = np.random.default_rng(0)
    x, X = np.sort(rng.uniform(-2, 2, size=(24, 1)), axis=0), rng.uniform(-2, 2, size=(24, 2))
    y, z, w = np.sin(3 * x[:, 0]), np.abs(X[:, 0]) - X[:, 1], rng.integers(1, 4, size=24).astype(float)
    names = ("relu", "leaky_relu", "abs", "sign", "threshold")
    models = {name: ConvexNNRegressor(activation=name, alpha=0.01).fit(x, y, sample_weight=w) for name in names}
    return models | {
        "two_inputs": ConvexNNRegressor(alpha=0.01, skip_connection=True).fit(X, z),
        "deep_relu": ConvexNNRegressor(4, alpha=0.01).fit(x, y),
        "deep_abs": ConvexNNRegressor(3, activation="abs", alpha=0.01).fit(x, y),
        "symmetrized": ConvexNNRegressor(3, architecture="symmetrized", alpha=0.05).fit(x, y),
        "tree": ConvexNNRegressor(4, activation="sign", architecture="tree", width=(2, 2), alpha=0.02).fit(x, y),
        "huber": ConvexNNRegressor(alpha=0.01, loss="huber").fit(x, y),
        "increasing": ConvexNNRegressor(alpha=0.01, monotonic_cst=[1]).fit(x, x[:, 0] ** 3),
        "cross_validated": ConvexNNRegressorCV((2, 3), alphas=3, cv=3).fit(x, y),
        "quantiles": ConvexNNQuantileRegressor([0.1, 0.9], estimator=ConvexNNRegressor(alpha=0.05)).fit(x, y),
        "two_classes": ConvexNNClassifier(alpha=0.01).fit(x, y > 0),
        "three_classes": ConvexNNClassifier(alpha=0.01).fit(X, np.array(["a", "b", "c"])[(z > 0) + (z > 1) * 1]),
        "series": ConvexNNAutoregressor(lags=2, alpha=0.01).fit(np.sin(0.7 * np.arange(40))),
    }


def main() -> None:
    """Write the files of this version."""
    folder = RELEASES / convexnn.__version__
    folder.mkdir(parents=True, exist_ok=True)
    answers = {}
    for name, model in fitted().items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model, protocol=4))
        model.to_json(folder / f"{name}.json")
        methods = {"series": "forecast", "two_classes": "predict_proba", "three_classes": "predict_proba"}
        method = methods.get(name, "predict")
        grid = np.linspace(-3, 3, 13)[:, None] * np.linspace(1, 2, getattr(model, "n_features_in_", 1))
        argument = 6 if name == "series" else grid.tolist()
        answer = getattr(model, method)(argument).tolist()
        answers[name] = {"class": type(model).__name__, "method": method, "argument": argument, "answer": answer}
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
