"""Seeded fuzz: ``python benchmarks/fuzz.py --fits 100000 [--processes 2] [--minutes 60]`` fits hard inputs and checks them.

Every fit is made from its number alone, is checked by code that shares nothing with the package (fuzz_gap.py, in long
double; where its rounding could be what it finds, exact.py, in rational arithmetic), and fails if its gap is above three
times the tolerance, if the tolerance was not reached or the iteration limit was, if a number is not finite, or if it took
very long. ``--one NUMBER`` makes one again. Finished chunks are kept in a file (``--out``), so that a run can be stopped
and taken up again.
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
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fuzz_cases import NETWORKS, Case, draw
from benchmarks.fuzz_gap import true_gap

CHUNK = 250
SLOW = 120.0
WORST = 3.0  # of the gap, in tolerances


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
    w = np.ones(len(case.y)) if case.w is None else case.w
    null = 0.5 * float(np.dot(w, (case.y - np.average(case.y, weights=w)) ** 2))
    gap, objective = true_gap(model, case, alpha)
    ratio, decided = gap / max(objective, 1e-8 * null, 1e-300) / case.tol, ""
    if abs(ratio) > WORST and model.converged_:
        from benchmarks.exact import certify

        ratio, decided = certify(model, case, alpha, WORST)
    row |= {"claimed": model.dual_gap_ / case.tol, "decided": decided}
    wrong = "not converged" if not model.converged_ else "gap" if abs(ratio) > WORST else ""
    wrong = "iteration limit" if model.n_iter_ >= model.max_iter else "slow" if seconds > SLOW else wrong
    return {**row, "ratio": ratio, "wrong": wrong}


def chunk(first: int, large: bool) -> dict:
    """Check a chunk of cases; what raises is a failure too."""
    tables: dict[str, list] = {}
    failures, decided = [], []
    for number in range(first, first + CHUNK):
        case = draw(number, large)
        try:
            row = check(case)
        except Exception as error:
            row = {"network": case.network, "ratio": np.inf, "iterations": 0, "wrong": f"{type(error).__name__}: {error}"}
        if row.get("decided"):
            decided.append([number, row["decided"]])
        if row["wrong"]:
            failures.append({"number": number, "case": str(case), **row})
        count, worst, most = tables.get(case.network, (0, 0.0, 0))
        worst = max(worst, abs(row["ratio"])) if np.isfinite(row["ratio"]) else worst
        tables[case.network] = [count + 1, worst, max(most, row["iterations"])]
    return {"first": first, "tables": tables, "failures": failures, "decided": decided}


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
