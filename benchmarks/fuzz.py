"""Seeded fuzz: ``python benchmarks/fuzz.py --fits 100000 [--processes 2] [--minutes 60]`` fits hard inputs and checks them.

Every fit is made from its number alone, is checked by code that shares nothing with the package, in long double, and fails
if the gap of its predictions is above three times the tolerance, if the iteration limit was reached, if a number is not
finite, or if it took very long. ``--one NUMBER`` makes one again. Finished chunks are kept in a file (``--out``), so that a
run can be stopped and taken up again.

The check does not scale. Any dual point gives a bound, and the best of three counts: the residuals of the predictions,
those corrected so that the active features, read off the fitted description, have exactly the correlation beta, and the
solver's where it keeps one.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import itertools
import json
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.gap import hinge_sums

Array = NDArray[np.floating]
Long = np.longdouble
CHUNK = 250
SLOW = 120.0

RAMPS = {"relu": 0.0, "leaky_relu": 0.3, "abs": -1.0}  # slope for negative arguments
NETWORKS: dict[str, dict] = {
    **{name: {"activation": name} for name in ("relu", "abs", "threshold", "sign")},
    "leaky_relu": {"activation": "leaky_relu", "negative_slope": 0.3},
    "narrow_relu": {"depth": 4},
}
NETWORKS |= {f"{name}_skip": {**NETWORKS[name], "skip_connection": True} for name in NETWORKS if name != "narrow_relu"}


@dataclass(frozen=True)
class Case:
    """A problem and what to fit to it."""

    number: int
    inputs: str
    targets: str
    network: str
    X: Array
    y: Array
    w: Array | None
    fraction: float
    tol: float

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.X.shape))
        weights = "" if self.w is None else ", weighted"
        return (
            f"--one {self.number}: {self.network}, {shape}, {self.inputs} inputs, {self.targets} targets{weights}, "
            f"{self.fraction:.0e} of the critical alpha, tol {self.tol:.0e}"
        )


def inputs(rng: np.random.Generator, kind: str, n: int) -> Array:
    """Return one input."""
    if kind == "gaps":  # from 1e-12 to 1, side by side
        return rng.permutation(np.cumsum(10.0 ** rng.uniform(-12, 0, n)))
    if kind == "offset":
        return 1e9 + np.cumsum(10.0 ** rng.uniform(-6, 0, n))
    if kind == "ties":
        return np.round(rng.normal(size=n), 1)
    if kind == "integers":
        return rng.integers(-5, 6, n).astype(float)
    if kind == "cauchy":
        return rng.standard_cauchy(n)
    if kind == "clusters":
        return rng.integers(0, 3, n) + 10.0 ** rng.uniform(-10, -3) * rng.normal(size=n)
    if kind == "grid":
        return np.arange(n, dtype=float) * 10.0 ** rng.integers(-6, 7)
    return rng.random(n)


def targets(rng: np.random.Generator, kind: str, x: Array) -> Array:
    """Return targets for a first input."""
    n, order = x.size, np.argsort(x)
    t = (x - x.min()) / max(np.ptp(x), 1e-300)
    if kind == "line":
        return 3.0 * t - 1.0
    if kind == "alternating":
        y = np.empty(n)
        y[order] = (-1.0) ** np.arange(n)
        return y
    if kind == "walk":
        y = np.empty(n)
        y[order] = np.cumsum(rng.normal(size=n))
        return y
    if kind == "cauchy":
        return np.sin(6 * t) + 0.1 * rng.standard_cauchy(n)
    if kind == "noise":
        return rng.normal(size=n)
    if kind == "integers":
        return rng.integers(0, 3, n).astype(float)
    if kind == "step":
        return (t > 0.4) + 0.05 * rng.normal(size=n)
    return (np.sin(9 * t) + 0.3 * rng.normal(size=n)) * 10.0 ** rng.integers(-6, 7) + rng.choice([0.0, 100.0])


INPUTS = ("uniform", "gaps", "offset", "ties", "integers", "cauchy", "clusters", "grid")
TARGETS = ("sine", "line", "alternating", "walk", "cauchy", "noise", "integers", "step")
FRACTIONS = (1.2, 0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10)


def draw(number: int, large: bool = True) -> Case:
    """Return the case of that number."""
    rng = np.random.default_rng([20240301, number])
    network = str(rng.choice(list(NETWORKS)))
    kind, aim = str(rng.choice(INPUTS)), str(rng.choice(TARGETS))
    n = int(rng.choice([rng.integers(1, 12), rng.integers(2, 60), rng.integers(50, 400)]))
    columns = 1 if rng.random() < 0.8 else int(rng.integers(2, 5))
    if columns > 1:
        n = min(n, 80)
    elif large and rng.random() < 0.002:
        n = int(10.0 ** rng.uniform(4, 6))
    x = inputs(rng, kind, n)
    others = [inputs(rng, str(rng.choice(INPUTS)), n) for _ in range(columns - 1)]
    if others and rng.random() < 0.3:  # dependent: equal, mirrored, scaled, nearly equal
        others[-1] = [x, -x, 3.0 * x, x + 1e-6 * np.ptp(x) * others[-1] / max(np.ptp(others[-1]), 1e-300)][rng.integers(4)]
    X = np.column_stack([x, *others])
    weighting = rng.integers(4)
    w = [None, None, rng.integers(0, 4, n) + 1.0 * (np.arange(n) == 0), rng.uniform(0.1, 10, n)][weighting]
    fraction = float(rng.choice(FRACTIONS))
    tol = 1e-9 if fraction >= 1e-4 and rng.random() < 0.3 else 1e-6
    return Case(number, kind, aim, network, X, targets(rng, aim, x), w, fraction, tol)


def largest_correlation(network: str, X: Array, lam: Array) -> float:
    """Return the largest |lam @ g| over the features of all inputs; lam is orthogonal to the free directions."""
    worst, name = Long(0), network.removesuffix("_skip")
    for x in X.T:
        order = np.argsort(x, kind="stable")
        x, pull = x[order], lam[order]
        if x[0] == x[-1]:
            continue
        if name in ("threshold", "sign"):
            sums = np.cumsum(pull)[:-1][x[1:] > x[:-1]]
            worst = max(worst, (1 if name == "threshold" else 2) * np.abs(sums).max())
            continue
        sums = hinge_sums(x, pull)
        if name == "narrow_relu":
            worst = max(worst, max(sums.max(), 0) - min(sums.min(), 0))
            continue
        slope = Long(RAMPS[name])
        right, left = (1 - slope) * sums + slope * sums[0], (1 - slope) * sums - sums[0]
        worst = max(worst, np.abs(right).max(), np.abs(left).max())
    return worst


def free_basis(X: Array, root: Array, skip: bool) -> Array:
    """Return the free directions times sqrt(w), orthonormal."""
    vectors: list[Array] = []
    for column in (np.ones(len(X), Long), *(X.T if skip else ())):
        vector = root * (column - column.mean() if vectors else column)
        size = np.sqrt(np.dot(vector, vector))
        for other in vectors * 2:
            vector = vector - other * np.dot(other, vector)
        rest = np.sqrt(np.dot(vector, vector))
        if rest > 1e-12 * size:
            vectors.append(vector / rest)
    return np.array(vectors)


def active_columns(model, network: str, X: Array) -> Array:
    """Return the active features at the rows, from their description."""
    name, out = network.removesuffix("_skip"), []
    for feature in model.features_:
        x, places = X[:, feature.input], np.array(feature.breakpoints, dtype=Long)
        if name in ("threshold", "sign"):
            out.append(np.where(x >= places[0], 1, 0 if name == "threshold" else -1))
        elif name == "narrow_relu":
            out.append(np.clip(x - places[0], 0, places[-1] - places[0]))
        else:
            u = (x - places[0]) * feature.signs[0]
            out.append(np.where(u >= 0, u, Long(RAMPS[name]) * u))
    return np.array(out, dtype=Long).reshape(-1, len(X))


def merged_rows(case: Case) -> tuple[Array, Array, Array, Array]:
    """Return distinct rows, means and weights of their targets, and half the squares about these means."""
    kept = np.ones(len(case.y), bool) if case.w is None else case.w > 0
    y, weight = case.y[kept].astype(Long), (np.ones(len(case.y)) if case.w is None else case.w)[kept].astype(Long)
    rows, group = np.unique(case.X[kept], axis=0, return_inverse=True)
    group, w, mean = group.ravel(), np.zeros(len(rows), Long), np.zeros(len(rows), Long)
    np.add.at(w, group, weight)
    np.add.at(mean, group, weight * y)
    mean /= w
    return rows, mean, w, np.dot(weight * (y - mean[group]), y - mean[group]) / 2


def true_gap(model, case: Case, alpha: float) -> tuple[float, float]:
    """Return gap and objective of the predictions, by the better of two dual points."""
    rows, y, w, constant = merged_rows(case)
    X = rows.astype(Long)
    X = X - X.min(axis=0)
    beta, root = Long(alpha) * w.sum(), np.sqrt(w)
    f = np.asarray(model.predict(rows), dtype=Long)
    norm = Long(np.abs(model.coef_).sum())
    center = np.dot(w, y) / w.sum()
    f, y = f - center, y - center
    basis = free_basis(X, root, case.network.endswith("_skip"))

    def gap(lam: Array) -> float:
        ratio = largest_correlation(case.network, X, lam) / beta if beta > 0 else Long(0)
        theta = 1 / max(Long(1), ratio)
        off = w * (y - f) - theta * lam
        return float(beta * norm - theta * np.dot(lam, f) + np.dot(off / w, off) / 2)

    scaled = root * (y - f)
    scaled = scaled - basis.T @ (basis @ scaled)
    best = gap(root * scaled)
    given, data = model._training.solution.lam, model._training.problem.data
    if given is not None and given.size == y.size:
        # the solver's own dual point: whatever it is, the bound that it gives here holds
        own = given.astype(Long) * data.w_scale * data.y_scale / root
        best = min(best, gap(root * (own - basis.T @ (basis @ own))))
    if 0 < model.coef_.size <= 500 and y.size <= 400 and best > 0:
        columns = active_columns(model, case.network, rows.astype(Long)) * root
        columns = columns - (columns @ basis.T) @ basis
        wanted = beta * np.sign(model.coef_)
        for _ in range(4):
            miss = (wanted - columns @ scaled).astype(float)
            scaled = scaled + np.linalg.lstsq(columns.astype(float), miss, rcond=1e-14)[0]
            scaled = scaled - basis.T @ (basis @ scaled)
            best = min(best, gap(root * scaled))
    return best, float(np.dot(w * (y - f), y - f) / 2 + beta * norm + constant)


def check(case: Case) -> dict:
    """Fit a case; return the gap over the tolerance, and what is wrong with it, if anything."""
    from convexnn import ConvexNNRegressor, alpha_max

    parameters, start = NETWORKS[case.network], time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alpha = case.fraction * alpha_max(case.X, case.y, sample_weight=case.w, **parameters)
        model = ConvexNNRegressor(alpha=alpha, tol=case.tol, **parameters).fit(case.X, case.y, case.w)
    seconds = time.perf_counter() - start
    row = {"network": case.network, "inputs": case.X.shape[1], "seconds": seconds, "iterations": model.n_iter_}
    if not np.isfinite([model.objective_, model.dual_gap_, *model.predict(case.X)]).all():
        return {**row, "ratio": np.inf, "wrong": "not finite"}
    if alpha == 0.0:
        return {**row, "ratio": 0.0, "wrong": ""}
    gap, objective = true_gap(model, case, alpha)
    w = np.ones(len(case.y)) if case.w is None else case.w
    null = 0.5 * float(np.dot(w, (case.y - np.average(case.y, weights=w)) ** 2))
    ratio = gap / max(objective, 1e-8 * null, 1e-300) / case.tol
    wrong = "not converged" if not model.converged_ else "gap" if ratio > 3.0 else ""
    wrong = "iteration limit" if model.n_iter_ >= model.max_iter else "slow" if seconds > SLOW else wrong
    return {**row, "ratio": ratio, "claimed": model.dual_gap_ / case.tol, "wrong": wrong}


def chunk(first: int, large: bool) -> dict:
    """Check a chunk of cases; what raises is a failure too."""
    tables: dict[str, list] = {}
    failures = []
    for number in range(first, first + CHUNK):
        case = draw(number, large)
        try:
            row = check(case)
        except Exception as error:
            row = {"network": case.network, "ratio": np.inf, "iterations": 0, "wrong": f"{type(error).__name__}: {error}"}
        if row["wrong"]:
            failures.append({"number": number, "case": str(case), **row})
        count, worst, most = tables.get(case.network, (0, 0.0, 0))
        worst = max(worst, row["ratio"]) if np.isfinite(row["ratio"]) else worst
        tables[case.network] = [count + 1, worst, max(most, row["iterations"])]
    return {"first": first, "tables": tables, "failures": failures}


def merge_tables(chunks: list[dict]) -> dict[str, tuple[int, float, int]]:
    """Return for each network the count of fits, the largest gap over tolerance, and the most iterations."""
    out = {}
    for name in NETWORKS:
        rows = [part["tables"][name] for part in chunks if name in part["tables"]]
        counts, worst, most = zip(*rows, strict=True) if rows else ((0,), (0.0,), (0,))
        out[name] = sum(counts), max(worst), max(most)
    return out


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first fit")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no new chunk after this time")
    parser.add_argument("--out", type=Path, default=Path("fuzz-results.jsonl"), help="finished chunks; taken up again")
    parser.add_argument("--small", action="store_true", help="no problem of more than 400 rows")
    parser.add_argument("--one", type=int, help="make this fit alone and print what comes out")
    options = parser.parse_args()
    if options.one is not None:
        case = draw(options.one, not options.small)
        print(case, check(case), sep="\n")
        return
    chunks = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done, until = {part["first"] for part in chunks}, time.monotonic() + 60.0 * options.minutes
    firsts = (k for k in range(options.first, options.first + options.fits, CHUNK) if k not in done)
    with ProcessPoolExecutor(options.processes) as pool, options.out.open("a") as file:
        running = {pool.submit(chunk, k, not options.small) for k in itertools.islice(firsts, options.processes)}
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            part = finished.result()
            chunks.append(part)
            file.write(json.dumps(part) + "\n")
            file.flush()
            for failure in part["failures"]:
                print(f"{failure['wrong']}, gap / tol {failure['ratio']:.3g}, {failure['case']}", flush=True)
            if time.monotonic() < until:
                running |= {pool.submit(chunk, k, not options.small) for k in itertools.islice(firsts, 1)}
    for name, (count, worst, most) in merge_tables(chunks).items():
        print(f"{name:16} {count:8d} fits, largest gap / tol {worst:8.3g}, at most {most:4d} iterations")
    failed = sum(len(part["failures"]) for part in chunks)
    print(f"{sum(len(part['tables']) and CHUNK for part in chunks)} fits, {failed} failures")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
