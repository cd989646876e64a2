"""Every kernel as the Python that it is written in: the same answers without compilation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convexnn import ConvexNNRegressor, alpha_max, compress, convex_nn_path

NETWORKS = {
    **{name: {"activation": name} for name in ("relu", "leaky_relu", "abs", "sign", "threshold")},
    "skip": {"skip_connection": True},
    "narrow relu": {"depth": 3},
    "deep leaky": {"depth": 3, "activation": "leaky_relu", "negative_slope": 0.3},
    "reflections": {"depth": 3, "activation": "abs"},
    "deep reflections": {"depth": 4, "activation": "abs"},
    "data": {"depth": 4, "activation": "abs", "dictionary": "data"},
    "symmetrized": {"depth": 3, "architecture": "symmetrized"},
    "switches": {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 2},
    "pinball": {"loss": "pinball", "quantile": 0.3},
    "huber": {"loss": "huber", "huber_delta": 0.3},
    "increasing": {"monotonic_cst": [1]},
    "thinned": {"depth": 3, "activation": "abs", "max_breakpoints": 5},
    "wide switches": {"depth": 3, "activation": "threshold", "architecture": "parallel", "width": 9},
}


def answers():
    """Return the objective and the predictions of small fits, on one input and on two."""
    rng = np.random.default_rng(0)
    X = np.round(rng.uniform(-2, 2, size=(9, 2)), 1)
    y, found = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1], {}
    for name, options in NETWORKS.items():
        for inputs in (1, 2) if "depth" not in options and name != "increasing" else (1,):
            data = X[:, :inputs]
            alpha = 0.1 * alpha_max(data, y, **{k: v for k, v in options.items() if k != "monotonic_cst"})
            model = ConvexNNRegressor(alpha=alpha, **options).fit(data, y)
            found[f"{name}, {inputs}"] = [model.objective_, *model.predict(data).tolist()]
    # more rows than a small fit has: knots come and go
    x = np.sort(rng.uniform(-2, 2, size=(60, 1)), axis=0)
    for name in ("relu", "leaky_relu", "abs", "skip", "narrow relu", "threshold"):
        alpha = 1e-4 * alpha_max(x, np.sin(5 * x[:, 0]), **NETWORKS[name])
        model = ConvexNNRegressor(alpha=alpha, **NETWORKS[name]).fit(x, np.sin(5 * x[:, 0]))
        found[f"{name}, 60 rows"] = [model.objective_, *model.predict(x).tolist()]
    model = ConvexNNRegressor(alpha=0.01).fit_compressed(compress([(x, np.sin(x[:, 0])), (x + 0.5, x[:, 0])]))
    found["compressed"] = [model.objective_, *model.predict(np.linspace(-3, 3, 3000)[:, None]).tolist()]
    # three switches of sixty: stretches of rows at a time, and few of them in use
    options = {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3}
    for alpha in (1e-2, 1e-3):
        model = ConvexNNRegressor(alpha=alpha, **options).fit(x, np.sin(5 * x[:, 0]))
        found[f"switches, 60 rows, {alpha}"] = [model.objective_, *model.predict(x).tolist()]
    path = convex_nn_path(x, np.sin(5 * x[:, 0]), alphas=[0.1, 0.01])
    found["path"] = [1.0, *np.ravel(path.predict(x)).tolist()]
    return found


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="this run is the interpreted one")
def test_interpreted_kernels_give_the_compiled_answers():
    here = Path(__file__).resolve()
    paths = os.pathsep.join([str(here.parent), str(here.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    program = "import json, test_interpreted; print(json.dumps(test_interpreted.answers()))"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    interpreted = json.loads(done.stdout)
    assert interpreted.keys() == answers().keys()
    for name, compiled in answers().items():
        # tol is met by both; where the optimum is one point they may differ by the root of it
        np.testing.assert_allclose(interpreted[name][0], compiled[0], rtol=2e-6, err_msg=name)
        np.testing.assert_allclose(interpreted[name][1:], compiled[1:], atol=1e-3, err_msg=name)
