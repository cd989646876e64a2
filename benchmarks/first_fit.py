"""What a user's script does: import, one fit, one prediction. ``python -m benchmarks.first_fit JSON`` prints a row as JSON.

Nothing else is imported, so that the process takes as long as that of a user.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.problems import ARCHITECTURES, make

RULER = "next process: scikit-learn and one cached line of numba"


def ruler() -> dict:
    """Import what the package builds on, and call a function of one line that numba has compiled in an earlier process."""
    start = time.perf_counter()
    import numba
    import sklearn.base  # noqa: F401

    imported = time.perf_counter()
    numba.njit(cache=True)(add_one)(1.0)
    return {"import_seconds": imported - start, "first_fit_seconds": time.perf_counter() - imported}


def add_one(value):
    """Return the value plus one."""
    return value + 1.0


def main() -> None:
    """Do what the argument says: without an architecture the import alone."""
    spec, start = json.loads(sys.argv[1]), time.perf_counter()
    if spec["name"] == RULER:
        sys.stdout.write(json.dumps([{"name": RULER, **ruler()}]) + "\n")
        return
    from convexnn import ConvexNNRegressor

    row = {"name": spec["name"], "import_seconds": time.perf_counter() - start, "numba_imported": "numba" in sys.modules}
    if spec["architecture"] is not None:
        x, y = make("smooth", spec["n"])
        X = np.ascontiguousarray(x[:, None])
        start = time.perf_counter()
        model = ConvexNNRegressor(**ARCHITECTURES[spec["architecture"]]).fit(X, y)
        row["first_fit_seconds"] = time.perf_counter() - start
        start = time.perf_counter()
        model.predict(X)
        row["first_predict_seconds"] = time.perf_counter() - start
        row.update(architecture=spec["architecture"], kind="smooth", n=spec["n"])
    sys.stdout.write(json.dumps([row]) + "\n")


if __name__ == "__main__":
    main()
