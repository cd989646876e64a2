"""Every kernel as the Python that it is written in: the same answers without compilation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convexnn import ConvexNNRegressor, alpha_max, compress, convex_nn_path
from convexnn.dictionaries import switches

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
    """Return numbers that small fits give, first their objective: what has to come out the same without compilation."""
    rng = np.random.default_rng(0)
    return {name: values for part in (few_rows, many_rows, tables, paths, pools) for name, values in part(rng)}


def fitted(name, X, y, ratio, at=None, **options):
    """Yield the objective and the predictions of a fit at this ratio of the critical alpha."""
    alpha = ratio * alpha_max(X, y, **{k: v for k, v in options.items() if k not in ("monotonic_cst", "solver")})
    model = ConvexNNRegressor(alpha=alpha, **options).fit(X, y)
    yield name, [model.objective_, *model.predict(X if at is None else at).tolist()]


def few_rows(rng):
    """Every kind of network, on one input and on two."""
    X = np.round(rng.uniform(-2, 2, size=(9, 2)), 1)
    y = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]
    for name, options in NETWORKS.items():
        for inputs in (1, 2) if "depth" not in options and name != "increasing" else (1,):
            yield from fitted(f"{name}, {inputs}", X[:, :inputs], y, 0.1, **options)


def many_rows(rng):
    """Knots come and go, blocks of rows are priced at once, and predictions are looked up in buckets."""
    x = np.sort(rng.uniform(-2, 2, size=(60, 1)), axis=0)
    for name in ("relu", "leaky_relu", "abs", "skip", "narrow relu", "threshold"):
        yield from fitted(f"{name}, 60 rows", x, np.sin(5 * x[:, 0]), 1e-4, **NETWORKS[name])
    x = np.sort(rng.uniform(-2, 2, size=(400, 1)), axis=0)
    y = np.sin(x[:, 0]) + 0.1 * rng.standard_normal(400)
    for name in ("relu", "narrow relu", "threshold"):
        yield from fitted(f"{name}, 400 rows", x, y, 0.05, rng.uniform(-3, 3, size=(10_000, 1)), **NETWORKS[name])
    # noise on few rows: the solver has to go back, and to drop fewer kinks at a time
    noise = np.random.default_rng(56)
    yield from fitted("noise", np.sort(noise.uniform(-2, 2, (8, 1)), axis=0), noise.standard_normal(8), 0.1, depth=3)


def tables(rng):
    """Switches by merging, where tables are too large, and biases at few of many points."""
    x = np.sort(rng.uniform(-2, 2, size=(60, 1)), axis=0)
    y = np.sin(5 * x[:, 0]) + 0.3 * rng.standard_normal(60)
    options = {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switches, "TABLE_LIMIT", 0)
        yield from fitted("switches, merged", x, y, 0.1, solver="coordinate_descent", **options)
    yield from fitted("thinned, 60 rows", x, y, 0.1, depth=3, activation="abs", max_breakpoints=5)


def paths(rng):
    """Splines kink by kink, and switches from one alpha to the next: stretches of rows are cut."""
    x = np.sort(rng.uniform(-2, 2, size=(60, 1)), axis=0)
    y = np.sin(5 * x[:, 0]) + 0.3 * rng.standard_normal(60)
    options = {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3}
    path = convex_nn_path(x, y, alphas=[0.3, 0.1, 0.01], **options)
    yield "path of switches", [path.objectives[-1], *np.ravel(path.predict(x)).tolist()]
    for depth in (2, 3):
        path = convex_nn_path(x[::4], y[::4], exact=True, eps=0.01, depth=depth)
        predicted = path.predict(x, alpha=path.alpha_max * np.array([0.3, 0.1, 0.03]))
        yield f"exact path, depth {depth}", [path.objectives[-1], *np.ravel(predicted).tolist()]


def pools(rng):
    """Rows pooled: equal ones, rounded ones, and more distinct ones than there was room for."""
    x = rng.uniform(-2, 2, size=(60, 1))
    data = compress([(x, np.sin(x[:, 0])), (x[::2], x[::2, 0]), (x + 0.5, x[:, 0])])
    model = ConvexNNRegressor(alpha=0.01).fit_compressed(data)
    yield "compressed", [model.objective_, *model.predict(np.linspace(-3, 3, 30)[:, None]).tolist()]
    X = rng.uniform(-2, 2, size=(1500, 2))
    for name, grid in (("pooled", None), ("pooled, rounded", [0.2, 0.1])):
        data = compress([(X, X[:, 0], np.abs(X[:, 1])), (X[:100], X[:100, 1])], grid=grid)
        columns = (data.X, data.y, data.sample_weight, data.spread, data.moves)
        yield name, [data.constant, *np.concatenate([np.ravel(column) for column in columns]).tolist()]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="this run is the interpreted one")
def test_interpreted_kernels_give_the_compiled_answers():
    here = Path(__file__).resolve()
    paths = os.pathsep.join([str(here.parent), str(here.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    program = "import json, test_interpreted; print(json.dumps(test_interpreted.answers()))"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    interpreted = json.loads(done.stdout)
    compiled = answers()
    assert interpreted.keys() == compiled.keys()
    for name, values in compiled.items():
        # tol is met by both; where the optimum is one point fits may differ by the root of it
        np.testing.assert_allclose(interpreted[name][0], values[0], rtol=2e-6, err_msg=name)
        atol = 1e-12 if name.startswith("pooled") else 1e-3
        np.testing.assert_allclose(interpreted[name][1:], values[1:], atol=atol, err_msg=name)
