"""Inputs that break numerical code, over architectures: the gap reached, the time, and whether there was a warning.

    python -m benchmarks.hard_inputs > docs/hard_inputs.md
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNClassifier, ConvexNNRegressor, alpha_max

ARCHITECTURES = {
    "relu": {},
    "relu, skip": {"skip_connection": True},
    "leaky relu": {"activation": "leaky_relu"},
    "abs": {"activation": "abs"},
    "sign": {"activation": "sign"},
    "narrow relu": {"depth": 3},
    "abs, depth 3": {"depth": 3, "activation": "abs"},
    "sign, 3 wide": {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
    "relu, huber": {"loss": "huber"},
    "relu, absolute": {"loss": "absolute"},
    "relu, rising": {"monotonic_cst": [1]},
    "relu, two inputs": {},
    "classifier": {"classify": True},
}
ALPHAS = (1e-14, 1e-10, 1e-6, 1e-2, 1.0 - 1e-9, 1e14)


def _wave(rng, n=40):
    x = np.sort(rng.uniform(-1, 1, n))
    return x, np.sin(4 * x) + 0.2 * rng.normal(size=n)


def _tiny_gaps(rng):
    x = np.cumsum(np.where(np.arange(40) % 2, 1e-12, 1.0))
    return x, np.sin(x) + 0.1 * rng.normal(size=40)


def _scaled(x_scale=1.0, y_scale=1.0, x_shift=0.0, y_shift=0.0):
    def make(rng):
        x, y = _wave(rng)
        return x_scale * x + x_shift, y_scale * y + y_shift

    return make


def _equal_but_one(rng):
    x = np.ones(40)
    x[7] = 2.0
    return x, rng.normal(size=40)


def _ties(rng):
    x = rng.integers(0, 5, 1_000_000) * 0.1
    return x, np.cos(9 * x) + rng.normal(size=x.size)


def _outlier(rng):
    x, y = _wave(rng)
    y[13] = 1e9
    return x, y


INPUTS = {
    "gaps of 1e-12 beside 1": _tiny_gaps,
    "x offset by 1e9": _scaled(x_shift=1e9),
    "y offset by 1e9": _scaled(y_shift=1e9),
    "x times 1e150": _scaled(x_scale=1e150),
    "x times 1e-150": _scaled(x_scale=1e-150),
    "y times 1e150": _scaled(y_scale=1e150),
    "y times 1e-150": _scaled(y_scale=1e-150),
    "subnormal x": _scaled(x_scale=1e-310),
    "subnormal y": _scaled(y_scale=1e-310),
    "all x equal but one": _equal_but_one,
    "a million ties": _ties,
    "alternating +-1": lambda rng: (np.arange(40.0), (-1.0) ** np.arange(40)),
    "an exact line": lambda rng: (np.arange(40) / 7, 3.0 - np.arange(40) / 7),
    "an outlier of 1e9": _outlier,
    **{f"alpha {factor:g} of the critical one": _wave for factor in ALPHAS},
}
FACTORS = {f"alpha {factor:g} of the critical one": factor for factor in ALPHAS}


@dataclass(frozen=True)
class Row:
    """What a fit of a hard input did; ``refused`` is the message of an error."""

    gap: float = np.nan
    seconds: float = np.nan
    warned: bool = False
    other: tuple[str, ...] = ()
    finite: bool = False
    converged: bool = False
    refused: str = ""


def run(hard: str, architecture: str) -> Row:
    """Fit an architecture to a hard input, or say why it is refused."""
    try:
        return _fit(hard, architecture)
    except ValueError as error:
        return Row(refused=str(error))


def _fit(hard: str, architecture: str) -> Row:
    x, y = INPUTS[hard](np.random.default_rng(0))
    X, options = x[:, None], dict(ARCHITECTURES[architecture])
    if architecture == "relu, two inputs":
        X = np.column_stack([x, x[::-1]])
    classify = options.pop("classify", False)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, np.errstate(under="ignore"):
        warnings.simplefilter("always")
        if classify:
            factor = FACTORS.get(hard, 0.01)
            model = ConvexNNClassifier(**options).fit(X, y > np.median(y))
            if hard in FACTORS:
                model = ConvexNNClassifier(alpha=factor * model.alpha_max_[0], **options).fit(X, y > np.median(y))
            gap, numbers = float(model.dual_gap_[0]), model.decision_function(X[:100])
        else:
            alpha = FACTORS[hard] * alpha_max(X, y, **options) if hard in FACTORS else "auto"
            model = ConvexNNRegressor(alpha=alpha, **options).fit(X, y)
            gap, numbers = float(model.dual_gap_), model.predict(X[:100])
    seconds = time.perf_counter() - start
    warned = any(issubclass(one.category, ConvergenceWarning) for one in caught)
    other = tuple(str(one.message) for one in caught if not issubclass(one.category, ConvergenceWarning))
    return Row(gap, seconds, warned, other, bool(np.isfinite(numbers).all() and np.isfinite(gap)), bool(model.converged_))


def main() -> None:
    """Write the page."""
    print("# Hard inputs\n")
    print(
        "Every row is a fit with `tol=1e-6` and, where it does not say another, the automatic alpha: the relative duality\n"
        "gap that it reached, its milliseconds on one core of a busy machine, and whether there was a\n"
        "`ConvergenceWarning`, which says the gap. Data whose objective or slopes are beyond the range of doubles are\n"
        "refused, with the reason. Made by `python -m benchmarks.hard_inputs > docs/hard_inputs.md`; the tests go through\n"
        "the same table.\n"
    )
    for name in ARCHITECTURES:  # the first fit of each compiles or loads its kernels
        run("x offset by 1e9", name)
    for name in ARCHITECTURES:
        print(f"## {name}\n\n| input | gap | ms | warned |\n| --- | --- | --- | --- |")
        for hard in INPUTS:
            row = run(hard, name)
            if row.refused:
                print(f"| {hard} | refused: {row.refused} | | |")
                continue
            print(f"| {hard} | {row.gap:.1e} | {1e3 * row.seconds:.3g} | {'yes' if row.warned else 'no'} |")
        print()


if __name__ == "__main__":
    main()
