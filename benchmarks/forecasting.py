"""Autoregressions of real and simulated series: ``python benchmarks/forecasting.py [--only PART ...] [--out FILE]``.

Parts: ``minutes_levels``, ``minutes_increments``, ``half_hours_levels`` and ``half_hours_increments`` (Bitcoin: this
package, SGD and Adam on the same objective, AR(1), persistence; 80/20 in time), ``nonlinear`` (rolling origins), ``year``
(time and memory of 525,600 prices) and ``many`` (1000 series). Results go to a JSON file; parts that are not run keep
theirs; then ``docs/autoregression.md`` is made from it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import run  # noqa: E402, I001  (first, because it pins the threads before numpy is imported)

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit  # noqa: E402
from statsmodels.tsa.ar_model import AutoReg  # noqa: E402

from benchmarks import forecasting_networks, forecasting_page  # noqa: E402
from benchmarks.suites import SUITES  # noqa: E402
from convexnn import ConvexNNAutoregressor, datasets  # noqa: E402

Array = NDArray[np.float64]
ARCHITECTURES = [(activation, depth) for depth in (2, 3) for activation in ("relu", "abs")]
FRACTIONS = (0.5, *(10.0**-k for k in range(1, 7)))
REPEATS = 3


def mse(errors: Array) -> float:
    """Return the mean square."""
    return float(np.mean(np.square(errors)))


def against(errors: Array, others: Array) -> float:
    """Return Diebold and Mariano's statistic of squared errors of one-step forecasts: below -2 the first are smaller."""
    difference = np.square(errors) - np.square(others)
    spread = difference.std(ddof=1) / np.sqrt(difference.size)
    return float(difference.mean() / spread) if spread > 0.0 else 0.0


def linear(history: Array, lags: int | list[int]) -> Array:
    """Return constant and coefficients of an autoregression by least squares."""
    return np.asarray(AutoReg(history, lags=lags).fit().params)


def linear_steps(params: Array, series: Array) -> Array:
    """Return one-step predictions of everything behind the first values."""
    lags = params.size - 1
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1], lags)
    return params[0] + windows[:, ::-1] @ params[1:]


# ---------------------------------------------------------------------------------------------------------- bitcoin


def bitcoin(data: str, series: Array, difference: int) -> list[dict]:
    """Compare on one series of real prices; every error is of the price, one step ahead."""
    cut = int(0.8 * series.size)
    start = 1 + difference  # what all methods can predict
    case = {"data": data, "difference": difference, "n_train": cut, "n_test": series.size - cut}
    persistent = np.diff(series)
    tail = persistent[cut - 1 :]

    def row(method: str, errors: Array, **more: object) -> dict:
        """Describe one-step errors of all values from ``start`` on."""
        test = errors[cut - start :]
        return {**case, "method": method, "train": mse(errors[: cut - start]), "test": mse(test),
                "statistic": against(test, tail), **more}  # fmt: skip

    began = time.perf_counter()
    changes = np.diff(series, n=difference)
    params = linear(changes[: cut - difference], 1)
    seconds = time.perf_counter() - began
    rows = [
        row("persistence", persistent[difference:]),
        row("AR(1), statsmodels", changes[1:] - linear_steps(params, changes), seconds=seconds),
    ]
    for activation, depth in ARCHITECTURES:
        rows += networks(series, cut, row, activation, depth, difference)
        print(*(forecasting_page.line(found) for found in rows[-3:]), sep="\n", flush=True)
    return rows


def networks(series: Array, cut: int, row, activation: str, depth: int, difference: int) -> list[dict]:
    """Fit this package's network at an alpha that a part of the training data chooses, then train the same objective."""
    name = f"{activation}, depth {depth}"
    options = {"activation": activation, "depth": depth, "difference": difference}
    train = series[:cut]
    alpha = choose_alpha(train, options)
    times = []
    for _ in range(1 if (activation, depth) == ("abs", 3) else REPEATS):
        began = time.perf_counter()
        model = ConvexNNAutoregressor(alpha=alpha, tol=1e-9, **options).fit(train)
        times.append(time.perf_counter() - began)
    start = 1 + difference
    certified = {
        "objective": model.objective_, "gap": model.dual_gap_, "exact": model.exact_, "neurons": model.n_neurons_,
        "fraction": model.alpha_ / model.alpha_max_, "architecture": name,
    }  # fmt: skip
    rows = [row(f"convexnn {name}", (series - model.predict(series))[start:], seconds=float(np.median(times)), **certified)]
    changes = np.diff(series, n=difference)
    x, y = changes[:-1], changes[1:]
    known = cut - start
    for optimizer in ("SGD", "Adam"):
        trained = forecasting_networks.train(
            x[:known], y[:known], x[known:], activation=activation, depth=depth, beta=alpha * known, optimizer=optimizer
        )
        errors = y - np.concatenate((trained.train, trained.test))
        history = [(epoch, value / model.objective_ - 1.0) for epoch, value in trained.history]
        notes = {
            "seconds": trained.seconds, "objective": trained.objective, "rate": trained.rate, "architecture": name,
        }  # fmt: skip
        rows.append(row(f"{optimizer} {name}", errors, excess=history, **notes))
    return rows


def choose_alpha(train: Array, options: dict) -> float:
    """Return the alpha with the least one-step error on the last fifth of the training data.

    Absolute-value networks of depth 3 are searched with a hundred candidate breakpoints, those of increments down to 1e-3
    (below it they have hundreds of units); the fit that counts has all candidates.
    """
    folded = options["activation"] == "abs" and options["depth"] == 3
    options = {**options, "max_breakpoints": 100} if folded else options
    part, width = int(0.8 * train.size), 1 + options["difference"]
    top = ConvexNNAutoregressor(**options).fit(train[:part]).alpha_max_
    errors = {}
    for fraction in FRACTIONS[:4] if folded and options["difference"] else FRACTIONS:
        model = ConvexNNAutoregressor(alpha=top * fraction, **options).fit(train[:part])
        errors[fraction] = mse((train - model.predict(train))[max(part, width) :])
    return top * min(errors, key=lambda fraction: errors[fraction])


# -------------------------------------------------------------------------------------------------------- nonlinear


def simulate(f, n: int, noise: float, seed: int = 0) -> Array:
    """Return a series that follows a map of the unit interval, with noise, kept inside it."""
    rng = np.random.default_rng(seed)
    series = np.empty(n)
    series[0] = rng.random()
    for t in range(1, n):
        series[t] = np.clip(f(series[t - 1]) + noise * rng.normal(), 0.0, 1.0)
    return series


def nonlinear() -> list[dict]:
    """Compare one-step errors over rolling origins: every value of the last 40 per cent, from all before it."""
    cases = {
        "lynx, log10": np.log10(datasets.load_lynx().target),
        "sunspots": datasets.load_sunspots().target,
        "tent map, noise 0.05": simulate(lambda s: 1.9 * min(s, 1.0 - s), 300, 0.05),
        "logistic map, noise 0.05": simulate(lambda s: 3.8 * s * (1.0 - s), 300, 0.05),
    }
    rows = []
    for data, series in cases.items():
        for lags in {"lynx, log10": ([1], [1, 2]), "sunspots": ([1], [1, 2], [1, 2, 9])}.get(data, ([1],)):
            rows.append(rolling_origins(data, series, lags))
            print(forecasting_page.origin_line(rows[-1]), flush=True)
    return rows


def rolling_origins(data: str, series: Array, lags: list[int]) -> dict:
    """Choose architecture and alpha by cross-validation before the first origin, refit at each."""
    first = int(0.6 * series.size)
    top = ConvexNNAutoregressor(lags).fit(series[:first]).alpha_max_
    grid = {
        "activation": ["relu", "abs"],
        "skip_connection": [False, True],
        "alpha": [top * fraction for fraction in np.geomspace(1.0, 1e-4, 9)],
    }
    search = GridSearchCV(ConvexNNAutoregressor(lags, tol=1e-8), grid, cv=TimeSeriesSplit(4), error_score="raise")
    model = search.fit(series[:first]).best_estimator_
    found: dict[str, list[float]] = {"ours": [], "AR(1)": [], "AR(same lags)": [], "persistence": []}
    gaps = []
    for origin in range(first, series.size):
        history, truth = series[:origin], series[origin]
        found["ours"].append(truth - model.fit(history).forecast(1)[0])
        gaps.append(model.dual_gap_)
        for name, used in (("AR(1)", [1]), ("AR(same lags)", lags)):
            params = linear(history, used)
            found[name].append(truth - params[0] - history[[-lag for lag in used]] @ params[1:])
        found["persistence"].append(truth - history[-1])
    errors = {name: np.array(values) for name, values in found.items()}
    return {
        "data": data, "n": series.size, "origins": series.size - first, "lags": lags,
        "activation": model.activation, "skip": model.skip_connection, "fraction": model.alpha_ / model.alpha_max_,
        "rmse": {name: float(np.sqrt(mse(values))) for name, values in errors.items()},
        "statistic": {name: against(errors["ours"], values) for name, values in errors.items() if name != "ours"},
        "worst_gap": max(gaps),
    }  # fmt: skip


# ----------------------------------------------------------------------------------------------------- time, memory


def suite(name: str) -> list[dict]:
    """Run the measurements of a suite of ``run.py``, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for spec in SUITES[name](False):
            rows += run.measure(spec, sys.executable, Path(folder) / "caches", Path(folder))
            print(rows[-1], flush=True)
    return rows


PARTS = {
    "minutes_levels": lambda: bitcoin("btc_1min_14d", datasets.load_btc_minutes().target, 0),
    "minutes_increments": lambda: bitcoin("btc_1min_14d", datasets.load_btc_minutes().target, 1),
    "half_hours_levels": lambda: bitcoin("btc_30min_2017_2019", datasets.load_btc_half_hours().target, 0),
    "half_hours_increments": lambda: bitcoin("btc_30min_2017_2019", datasets.load_btc_half_hours().target, 1),
    "nonlinear": nonlinear,
    "year": lambda: suite("autoregression"),
    "many": lambda: suite("many_series"),
}


def main() -> None:
    """Run what the command line says, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("benchmark-results-forecasting.json"))
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "autoregression.md")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {"parts": {}}
    results |= {"machine": run.machine(), "versions": run.versions(), "date": datetime.date.today().isoformat()}
    for part in options.only:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="statsmodels")
            results.setdefault("loads", {})[part] = os.getloadavg()[0]  # how busy the machine was with other work
            results["parts"][part] = PARTS[part]()
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    options.page.write_text(forecasting_page.page(results))


if __name__ == "__main__":
    main()
