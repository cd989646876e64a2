"""Classification by cross-validation: log-loss and training time beside scikit-learn's classifiers, on its bundled data.

    python benchmarks/classification.py            # a table in Markdown
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from convexnn import ConvexNNClassifier

# data set -> names of the columns used
TASKS = {
    "breast cancer": (load_breast_cancer, ["mean radius"]),
    "breast cancer, 2": (load_breast_cancer, ["mean radius", "mean texture"]),
    "breast cancer, 3": (load_breast_cancer, ["mean radius", "mean texture", "mean smoothness"]),
    "iris": (load_iris, ["petal length (cm)"]),
    "iris, 2": (load_iris, ["petal length (cm)", "petal width (cm)"]),
    "wine, 2": (load_wine, ["alcohol", "flavanoids"]),
    "wine, 3": (load_wine, ["alcohol", "flavanoids", "color_intensity"]),
}


def candidates() -> dict:
    """Return the classifiers, each choosing its own regularisation by three inner folds where it has one."""
    alphas = {"convexnnclassifier__alpha": [1e-1, 3e-2, 1e-2, 3e-3, 1e-3]}
    tuned = make_pipeline(StandardScaler(), ConvexNNClassifier())
    return {
        "ConvexNNClassifier": GridSearchCV(tuned, alphas, cv=3, scoring="neg_log_loss"),
        "ConvexNNClassifier, alpha auto": ConvexNNClassifier(),
        "LogisticRegressionCV on splines": make_pipeline(
            StandardScaler(),
            SplineTransformer(n_knots=8, extrapolation="linear"),
            LogisticRegressionCV(Cs=5, cv=3, scoring="neg_log_loss", max_iter=2000),
        ),
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(random_state=0),
        "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(max_iter=2000, random_state=0)),
    }


def measure(model, X, y, folds) -> tuple[float, float, float]:
    """Return the mean log-loss over the folds, its standard error, and the median time of a fit in seconds."""
    losses, times = [], []
    for train, test in folds.split(X, y):
        start = time.perf_counter()
        model.fit(X[train], y[train])
        times.append(time.perf_counter() - start)
        losses.append(log_loss(y[test], model.predict_proba(X[test])))
    return float(np.mean(losses)), float(np.std(losses, ddof=1) / np.sqrt(len(losses))), float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=5)
    folds = StratifiedKFold(parser.parse_args().folds, shuffle=True, random_state=0)
    warnings.simplefilter("ignore")
    ConvexNNClassifier().fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])  # compiles
    print("| data | classifier | log-loss | standard error | seconds a fit |\n| --- | --- | --- | --- | --- |")
    for task, (load, columns) in TASKS.items():
        data = load()
        X = data.data[:, [list(data.feature_names).index(column) for column in columns]]
        for name, model in candidates().items():
            loss, error, seconds = measure(model, X, data.target, folds)
            print(f"| {task} | {name} | {loss:.3f} | {error:.3f} | {seconds:.3g} |", flush=True)


if __name__ == "__main__":
    main()
