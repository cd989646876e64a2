"""What is measured: for every suite a list of measurements, each for one process."""

from __future__ import annotations

from benchmarks import first_fit
from benchmarks.adapters import ADAPTERS
from benchmarks.problems import KINDS, Task

SPLINES = ("relu", "relu_skip", "abs", "narrow_relu")
LASSO = ("sklearn_lasso", "sklearn_lars", "celer", "skglm", "adelie", "cvxpy_clarabel", "cvxpy_osqp", "cvxpy_scs")
TRAINED = ("torch_adam", "torch_lbfgs", "sklearn_mlp", "pyscnn")
STATE_SPACE = ("piqp", "piqp_two_sided", "clarabel", "clarabel_two_sided")
TV = ("convexnn_denoise", "condat_tv", "prox_tv")
assert set(LASSO + TRAINED + STATE_SPACE + TV) | {"convexnn"} == set(ADAPTERS)


def _fit(kind: str, n: int, architecture: str, fractions: list[float], **more: object) -> dict:
    return {"measure": "fit", "kind": kind, "n": n, "architecture": architecture, "fractions": fractions, **more}


def _rival(name: str, task: Task, **more: object) -> dict:
    return {"measure": "rival", "name": name, "task": task.as_dict(), **more}


def million(quick: bool) -> list[dict]:
    """Whole fits against argsort."""
    n, fractions = (100_000, [1e-1, 1e-3]) if quick else (1_000_000, [1e-1, 1e-2, 1e-3, 1e-4])
    return [_fit(kind, n, a, fractions) for kind in KINDS for a in SPLINES]


def threshold(quick: bool) -> list[dict]:
    """Threshold networks, whole fit."""
    n = 100_000 if quick else 1_000_000
    return [_fit(kind, n, "threshold", [1e-1, 1e-2, 1e-3, 1e-4], gap=1e-12) for kind in KINDS]


def small(quick: bool) -> list[dict]:
    """The overhead of small problems."""
    kinds = ("smooth",) if quick else KINDS
    return [
        _fit(kind, n, a, [1e-1, 1e-2, 1e-3], repeats=15)
        for kind in kinds
        for n in (100, 300, 1000)
        for a in (*SPLINES, "threshold")
    ]


def predict(quick: bool) -> list[dict]:
    """Predictions against numpy.interp."""
    n = 100_000 if quick else 1_000_000
    return [
        {"measure": "predict", "n": n, "architecture": a, "fraction": f}
        for a in ("relu", "narrow_relu")
        for f in (1e-2, 1e-4)
    ]


def path(quick: bool) -> list[dict]:
    """A path of 100 alphas."""
    kinds, n, more = (("smooth",), 10_000, {"repeats": 1}) if quick else (KINDS, 100_000, {})
    return [{"measure": "path", "kind": kind, "n": n, "architecture": "relu", **more} for kind in kinds]


def cross_validation(quick: bool) -> list[dict]:
    """Five folds over 50 alphas, on two threads."""
    kinds, n = (("smooth",), 10_000) if quick else (KINDS, 100_000)
    return [
        {"measure": "cross_validation", "kind": k, "n": n, "architecture": a} for k in kinds for a in ("relu", "narrow_relu")
    ]


def tiny_alpha(quick: bool) -> list[dict]:
    """Very small alpha, where many points are knots."""
    n = 100_000 if quick else 1_000_000
    kinds, names = (("noise",), ("relu",)) if quick else (KINDS, SPLINES)
    return [_fit(kind, n, a, [1e-6, 1e-8, 1e-10], repeats=1 if quick else 3) for kind in kinds for a in names]


def minute_prices(quick: bool) -> list[dict]:
    """A year of simulated minute prices, in cents."""
    n = 52_560 if quick else 525_600
    return [_fit("minute_prices", n, a, [1e-1, 1e-2, 1e-4]) for a in SPLINES]


def state_space(quick: bool) -> list[dict]:
    """Interior-point methods on the sparse state-space form."""
    sizes = (1000, 10_000) if quick else (1000, 100_000, 500_000)
    return [
        _rival(name, Task("smooth", n, "relu", 1e-2, 1e-9), timeout=120 if quick else 900)
        for n in sizes
        for name in ("convexnn", *STATE_SPACE)
    ]


def explicit(quick: bool) -> list[dict]:
    """Lasso solvers on the explicit dictionary, and gradient methods on the network itself."""
    sizes, timeout = ((100,), 60) if quick else ((300, 1000), 60)  # more than 10,000 times ours
    return [
        _rival(name, Task("smooth", n, "relu", 1e-2, 1e-6), timeout=timeout, budget=timeout / 4)
        for n in sizes
        for name in ("convexnn", *LASSO, *STATE_SPACE, *TRAINED)
    ]


def total_variation(quick: bool) -> list[dict]:
    """Total-variation denoising, solver alone."""
    n = 100_000 if quick else 1_000_000
    return [
        _rival(name, Task(kind, n, "threshold", fraction, 1e-9), timeout=120)
        for kind in ("smooth", "walk")
        for fraction in (1e-2, 1e-4)
        for name in TV
    ]


def growth(quick: bool) -> list[dict]:
    """Growth with n."""
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000, 10_000_000)
    return [
        _fit(kind, n, a, [1e-2], repeats=3 if n > 1_000_000 else 5)
        for n in sizes
        for kind in ("smooth", "walk")
        for a in (*SPLINES, "threshold")
    ]


def memory(quick: bool) -> list[dict]:
    """Peak memory."""
    n = 200_000 if quick else 1_000_000
    rows = [("smooth", n, a, 1e-2) for a in (*SPLINES, "threshold")] + [("noise", n, a, 1e-8) for a in SPLINES]
    deep = [("noisy_sine", 300 if quick else 10_000, "abs_depth_3", 1e-2)]
    return [
        {
            "measure": "memory",
            "kind": k,
            "n": m,
            "architecture": a,
            "fraction": f,
            "gap": 1e-6 if "depth" in a else 1e-9,
        }
        for k, m, a, f in rows + deep
    ]


def deep(quick: bool) -> list[dict]:
    """Deep architectures, to a gap of 1e-6: time, and peak of memory above what the data and the imports take."""
    sizes = [("abs_depth_3", n) for n in ((300,) if quick else (1000, 3000, 10_000))]
    sizes += [("abs_depth_4", n) for n in ((30,) if quick else (100, 300))]
    sizes += [("thinned_abs_3", 10_000 if quick else 1_000_000)]
    sizes += [("relu", 100_000), ("narrow_relu", 100_000), ("sign_parallel", 5_000 if quick else 100_000)]
    return [_fit("noisy_sine", n, a, [1e-2], repeats=1, gap=1e-6, timeout=120 if quick else 900) for a, n in sizes]


def autoregression(quick: bool) -> list[dict]:
    """A year of simulated minute prices in cents, as a series: time and peak memory of the whole fit."""
    n = 52_560 if quick else 525_600
    return [
        {"measure": "autoregression", "name": "convexnn", "n": n, "depth": depth, "fraction": fraction}
        for depth in (2, 3)
        for fraction in (1e-2, 1e-4, 1e-6)
    ]


def many_series(quick: bool) -> list[dict]:
    """Many short series, one model each."""
    return [{"measure": "many_series", "name": "convexnn", "n": 500, "series": 50 if quick else 1000, "processes": 2}]


def additive(quick: bool) -> list[dict]:
    """Networks of ten inputs."""
    n, names = (10_000, ("relu",)) if quick else (100_000, ("relu", "relu_skip", "abs", "narrow_relu", "threshold"))
    fractions, more = [1e-1, 1e-2], {"inputs": 10, "repeats": 1 if quick else 3}
    return [{"measure": "additive", "n": n, "architecture": a, "fractions": fractions, **more} for a in names]


def start(quick: bool) -> list[dict]:
    """What a new user waits for: import, first fit ever (empty cache of compiled code), first fit of the next process."""
    out: list[dict] = [{"measure": "process", "name": "import", "architecture": None, "n": 0, "runs": 7}]
    for a in ("relu", "abs_depth_3", "threshold")[: 1 if quick else 3]:
        for name in ("empty cache", "next process"):
            n = 300 if a == "abs_depth_3" else 1000
            runs = 7 if name == "next process" else 1
            out.append({"measure": "process", "name": name, "architecture": a, "n": n, "cache": a, "runs": runs})
    ruler = {"measure": "process", "name": first_fit.RULER, "architecture": None, "n": 0, "cache": "ruler"}
    return [*out, {**ruler, "runs": 7}]  # of which the first compiles, and is not the median


SUITES = {
    "million": million,
    "threshold": threshold,
    "small": small,
    "predict": predict,
    "path": path,
    "cross_validation": cross_validation,
    "tiny_alpha": tiny_alpha,
    "minute_prices": minute_prices,
    "state_space": state_space,
    "explicit": explicit,
    "total_variation": total_variation,
    "growth": growth,
    "memory": memory,
    "deep": deep,
    "additive": additive,
    "autoregression": autoregression,
    "many_series": many_series,
    "start": start,
}
