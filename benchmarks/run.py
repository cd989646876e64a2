"""Run benchmarks: ``python benchmarks/run.py [--quick] [--only NAME ...] [--out FILE]`` writes results as JSON.

Every measurement is a process of its own, one at a time, with all libraries on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib import metadata
from pathlib import Path

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy is imported, here and in every process started from here

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks import gap  # noqa: E402
from benchmarks.problems import Task  # noqa: E402
from benchmarks.suites import SUITES  # noqa: E402
from convexnn.datasets import make_minute_prices  # noqa: E402

TASK = ("kind", "n", "architecture", "fraction")
PACKAGES = (
    "convexnn",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "celer",
    "skglm",
    "adelie",
    "cvxpy",
    "clarabel",
    "osqp",
    "scs",
    "piqp",
    "condat_tv",
    "prox_tv",
    "torch",
    "pyscnn",
    "statsmodels",
)


def machine() -> dict:
    """Describe the machine: processor, cores, memory, and nothing that names it."""
    model, info = platform.processor(), Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": platform.system(),
    }


def versions() -> dict:
    """Return the versions of all packages; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # noqa: PERF203
            found[name] = None
    if found["convexnn"] is None:
        import convexnn

        found["convexnn"] = convexnn.__version__
    return found


def interpreters(arguments: list[str]) -> dict[str, str]:
    """Return the Python to use for rivals that cannot be installed beside the others, or for a suite: NAME=PYTHON."""
    return dict(argument.split("=", 1) for argument in arguments)


def environment(spec: dict, caches: Path) -> dict[str, str]:
    """Return the environment of a worker; the measurements of a first fit have a cache of compiled code of their
    own."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    if "cache" in spec:
        place = caches / spec["cache"]
        if spec["name"] == "empty cache":
            shutil.rmtree(place, ignore_errors=True)
        env["NUMBA_CACHE_DIR"] = str(place)
    return env


def with_files(spec: dict, folder: Path) -> dict:
    """Make the data of a memory measurement outside the process that is measured."""
    if spec["measure"] == "autoregression":
        np.save(folder / "x.npy", make_minute_prices(spec["n"]))
        return {**spec, "files": str(folder)}
    if spec["measure"] != "memory":
        return spec
    task = Task(spec["kind"], spec["n"], spec["architecture"], spec["fraction"])
    x, y = task.data()
    alpha = task.fraction * gap.critical_alpha(gap.merge(x, y), task.architecture)
    for name, array in (("x", x), ("y", y), ("alpha", np.array(alpha))):
        np.save(folder / f"{name}.npy", array)
    return {**spec, "files": str(folder)}


def measure(spec: dict, python: str, caches: Path, folder: Path) -> list[dict]:
    """Run one worker; what goes wrong is a result too. Of several runs, of a process of one row, the median counts."""
    runs = [measure_once(spec, python, caches, folder) for _ in range(spec.get("runs", 1))]
    return sorted(runs, key=lambda rows: rows[0]["process_seconds"])[len(runs) // 2]


def measure_once(spec: dict, python: str, caches: Path, folder: Path) -> list[dict]:
    """Run one worker once."""
    described = {**spec.get("task", {}), **{key: value for key, value in spec.items() if key != "task"}}
    module = "benchmarks.first_fit" if spec["measure"] == "process" else "benchmarks.worker"
    command = [python, "-m", module, json.dumps(with_files(spec, folder))]
    timeout = spec.get("timeout", 1800)
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, env=environment(spec, caches), timeout=timeout, capture_output=True, text=True, check=False
        )
        seconds, output, complaint = time.perf_counter() - start, done.stdout, done.stderr
        status = "" if done.returncode == 0 else "failed"
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode()
        seconds, complaint, status = float(timeout), f"more than {timeout} s", "timeout"
    lines = [line for line in output.splitlines() if line.startswith("[")]
    rows = json.loads(lines[-1]) if lines else []
    if status and not rows:
        last = complaint.strip().splitlines()[-1:] or [""]
        missing = "ModuleNotFoundError" in last[0]
        rows = [{**described, "status": "not installed" if missing else status, "message": last[0][:200]}]
    elif status:
        rows = [{**row, "status": row["status"] if row.get("status") == "ok" else status} for row in rows]
    return [{**row, "process_seconds": seconds} for row in rows]


def line(row: dict) -> str:
    """Return one line about a row."""
    words = [
        f"{row.get(key, ''):{width}}" for key, width in (("name", 20), ("architecture", 13), ("kind", 13), ("n", 8))
    ]
    for key, form in (
        ("fraction", "{:.0e}"),
        ("ratio", "{:.2f} x"),
        ("seconds", "{:.5f} s"),
        ("megabytes", "{:.0f} MB"),
        ("gap", "gap {:.1e}"),
        ("arrays", "{:.1f} arrays"),
        ("first_fit_seconds", "fit {:.2f} s"),
        ("import_seconds", "import {:.2f} s"),
    ):
        if row.get(key) is not None:
            words.append(form.format(row[key]))
    if "first_fit_seconds" in row or "import_seconds" in row:
        words.append(f"whole process {row['process_seconds']:.2f} s")
    return "  ".join([*words, row.get("status", ""), row.get("message", "")]).rstrip()


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, for trying: minutes instead of hours")
    parser.add_argument(
        "--only", nargs="+", choices=SUITES, default=list(SUITES), metavar="NAME", help=", ".join(SUITES)
    )
    parser.add_argument("--rival", nargs="+", metavar="NAME", help="of comparisons, measure these rivals only")
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PYTHON", help="interpreter for a rival or suite")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results.json"))
    options = parser.parse_args()
    pythons = interpreters(options.python)
    results = {"machine": machine(), "versions": versions(), "threads": 1, "quick": options.quick, "suites": {}, "dates": {}}
    if options.out.exists():
        # suites that are not run again keep their results
        before = json.loads(options.out.read_text())
        if before["quick"] == options.quick:
            results |= {name: before[name] for name in ("suites", "dates")}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for suite in options.only:
            before, rows = results["suites"].get(suite, []), []
            for spec in SUITES[suite](options.quick):
                if options.rival and spec["measure"] == "rival" and spec["name"] not in options.rival:
                    # a rival that is not measured again keeps its results
                    asked = {"name": spec["name"], **{key: spec["task"][key] for key in TASK}}
                    rows += [row for row in before if asked.items() <= row.items()]
                    continue
                python = pythons.get(spec.get("name", ""), pythons.get(suite, sys.executable))
                for row in measure(spec, python, place / "caches", place):
                    rows.append(row)
                    print(f"{suite:15}  {line(row)}", flush=True)
            results["suites"][suite], results["dates"][suite] = rows, date.today().isoformat()
            options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
