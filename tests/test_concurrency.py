"""The same answer, bit for bit, in threads, in processes, and whatever the thread counts."""

import hashlib
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info

from convexnn import ConvexNNClassifier, ConvexNNRegressor, ConvexNNRegressorCV, fit_many
from convexnn._threads import one_blas_thread

FITS = {
    "relu": {},
    "narrow": {"depth": 3},
    "abs": {"activation": "abs", "skip_connection": True},
    "reflections": {"depth": 3, "activation": "abs"},
    "leaky": {"depth": 3, "activation": "leaky_relu", "negative_slope": 0.3},
    "sign": {"activation": "sign"},
    "switches": {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
    "symmetrized": {"depth": 3, "architecture": "symmetrized"},
    "huber": {"loss": "huber"},
    "absolute": {"loss": "absolute"},
    "monotone": {"monotonic_cst": [1]},
    "interpolant": {"alpha": 0},
}


def data(n_features=1, n=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features))
    return X, np.sin(3 * X).sum(axis=1) + 0.2 * rng.normal(size=n)


def answer(name):
    """Return the bytes of what a fit gives."""
    X, y = data()
    model = ConvexNNRegressor(**FITS[name]).fit(X, y)
    numbers = [model.objective_, model.dual_gap_, model.intercept_]
    return np.concatenate([numbers, model.coef_, model.predict(X), *model.breakpoints_]).tobytes()


def answers():
    """Return the bytes of every fit, of several inputs too, and of model choice."""
    out = {name: answer(name) for name in FITS}
    X, y = data(3, 200)
    out["additive"] = ConvexNNRegressor().fit(X, y).predict(X).tobytes()
    out["classes"] = ConvexNNClassifier().fit(X, np.digitize(y, [-0.5, 0.5])).predict_proba(X).tobytes()
    for jobs in (1, 2):
        chosen = ConvexNNRegressorCV(alphas=4, cv=3, n_jobs=jobs).fit(X, y)
        out[f"choice {jobs}"] = chosen.predict(X).tobytes() + chosen.mse_path_.tobytes()
    return out


def digest():
    """Return one line for all answers."""
    return " ".join(hashlib.sha256(value).hexdigest()[:16] for value in answers().values())


def test_thread_counts_change_no_bit():
    lines, paths = set(), os.pathsep.join([os.path.dirname(__file__), *sys.path])
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    for count in ("1", "4"):
        environment = {**os.environ, **dict.fromkeys(names, count), "PYTHONPATH": paths, "PYTHONHASHSEED": count}
        program = [sys.executable, "-c", "import test_concurrency as t; print(t.digest())"]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=240)
        lines.add(done.stdout.strip())
    assert len(lines) == 1


def test_jobs_change_no_bit():
    frame = pd.DataFrame({f"series {k}": np.roll(data()[1], k).cumsum() for k in range(4)})
    tables = [fit_many(frame, n_jobs=jobs)[1] for jobs in (None, 2)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    found = answers()
    assert found["choice 1"] == found["choice 2"]


def test_sixteen_threads_give_the_sequential_answers():
    wanted = {name: answer(name) for name in FITS}
    names = list(FITS) * 4
    with ThreadPoolExecutor(16) as pool:
        for name, found in zip(names, pool.map(answer, names), strict=True):
            assert found == wanted[name], name


def test_sixteen_threads_use_one_fitted_model():
    X, y = data()
    model = ConvexNNRegressor(3, activation="abs").fit(X, y)
    fresh = ConvexNNRegressor(3, activation="abs").fit(X, y)  # its lazy attributes are made by the threads, at once

    def look(_):
        return model.summary(), model.predict(X).tobytes(), model.network_(X).tobytes(), model.certify().gap

    with ThreadPoolExecutor(16) as pool:
        seen = set(pool.map(look, range(64)))
    assert seen == {(fresh.summary(), fresh.predict(X).tobytes(), fresh.network_(X).tobytes(), fresh.certify().gap)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_give_the_same_answers(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no fork")
    names = ["relu", "reflections", "sign", "absolute"]
    wanted = [answer(name) for name in names]  # the kernels are compiled and in use before a fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(answer, names).get(timeout=240) == wanted


def test_fits_give_the_thread_count_back():
    before = threadpool_info()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer, list(FITS) * 4))
    assert threadpool_info() == before


def test_training_uses_one_thread():
    with one_blas_thread(), one_blas_thread():
        counts = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert counts == {1}
