"""What a user's script does: import, one fit, one prediction. ``python -m benchmarks.first_fit JSON`` prints a row as JSON.

Nothing else is imported, so that the process takes as long as that of a user.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.problems import ARCHITECTURES, make


def main() -> None:
    """Do what the argument says: without an architecture the import alone."""
    spec, start = json.loads(sys.argv[1]), time.perf_counter()
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
