"""Whole fits with the losses beside the squared one: seconds of processor time, and argsorts of x.

    python benchmarks/losses.py                    # a table in Markdown
    python benchmarks/losses.py --quick            # small sizes
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time

import numpy as np

from convexnn import ConvexNNClassifier, ConvexNNRegressor, alpha_max

SHAPES = {"depth 2": {}, "narrow, depth 3": {"depth": 3}}
FRACTIONS = (1e-1, 1e-2, 1e-3)


def data(loss: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs in random order; classes, or a noisy sine with 5 % gross errors."""
    rng = np.random.default_rng(0)
    x = rng.random(n)
    if loss == "logistic":
        return x, (rng.random(n) < 1.0 / (1.0 + np.exp(-3.0 * np.sin(12.0 * x)))).astype(int)
    y = np.sin(12.0 * x) + 0.3 * rng.standard_normal(n)
    return x, y + (rng.random(n) < 0.05) * 10.0 * rng.standard_normal(n)


def model(loss: str, shape: dict, tol: float):
    """Return an estimator."""
    if loss == "logistic":
        return ConvexNNClassifier(**shape, tol=tol)
    return ConvexNNRegressor(**shape, loss=loss, tol=tol, huber_delta=0.4, quantile=0.9)


def measure(loss: str, shape: dict, n: int, tol: float, repeats: int) -> None:
    """Print a row for every alpha: the median of fits and of sorts that take turns."""
    x, y = data(loss, n)
    X = x[:, None]
    fit = model(loss, shape, tol)
    if loss == "logistic":
        top = fit.fit(X, y).alpha_max_[0]
    else:
        top = alpha_max(X, y, **shape, loss=loss, huber_delta=0.4, quantile=0.9)
    for fraction in FRACTIONS:
        fit.set_params(alpha=fraction * top).fit(X[:1000], y[:1000])
        times = []
        for _ in range(repeats):
            start = time.process_time()
            np.argsort(x)
            middle = time.process_time()
            fit.fit(X, y)
            times.append((middle - start, time.process_time() - middle))
        seconds = np.median([b for _, b in times])
        ratio = np.median([b / a for a, b in times])
        gap = float(np.max(fit.dual_gap_))
        shape_name = next(name for name, options in SHAPES.items() if options == shape)
        print(f"| {loss} | {shape_name} | {n} | {fraction:g} | {gap:.1e} | {seconds:.2f} | {ratio:.1f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    small = arguments.quick
    print("| loss | network | n | alpha / alpha_max | gap | seconds | argsorts |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for shape in SHAPES.values():
        measure("pinball", shape, 10_000 if small else 100_000, 1e-6, 1 if small else arguments.repeats)
        for loss in ("logistic", "huber"):
            measure(loss, shape, 100_000 if small else 1_000_000, 1e-9, 1 if small else arguments.repeats)


if __name__ == "__main__":
    main()
