"""A stream of simulated minute prices, merged in bounded memory: rows a second, peak memory, and the fit that follows.

    python benchmarks/big_data.py --rows 1e9                 # two processes, each half of the years
    python benchmarks/big_data.py --rows 1e7 --processes 1
    python benchmarks/big_data.py --grouping                 # ways of finding equal inputs, nanoseconds a row

A year is 525,600 minutes of ``make_minute_prices``, each with a seed of its own; the rows are (price in cents, change to the
next minute). Nothing is read from a disk: prices are simulated as they are asked for, and that is timed apart.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time

import numpy as np
from joblib import Parallel, delayed
from memory import METHOD, peak, reset_peak

from convexnn import Compressed, ConvexNNRegressor, compress
from convexnn.canonical import canonicalize
from convexnn.datasets import make_minute_prices

YEAR = 525_600


class Years:
    """Chunks of a stream of prices, which keeps the time that simulating took."""

    def __init__(self, seeds: range, rows: int):
        self.seeds, self.rows, self.seconds = seeds, rows, 0.0

    def __iter__(self):
        left = self.rows
        for seed in self.seeds:
            start = time.thread_time()
            prices = make_minute_prices(min(YEAR, left) + 1, random_state=seed)
            chunk = prices[:-1, None], np.diff(prices)
            self.seconds += time.thread_time() - start
            left -= len(chunk[1])
            yield chunk


def stream(seeds: range, rows: int, grid: float | None) -> tuple[Compressed, float, float, int]:
    """Merge years; return the result, the processor's seconds of simulating and merging, and the bytes above the start."""
    compress(Years(range(1), 1000))
    years, before, start = Years(seeds, rows), reset_peak(), time.thread_time()
    data = compress(years, grid=grid)
    return data, years.seconds, time.thread_time() - start - years.seconds, peak() - before


def run(rows: int, processes: int, grid: float | None) -> None:
    """Print the figures of a stream, as rows of a table."""
    share = -(-rows // processes)
    shares = [min(share, rows - share * k) for k in range(processes)]
    years = -(-share // YEAR)
    start = time.perf_counter()
    parts = Parallel(n_jobs=processes)(
        delayed(stream)(range(years * k, years * (k + 1)), part, grid) for k, part in enumerate(shares)
    )
    data = compress([part[0] for part in parts])
    wall = time.perf_counter() - start
    simulated, merged = (sum(part[k] for part in parts) for k in (1, 2))
    start = time.perf_counter()
    model = ConvexNNRegressor().fit_compressed(data)
    fitted = time.perf_counter() - start
    below, above = model.objective_bounds_
    for name, value in {
        "rows": f"{data.n_rows:,}",
        "processes": f"{processes}",
        "distinct inputs": f"{data.y.size:,}",
        "seconds, all in all": f"{wall:.1f}",
        "rows a second, simulating included": f"{data.n_rows / wall:,.0f}",
        "simulating, ns of a processor a row": f"{1e9 * simulated / data.n_rows:.1f}",
        "merging, ns of a processor a row": f"{1e9 * merged / data.n_rows:.1f}",
        "rows a second of merging, one processor": f"{data.n_rows / merged:,.0f}",
        f"memory of a process above its start ({METHOD})": f"{max(part[3] for part in parts) / 1e6:.0f} MB",
        "the rows themselves": f"{16 * data.n_rows / 1e6:,.0f} MB",
        "seconds of the fit": f"{fitted:.2f}",
        "relative gap": f"{model.dual_gap_:.1e}",
        "objective": f"{model.objective_:.10g}",
        "bounds for the rows before rounding": f"{below:.6g} to {above:.6g}",
    }.items():
        print(f"| {name} | {value} |", flush=True)


def by_bins(x: np.ndarray, y: np.ndarray) -> None:
    """Add rows up over a grid of cents: for inputs that are known to lie on it, and means that may be a little off."""
    cents = np.rint(x * 100.0).astype(np.int64)
    cents -= cents.min()
    weight, total = np.bincount(cents), np.bincount(cents, y)
    mean = total / np.maximum(weight, 1)
    np.bincount(cents, np.square(y - mean[cents]))


def grouping(repeats: int) -> None:
    """Print a table of ways to merge a year."""
    prices = make_minute_prices(YEAR + 1)
    few = np.random.default_rng(0).integers(0, 5000, size=YEAR) / 100.0
    ways = {
        "sorting (`fit`)": lambda x, y: canonicalize(x[:, None], y, None),
        "hash table (`compress`)": lambda x, y: compress([(x[:, None], y)]),
        "bins of a known grid": by_bins,
        "`numpy.argsort` alone": lambda x, y: np.argsort(x),
    }
    print("| inputs | distinct | " + " | ".join(ways) + " |\n|" + " --- |" * (len(ways) + 2))
    for name, x in {"a year of prices": prices[:-1], "any of 5000 cents": few}.items():
        y, times = np.diff(prices), {way: [] for way in ways}
        for _ in range(repeats):
            for way, call in ways.items():
                start = time.thread_time()
                call(x, y)
                times[way].append(time.thread_time() - start)
        values = " | ".join(f"{1e9 * np.median(seconds) / YEAR:.1f}" for seconds in times.values())
        print(f"| {name} | {np.unique(x).size:,} | {values} |", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e9)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--grid", type=float, default=None)
    parser.add_argument("--grouping", action="store_true", help="compare ways of finding equal inputs instead")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.grouping:
        grouping(arguments.repeats)
    else:
        run(int(arguments.rows), arguments.processes, arguments.grid)


if __name__ == "__main__":
    main()
