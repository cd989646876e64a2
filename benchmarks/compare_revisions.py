"""Compare the speed of two revisions: ``python benchmarks/compare_revisions.py REV_A REV_B [--rounds 5]``.

Both are checked out with ``git worktree`` into a temporary folder (``.`` means the working tree as it is), each gets a
worker process of its own that stays alive, and the two take turns at every task: what else the machine does falls on
both. Printed is the median over the rounds of (time of B) / (time of A): above one, B is slower. Each revision is asked
for the same fraction of the critical alpha and the same tolerance.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

# runs in either revision: nothing of benchmarks/ is imported, which an old revision may not have
WORKER = """
import json, sys, time, warnings
import numpy as np
from convexnn import ConvexNNRegressor, alpha_max
warnings.simplefilter("ignore")
for line in sys.stdin:
    kind, n, fraction, parameters = json.loads(line)
    rng = np.random.default_rng(0)
    x = rng.standard_cauchy(n) if kind == "heavy_tailed" else rng.random(n)
    y = {"smooth": np.sin(12 * x), "heavy_tailed": np.tanh(x), "noise": 0 * x}[kind] + 0.3 * rng.standard_normal(n)
    X = x[:, None]
    model = ConvexNNRegressor(alpha=fraction * alpha_max(X, y, **parameters), tol=1e-9, **parameters)
    small = slice(0, min(n, 300))
    model.fit(X[small], y[small])
    start = time.perf_counter()
    model.fit(X, y)
    print(json.dumps([time.perf_counter() - start, model.objective_, model.dual_gap_]), flush=True)
"""

TASKS = [
    (kind, n, fraction, parameters)
    for n in (300, 10_000, 1_000_000)
    for kind in ("smooth", "heavy_tailed", "noise")
    for parameters in ({}, {"skip_connection": True}, {"activation": "abs"}, {"depth": 5}, {"activation": "threshold"})
    for fraction in (1e-1, 1e-3)
] + [("smooth", n, 1e-2, {"activation": "abs", "depth": 3}) for n in (100, 500)]


def checkout(revision: str, folder: Path) -> Path:
    """Return a folder with the revision's files."""
    if revision == ".":
        return ROOT
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", "--quiet", folder, revision], check=True)
    return folder


def worker(place: Path, cache: Path) -> subprocess.Popen:
    """Start a process that uses the package in ``place``."""
    env = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(place), "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place, env=env
    )


def ask(process: subprocess.Popen, task: tuple) -> list[float]:
    """Have a worker do one task: seconds, objective, gap."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"a worker ended at {task}")
    return json.loads(answer)


def compare(workers: list[subprocess.Popen], rounds: int, largest: int) -> None:
    """Print a line for every task, and the median of all."""
    everything = []
    for task in (task for task in TASKS if task[1] <= largest):
        ratios, times, objectives = [], [], []
        for k in range(rounds + 1):
            order = (0, 1) if k % 2 else (1, 0)
            answers = {i: ask(workers[i], task) for i in order}
            if k == 0:
                objectives = [answers[i][1] for i in (0, 1)]
                continue  # the first round compiles
            times.append((answers[0][0], answers[1][0]))
            ratios.append(answers[1][0] / answers[0][0])
        ratio = statistics.median(ratios)
        everything.append(ratio)
        a, b = (statistics.median(pair[i] for pair in times) * 1e3 for i in (0, 1))
        apart = abs(objectives[1] - objectives[0]) / max(abs(objectives[0]), 1e-300)
        kind, n, fraction, parameters = task
        print(
            f"{kind:13} {n:8d} {fraction:.0e} {a:10.2f} ms {b:10.2f} ms  ratio {ratio:6.3f}"
            f"  objectives differ by {apart:.0e}  {parameters}",
            flush=True,
        )
    print(f"median of ratios {statistics.median(everything):.3f}, from {min(everything):.3f} to {max(everything):.3f}")


def main() -> None:
    """Compare what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revisions", nargs=2, metavar="REVISION", help="two of them; a dot is the working tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000, help="leave out larger problems")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, workers = Path(temporary), []
        try:
            for name, revision in zip("ab", options.revisions, strict=True):
                workers.append(worker(checkout(revision, folder / name), folder / f"cache-{name}"))
            compare(workers, options.rounds, options.largest)
        finally:
            for process in workers:
                process.kill()
                process.wait()
            for name, revision in zip("ab", options.revisions, strict=True):
                if revision != "." and (folder / name).exists():
                    subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", folder / name], check=False)


if __name__ == "__main__":
    main()
