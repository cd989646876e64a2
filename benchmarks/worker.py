"""One measurement, in a process of its own: ``python -m benchmarks.worker JSON`` prints its rows as JSON.

``run.py`` starts it, with threads pinned to one and a timeout.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import gap, memory
from benchmarks.adapters import Adapter, load
from benchmarks.problems import ARCHITECTURES, Task, several_inputs

REPEATS, WARM = 5, 0.1  # WARM in seconds
# Architectures that only the package itself prices.
OWN_PRICING = ("abs_depth_4", "thinned_abs_3")


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, and what it returned."""
    start = time.perf_counter()
    out = call()
    return time.perf_counter() - start, out


def versus(repeats: int, call: Callable[[], Any], ruler: Callable[[], Any]) -> tuple[dict, Any]:
    """Time a call against a ruler, taking turns; the ratio is the median of the ratios."""
    ratios, times, rulers, out = [], [], [], None
    for _ in range(repeats):
        length, _ = timed(ruler)
        seconds, out = timed(call)
        ratios.append(seconds / length)
        times.append(seconds)
        rulers.append(length)
    medians = {"ratio": ratios, "seconds": times, "ruler_seconds": rulers}
    return {**{key: statistics.median(values) for key, values in medians.items()}, "repeats": repeats}, out


def certified(task: Task, data: gap.Merged, alpha: float, adapter: Adapter, state: Any, raw: Any) -> dict:
    """Return objective and gap by the common code, or what the package says where that cannot price."""
    fit = adapter.finish(state, raw)
    notes = dict(fit.notes)
    if task.architecture in OWN_PRICING:
        value, relative = gap.objective(data, alpha, fit.values, fit.norm), notes["claimed_gap"]
        return {"objective": value, "gap": relative, "gap_by": "package", **notes}
    found = gap.certify(data, task.architecture, alpha, fit.values, fit.norm)
    return {"objective": found.objective, "gap": found.relative_gap, "gap_by": "common code", **notes}


def merged(task: Task, x: np.ndarray, y: np.ndarray) -> tuple[gap.Merged, float]:
    """Return merged data, and alpha; where there is no independent pricing it comes from the package."""
    data = gap.merge(x, y)
    if task.architecture in OWN_PRICING:
        from convexnn import alpha_max

        return data, task.fraction * alpha_max(x.reshape(-1, 1), y, **ARCHITECTURES[task.architecture])
    return data, task.fraction * gap.critical_alpha(data, task.architecture)


def warm_up(name: str, task: Task) -> None:
    """Compile, and warm up: fit a small problem of the same kind at several alphas."""
    adapter = load(name)
    n = min(task.n, 40 if task.architecture.startswith("abs_depth") else 300)
    for fraction in (1e-1, 1e-3):
        small = Task("smooth", n, task.architecture, fraction)
        x, y = small.data()
        _, alpha = merged(small, x, y)
        state, accuracy = adapter.prepare(small, x, y, alpha), 1e-3 if name.startswith("torch") else 1e-9
        # again and again for a while: Python too is faster from the tenth call on
        until = time.perf_counter() + WARM
        adapter.solve(state, accuracy)
        while time.perf_counter() < until:
            adapter.solve(state, accuracy)


def fit(spec: dict) -> list[dict]:
    """Time whole fits of one data set, for several alphas, against argsort of the same x; and their peak of memory."""
    rows, adapter = [], load("convexnn")
    for fraction in spec["fractions"]:
        task = Task(spec["kind"], spec["n"], spec["architecture"], fraction, spec.get("gap", 1e-9))
        x, y = task.data()
        data, alpha = merged(task, x, y)
        warm_up("convexnn", task)
        state = adapter.prepare(task, x, y, alpha)
        before = memory.reset_peak()
        times, raw = versus(
            spec.get("repeats", REPEATS), lambda s=state, t=task: adapter.solve(s, t.gap), lambda v=x: np.argsort(v)
        )
        times["megabytes"] = (memory.peak() - before) / 2**20
        rows.append(
            {**task.as_dict(), "name": "convexnn", **times, **certified(task, data, alpha, adapter, state, raw)}
        )
    return rows


def additive(spec: dict) -> list[dict]:
    """Time whole fits of several inputs against argsort of one of them; the gap is that of the fuzz's independent code."""
    from benchmarks.fuzz import Case, true_gap
    from convexnn import ConvexNNRegressor, alpha_max

    name, parameters, rows = spec["architecture"], ARCHITECTURES[spec["architecture"]], []
    X, y = several_inputs(spec["n"], spec["inputs"])
    ConvexNNRegressor(solver="additive", **parameters).fit(X[:300], y[:300])
    top = alpha_max(X, y, **parameters)
    for fraction in spec["fractions"]:
        model = ConvexNNRegressor(alpha=fraction * top, tol=1e-9, **parameters)
        times, _ = versus(spec["repeats"], lambda m=model: m.fit(X, y), lambda: np.argsort(X[:, 0]))
        case = Case(0, "uniform", "sine", name, X, y, None, fraction, 1e-9)
        gap_, objective = true_gap(model, case, fraction * top)
        row = {"kind": f"{spec['inputs']} inputs", "n": spec["n"], "architecture": name, "fraction": fraction}
        found = {"objective": objective, "gap": gap_ / objective, "gap_by": "common code", "n_active": model.coef_.size}
        rows.append({**row, "name": "convexnn", **times, **found})
    return rows


def rival(spec: dict) -> list[dict]:
    """Time one adapter at its loosest setting that reaches the gap; else its best. Every setting tried is listed."""
    task = Task(**spec["task"])
    adapter = load(spec["name"])
    if task.architecture not in adapter.architectures:
        return [{**task.as_dict(), "name": spec["name"], "status": "cannot train this architecture"}]
    x, y = task.data()
    data, alpha = merged(task, x, y)
    state = adapter.prepare(task, x, y, alpha)
    warm_up(spec["name"], task)
    settings = (task.gap,) if spec["name"] == "convexnn" else adapter.accuracies
    tried: list[dict] = []
    spent = 0.0
    for setting in settings:
        seconds, raw = timed(lambda s=setting: adapter.solve(state, s))
        spent += seconds
        seconds = adapter.seconds(raw) or seconds
        tried.append({"setting": setting, "seconds": seconds, **certified(task, data, alpha, adapter, state, raw)})
        print(json.dumps([_verdict(task, spec["name"], tried)]), flush=True)  # kept if the next setting times out
        if tried[-1]["gap"] <= task.gap or spent > spec.get("budget", 60.0):
            break
    best = _verdict(task, spec["name"], tried)
    if best["seconds"] < 5.0:
        again = []
        for _ in range(REPEATS):
            seconds, raw = timed(lambda: adapter.solve(state, best["setting"]))
            again.append(adapter.seconds(raw) or seconds)
        best["seconds"], best["repeats"] = statistics.median(again), REPEATS
    return [best]


def _verdict(task: Task, name: str, tried: list[dict]) -> dict:
    best = min(tried, key=lambda t: (t["gap"] > task.gap, t["gap"]))
    status = "ok" if best["gap"] <= task.gap else "gap not reached"
    history = [{key: t[key] for key in ("setting", "seconds", "gap")} for t in tried]
    return {
        **task.as_dict(),
        "required_gap": task.gap,
        "name": name,
        "status": status,
        "repeats": 1,
        **best,
        "tried": history,
    }


def predict(spec: dict) -> list[dict]:
    """Time ``predict`` against numpy.interp with as many nodes as the fit has, on unsorted and sorted inputs."""
    task = Task("smooth", spec["n"], spec["architecture"], spec["fraction"])
    x, y = task.data()
    from convexnn import ConvexNNRegressor

    _, alpha = merged(task, x, y)
    model = ConvexNNRegressor(alpha=alpha, tol=1e-9, **ARCHITECTURES[task.architecture]).fit(x[:, None], y)
    nodes = np.concatenate(([x.min()], model.breakpoints_[0], [x.max()]))
    nodes = np.unique(nodes)
    heights, rows = model.predict(nodes[:, None]), []
    for order in ("unsorted", "sorted"):
        points = x if order == "unsorted" else np.sort(x)
        X = points[:, None].copy()
        times, _ = versus(REPEATS, lambda z=X: model.predict(z), lambda p=points: np.interp(p, nodes, heights))
        rows.append({**task.as_dict(), "name": f"predict, {order}", "nodes": int(nodes.size), **times})
    return rows


def path(spec: dict) -> list[dict]:
    """Time 100 alphas from the critical one to 1e-4 of it: ``convex_nn_path``, and a loop of fits."""
    import convexnn

    task = Task(spec["kind"], spec["n"], spec["architecture"], 1.0)
    x, y = task.data()
    _, top = merged(task, x, y)
    X, alphas = x[:, None], top * np.geomspace(1.0, 1e-4, spec.get("alphas", 100))
    parameters = {"tol": 1e-9, **ARCHITECTURES[task.architecture]}
    warm_up("convexnn", task)

    def loop() -> list[float]:
        return [float(convexnn.ConvexNNRegressor(alpha=a, **parameters).fit(X, y).dual_gap_) for a in alphas]

    times, gaps = versus(spec.get("repeats", 3), loop, lambda: np.argsort(x))
    rows = [{**task.as_dict(), "name": "loop of fits", **times, "gap": max(gaps), "gap_by": "package"}]
    if not hasattr(convexnn, "convex_nn_path"):
        return [*rows, {**task.as_dict(), "name": "convex_nn_path", "status": "not in this version"}]
    times, found = versus(
        spec.get("repeats", 3),
        lambda: convexnn.convex_nn_path(X, y, alphas=alphas, **parameters),
        lambda: np.argsort(x),
    )
    gaps = getattr(found, "dual_gaps", None)
    worst = None if gaps is None else float(np.max(gaps))
    return [*rows, {**task.as_dict(), "name": "convex_nn_path", **times, "gap": worst, "gap_by": "package"}]


def cross_validation(spec: dict) -> list[dict]:
    """Time ``ConvexNNRegressorCV``: five folds, 50 alphas from the critical one to 1e-4 of it, two threads."""
    from convexnn import ConvexNNRegressorCV

    task = Task(spec["kind"], spec["n"], spec["architecture"], 1.0)
    x, y = task.data()
    parameters = dict(ARCHITECTURES[task.architecture])
    depth = parameters.pop("depth", 2)
    warm_up("convexnn", task)
    model = ConvexNNRegressorCV((depth,), alphas=50, eps=1e-4, cv=5, n_jobs=2, **parameters)
    times, found = versus(spec.get("repeats", 3), lambda: model.fit(x[:, None], y), lambda: np.argsort(x))
    gap_found = {"gap": float(found.dual_gap_), "gap_by": "package"}
    return [{**task.as_dict(), "name": "ConvexNNRegressorCV, 5 folds, 50 alphas", **times, **gap_found}]


def peak_memory(spec: dict) -> list[dict]:
    """Measure the peak of resident memory in a fit, x and y included, in arrays of n float64."""
    task = Task(spec["kind"], spec["n"], spec["architecture"], spec["fraction"], spec.get("gap", 1e-9))
    warm_up("convexnn", task)
    adapter = load("convexnn")
    x, y, alpha = (np.load(f"{spec['files']}/{name}.npy") for name in ("x", "y", "alpha"))
    before = memory.reset_peak()
    seconds, raw = timed(lambda: adapter.solve(adapter.prepare(task, x, y, float(alpha)), task.gap))
    extra = memory.peak() - before
    arrays = 2.0 + extra / (8.0 * task.n)
    return [
        {
            **task.as_dict(),
            "name": "convexnn",
            "seconds": seconds,
            "bytes_above_input": extra,
            "arrays": arrays,
            "claimed_gap": float(raw.dual_gap_),
            "measured_by": memory.METHOD,
        }
    ]


def autoregression(spec: dict) -> list[dict]:
    """Time the fit of a series, and measure its peak of resident memory above the data; lags are made in the fit."""
    from convexnn import ConvexNNAutoregressor

    prices = np.load(f"{spec['files']}/x.npy")
    parameters = {"depth": spec["depth"], "tol": 1e-10}
    ConvexNNAutoregressor(**parameters).fit(prices[:1000])
    data, name = gap.merge(prices[:-1], prices[1:]), "relu" if spec["depth"] == 2 else "narrow_relu"
    alpha = spec["fraction"] * gap.critical_alpha(data, name)
    before = memory.reset_peak()
    seconds, model = timed(lambda: ConvexNNAutoregressor(alpha=alpha, **parameters).fit(prices))
    extra, times, busy = memory.peak() - before, [seconds], []
    for _ in range(REPEATS):
        start = time.process_time()
        seconds, model = timed(lambda: ConvexNNAutoregressor(alpha=alpha, **parameters).fit(prices))
        times.append(seconds)
        busy.append(time.process_time() - start)
    found = gap.certify(data, name, alpha, model.fitted_values_[1:], float(np.abs(model.coef_).sum()))
    return [
        {
            **{key: spec[key] for key in ("name", "n", "depth", "fraction")},
            "distinct": int(data.x.size),
            "seconds": statistics.median(times),
            "processor_seconds": statistics.median(busy),
            "repeats": REPEATS + 1,
            "bytes_above_input": extra,
            "gap": found.relative_gap,
            "gap_by": "common code",
            "neurons": int(model.n_neurons_),
        }
    ]


def many_series(spec: dict) -> list[dict]:
    """Time ``fit_many`` on random walks, a frame and processes included."""
    import pandas as pd

    from convexnn import fit_many

    walks = np.random.default_rng(0).standard_normal((spec["series"], spec["n"])).cumsum(axis=1)
    keys = np.repeat(np.arange(spec["series"]), spec["n"])
    frame = pd.DataFrame({"series": keys, "value": walks.ravel()})
    seconds, (_, found) = timed(lambda: fit_many(frame, by="series", n_jobs=spec["processes"]))
    row = {key: spec[key] for key in ("name", "n", "series", "processes")}
    return [{**row, "seconds": seconds, "gap": float(found["dual_gap"].max()), "gap_by": "package"}]


MEASUREMENTS = {
    "fit": fit,
    "additive": additive,
    "rival": rival,
    "predict": predict,
    "path": path,
    "cross_validation": cross_validation,
    "memory": peak_memory,
    "autoregression": autoregression,
    "many_series": many_series,
}


def main() -> None:
    """Measure what the argument says."""
    spec = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    print(json.dumps(MEASUREMENTS[spec["measure"]](spec)), flush=True)


if __name__ == "__main__":
    main()
