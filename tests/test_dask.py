"""Dask: rows summarised where they are, grid search and many series on a cluster, and a worker that dies."""

import os
import signal
import sys
import time
from contextlib import contextmanager
from itertools import chain

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, KFold

from convexnn import ConvexNNAutoregressor, ConvexNNRegressor, ConvexNNRegressorCV, compress, fit_many

REASON = "needs dask: pip install convexnn[dask]"
dask = pytest.importorskip("dask", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)
da = pytest.importorskip("dask.array", reason=REASON)
distributed = pytest.importorskip("distributed", reason=REASON)
cloudpickle = pytest.importorskip("cloudpickle", reason=REASON)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed", "ignore::FutureWarning:distributed")


@contextmanager
def cluster():
    """Give a client of a cluster of two processes on this machine, without a dashboard."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    """Return a client whose workers live on."""
    with cluster() as client:
        yield client


@pytest.fixture
def mortal():
    """Return a client of which one worker may be killed: to start it again takes time, for which others would wait."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not find this module: it goes along
    with cluster() as client:
        yield client
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def executed(client):
    """Return how many tasks the workers have done."""
    return sum(client.run(lambda dask_worker: dask_worker.state.executed_count).values())


@pytest.fixture(scope="module")
def frame():
    """Return rows in cents with weights."""
    rng = np.random.default_rng(0)
    cents = rng.integers(0, 300, size=20_000)
    return pd.DataFrame(
        {
            "price": cents / 100,
            "size": rng.integers(0, 4, size=cents.size),
            "next": np.sin(cents / 50) + rng.normal(size=cents.size),
            "weight": rng.integers(0, 3, size=cents.size).astype(float),
        }
    )


def test_a_frame_becomes_the_summary_of_its_rows(client, frame):
    before = executed(client)
    found = compress(dd.from_pandas(frame, npartitions=20), x="price", y="next", sample_weight="weight")
    assert executed(client) >= before + 20
    expected = compress([(frame[["price"]], frame["next"], frame["weight"])])
    assert_array_equal(found.X, expected.X)
    assert_array_equal(found.sample_weight, expected.sample_weight)
    np.testing.assert_allclose(found.y, expected.y, rtol=0, atol=1e-15)
    assert found.constant == pytest.approx(expected.constant, rel=1e-14)
    assert (found.n_rows, found.feature_names) == (expected.n_rows, expected.feature_names) == (20_000, ("price",))
    model = ConvexNNRegressor().fit_compressed(found)
    alone = ConvexNNRegressor().fit(frame[["price"]], frame["next"], sample_weight=frame["weight"])
    assert model.objective_ == pytest.approx(alone.objective_, rel=2e-6)
    assert found.score(model) == pytest.approx(model.score(frame[["price"]], frame["next"], frame["weight"]), rel=1e-12)


def test_arrays_grids_and_empty_partitions(client, frame):
    X, y = frame[["price", "size"]].to_numpy(float), frame["next"].to_numpy()
    expected = compress([(X, y)], grid=[0.1, 0.0])
    found = compress((da.from_array(X, chunks=(1500, 1)), da.from_array(y, chunks=999)), grid=[0.1, 0.0])
    assert_array_equal(found.X, expected.X)
    assert found.moved == pytest.approx(expected.moved)
    lazy = dd.from_pandas(frame, npartitions=5)
    few = lazy[lazy["price"] < 0.01]  # some partitions have no such row
    assert compress(few, x="price", y="next").y.size == 1
    blocks = lazy[["price"]].to_dask_array(), lazy["next"].to_dask_array()  # of sizes not known
    assert compress(blocks).n_rows == 20_000


def test_bad_frames(client, frame):
    lazy = dd.from_pandas(frame, npartitions=3)
    with pytest.raises(ValueError, match="'cost' is no column of source"):
        compress(lazy, x="cost", y="next")
    with pytest.raises(ValueError, match="x and y must name the columns"):
        compress(lazy)
    with pytest.raises(ValueError, match="source must be a Dask DataFrame or a tuple of Dask arrays, got Array"):
        compress(da.zeros(3), x="price", y="next")
    with pytest.raises(ValueError, match="Dask arrays must be X of two dimensions"):
        compress((da.zeros(3), da.zeros(3)))
    broken = lazy.map_partitions(lambda part: part.assign(next=np.where(part.index == 19_000, np.nan, part["next"])))
    with pytest.raises(ValueError, match="chunk 2 of source: Input y contains NaN"):
        compress(broken, x="price", y="next")


def test_grid_search_is_that_of_one_process(client, frame):
    X, y = frame[["price"]][:500], frame["next"][:500]
    search = GridSearchCV(ConvexNNRegressor(), {"depth": [2, 3], "alpha": [0.1, 0.01]}, cv=3, n_jobs=2)
    before = executed(client)
    with parallel_config("dask"):
        spread = search.fit(X, y).cv_results_["mean_test_score"]
    assert executed(client) > before
    assert_array_equal(spread, search.set_params(n_jobs=1).fit(X, y).cv_results_["mean_test_score"])


@pytest.mark.skipif(joblib.__version__ < "1.4", reason="the backend for Dask of joblib before 1.4 returns no generator")
def test_cross_validation_along_paths_is_that_of_one_process(client, frame):
    X, y = frame[["price"]][:500], frame["next"][:500]
    chosen = ConvexNNRegressorCV(alphas=5, cv=3)
    before = executed(client)
    with parallel_config("dask"):
        spread = chosen.fit(X, y).mse_path_
    assert executed(client) > before
    assert_array_equal(spread, chosen.fit(X, y).mse_path_)


def test_many_series_are_fitted_by_the_workers(client):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(80, 6)).cumsum(axis=0), columns=list("abcdef"))
    before = executed(client)
    with parallel_config("dask"):
        models, table = fit_many(wide, estimator=ConvexNNAutoregressor(depth=3), n_jobs=2)
    assert executed(client) > before
    alone, expected = fit_many(wide, estimator=ConvexNNAutoregressor(depth=3))
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    for name in wide:
        assert_array_equal(models[name].forecast(3), alone[name].forecast(3))


class Fatal(ConvexNNAutoregressor):
    """An autoregressor whose fit to a series of 277 values kills its process, once."""

    def __init__(self, marker="", lags=1):
        super().__init__(lags=lags)
        self.marker = marker

    def fit(self, series):
        if len(series) == 277 and not os.path.exists(self.marker):
            die(self.marker)
        return super().fit(series)


def die(marker):
    """Leave the number of this process, a worker's, in a file, and kill it."""
    distributed.get_worker()  # an error elsewhere: the tests' own process is to live
    with open(marker, "w") as file:
        file.write(str(os.getpid()))
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class FatalFold(ConvexNNRegressor):
    """A regressor of which one fit to 333 rows kills its process, once, at the end of its work."""

    _parameter_constraints = ConvexNNRegressor._parameter_constraints | {"marker": [str]}

    def __init__(self, depth=2, *, alpha="auto", marker=""):
        super().__init__(depth, alpha=alpha)
        self.marker = marker

    def fit(self, X, y):
        super().fit(X, y)
        if (len(X), self.depth, self.alpha) == (333, 3, 0.01) and not os.path.exists(self.marker):
            die(self.marker)
        return self


def test_a_worker_that_dies_loses_no_fold(mortal, frame, tmp_path):
    pids = set(mortal.run(os.getpid).values())
    X, y = frame[["price"]][:500], frame["next"][:500]
    grid = {"depth": [2, 3], "alpha": [0.1, 0.01, 0.001]}
    splits = list(KFold(3).split(X))
    spread = GridSearchCV(FatalFold(marker=str(tmp_path / "died")), grid, cv=splits, n_jobs=2, return_train_score=True)
    mortal.amm.stop()  # Dask would soon drop all copies but one, as joblib makes only one if it is not told to make more
    with parallel_config("dask", scatter=[X, y, *chain(*splits)]):
        spread.fit(X, y)
    assert int((tmp_path / "died").read_text()) in pids - set(mortal.run(os.getpid).values()), "no worker was killed"
    alone = GridSearchCV(ConvexNNRegressor(), grid, cv=3, return_train_score=True).fit(X, y)
    assert spread.cv_results_.keys() == alone.cv_results_.keys()
    for name in (name for name in alone.cv_results_ if not name.endswith("_time")):
        assert_array_equal(spread.cv_results_[name], alone.cv_results_[name], err_msg=name)
    assert spread.best_params_ == alone.best_params_
    assert_array_equal(spread.predict(X), alone.predict(X))


def test_a_worker_that_dies_loses_no_series(mortal, tmp_path):
    pids = set(mortal.run(os.getpid).values())
    rng = np.random.default_rng(0)
    sizes = [260, 261, 262, 277, 263, 264, 265, 266]  # above the 1000 bytes from where on joblib leaves data to one worker
    parts = [pd.DataFrame({"name": str(size), "value": rng.normal(size=size).cumsum()}) for size in sizes]
    with parallel_config("dask"):
        models, table = fit_many(pd.concat(parts), by="name", estimator=Fatal(str(tmp_path / "died")), n_jobs=2)
    assert int((tmp_path / "died").read_text()) in pids - set(mortal.run(os.getpid).values()), "no worker was killed"
    alone, expected = fit_many(pd.concat(parts), by="name", estimator=ConvexNNAutoregressor())
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    for name in map(str, sizes):
        assert_array_equal(models[name].forecast(3), alone[name].forecast(3))


def partition(number, marker):
    """Return rows; the worker that makes the thirteenth of them first kills itself, once."""
    if number == 12 and not os.path.exists(marker):
        die(marker)
    time.sleep(0.01)
    rng = np.random.default_rng(number)
    cents = rng.integers(0, 100, size=1000)
    return pd.DataFrame({"x": cents / 100, "y": np.cos(cents / 9) + rng.normal(size=1000)})


def test_a_worker_that_dies_loses_no_row(mortal, tmp_path):
    pids = set(mortal.run(os.getpid).values())
    marker = tmp_path / "died"
    empty = pd.DataFrame({"x": np.empty(0), "y": np.empty(0)})
    lazy = dd.from_map(partition, range(24), marker=str(marker), meta=empty)
    found = compress(lazy, x="x", y="y")
    assert int(marker.read_text()) in pids, "no worker was killed"
    whole = [partition(number, str(marker)) for number in range(24)]
    expected = compress(dd.from_map(partition, range(24), marker=str(marker), meta=empty), x="x", y="y")
    for name in ("X", "y", "sample_weight", "constant", "n_rows"):
        assert_array_equal(getattr(found, name), getattr(expected, name))
    rows = pd.concat(whole)
    assert found.n_rows == len(rows)
    assert found.constant == pytest.approx(compress([(rows[["x"]], rows["y"])]).constant, rel=1e-13)
