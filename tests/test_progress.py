"""Lines for those who ask, bars, and Ctrl-C: a usable model, a gap that holds, and a warning."""

import signal
import sys
import threading

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNRegressor, ConvexNNRegressorCV, convex_nn_path
from convexnn.datasets import load_mcycle
from convexnn.dictionaries.reflections import Reflections3
from convexnn.training import Trainer

X, Y = load_mcycle(return_X_y=True)
KINDS = [
    {},
    {"activation": "abs", "skip_connection": True},
    {"depth": 3, "activation": "abs"},
    {"depth": 4, "activation": "abs"},
    {"depth": 3, "activation": "sign", "architecture": "parallel", "width": 3},
    {"activation": "threshold"},
    {"alpha": 0.0},
    {"alpha": 1e9},
    {"loss": "huber"},
    {"loss": "pinball", "quantile": 0.8},
]
kinds = pytest.mark.parametrize("options", KINDS, ids=str)


@pytest.fixture(autouse=True)
def python_handles_interrupts():
    """Give Ctrl-C its meaning in Python, which a shell's background job does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)



@kinds
def test_one_line_a_round(capsys, options):
    model = ConvexNNRegressor(verbose=1, **options).fit(X[::4], Y[::4])
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["round", "objective", "gap", "active", "seconds"]
    rows = np.array([line.split() for line in lines], dtype=float)
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, len(rows) + 1))
    assert rows[-1, 1] == pytest.approx(model.objective_, rel=1e-6)
    assert rows[-1, 2] <= 1e-6
    assert (np.diff(rows[:, 4]) >= 0).all()


def test_lines_of_an_additive_fit(capsys):
    X_ = np.column_stack([X[::4, 0], np.cos(X[::4, 0])])
    model = ConvexNNRegressor(verbose=1).fit(X_, Y[::4])
    rows = np.array([line.split() for line in capsys.readouterr().out.splitlines()[1:]], dtype=float)
    assert rows[-1, 1] == pytest.approx(model.objective_, rel=1e-6)
    assert rows[-1, 3] > 0


@kinds
def test_silence(capsys, options):
    ConvexNNRegressor(**options).fit(X[::4], Y[::4])
    assert capsys.readouterr() == ("", "")


def press_ctrl_c(monkeypatch, after):
    """Make the pricing of reflections press Ctrl-C when it has been called that many times."""
    calls = []

    def price(self, *args, original=Reflections3.price):
        calls.append(1)
        if len(calls) == after:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args)

    monkeypatch.setattr(Reflections3, "price", price)


def test_ctrl_c_leaves_a_usable_model(monkeypatch):
    X_, y = X[::2], Y[::2]
    best = ConvexNNRegressor(3, activation="abs", alpha=0.1).fit(X_, y)
    press_ctrl_c(monkeypatch, after=6)
    model = ConvexNNRegressor(3, activation="abs", alpha=0.1)
    with pytest.warns(ConvergenceWarning, match=r"gap is .* interrupted; the network is the best one found"):
        model.fit(X_, y)
    monkeypatch.undo()
    assert not model.converged_
    assert 1e-6 < model.dual_gap_ < 1.0
    # what is there is a network with a gap that holds
    np.testing.assert_allclose(model.network_(X_), model.predict(X_), atol=1e-9 * np.abs(y).max())
    assert model.objective_ * (1 - model.dual_gap_) <= best.objective_ <= model.objective_
    assert model.certify().relative_gap <= model.dual_gap_ * (1 + 1e-6)
    assert model.set_params(warm_start=True).fit(X_, y).converged_
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_comes_too_late_is_for_what_follows(monkeypatch):
    import convexnn._base as base

    def build(*args, original=base.build_model):
        signal.raise_signal(signal.SIGINT)
        return original(*args)

    monkeypatch.setattr(base, "build_model", build)
    model = ConvexNNRegressor()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.converged_
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_there_is_a_network(monkeypatch):
    press_ctrl_c(monkeypatch, after=1)
    model = ConvexNNRegressor(3, activation="abs")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[::2], Y[::2])
    assert not hasattr(model, "dual_gap_")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_one(monkeypatch):
    def price(self, *_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Reflections3, "price", price)
    with pytest.raises(KeyboardInterrupt):
        ConvexNNRegressor(3, activation="abs").fit(X, Y, sample_weight=np.ones(len(Y)))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_someone_else_stays(monkeypatch):
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        press_ctrl_c(monkeypatch, after=3)
        assert ConvexNNRegressor(3, activation="abs").fit(X[::2], Y[::2]).converged_
        assert pressed == [1]
    finally:
        signal.signal(signal.SIGINT, before)


def test_threads_fit_as_ever():
    found = []
    thread = threading.Thread(target=lambda: found.append(ConvexNNRegressor().fit(X, Y).objective_))
    thread.start()
    thread.join()
    assert found == [ConvexNNRegressor().fit(X, Y).objective_]


def test_ctrl_c_ends_a_path_where_it_is(monkeypatch):
    press_ctrl_c(monkeypatch, after=12)
    path = convex_nn_path(X[::4], Y[::4], alphas=30, depth=3, activation="abs", tol=0.5)
    assert 1 <= len(path) < 30
    assert path.predict(X).shape == (len(X), len(path))


@pytest.mark.parametrize("installed", [True, False])
def test_bars(capsys, monkeypatch, installed):
    if installed:
        pytest.importorskip("tqdm", reason="a bar needs it")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    convex_nn_path(X, Y, alphas=4, verbose=1)
    ConvexNNRegressorCV(alphas=3, cv=2, verbose=1).fit(X, Y)
    out, err = capsys.readouterr()
    shown = err if installed else out
    assert "path" in shown
    assert "4/4" in shown
    assert "cross-validation" in shown
    assert "2/2" in shown


def test_a_long_pricing_without_bars(monkeypatch):
    quiet = ConvexNNRegressor(4, activation="abs").fit(X[::8], Y[::8])
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert ConvexNNRegressor(4, activation="abs", verbose=1).fit(X[::8], Y[::8]).objective_ == quiet.objective_


def test_a_bar_of_a_long_pricing(capsys, monkeypatch):
    tqdm = pytest.importorskip("tqdm", reason="a bar needs it")

    class Eager(tqdm.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **{**options, "delay": 0.0})

    monkeypatch.setattr(tqdm, "tqdm", Eager)
    ConvexNNRegressor(4, activation="abs", verbose=1).fit(X[::8], Y[::8])
    assert "pricing" in capsys.readouterr().err


def press_at_alpha(monkeypatch, number):
    """Press Ctrl-C before the fit to the alpha of that number; return the alphas that are fitted."""
    train, alphas = Trainer.train, []

    def pressed(self, alpha, **options):
        alphas.append(alpha)
        if len(alphas) == number:
            signal.raise_signal(signal.SIGINT)
        return train(self, alpha, **options)

    monkeypatch.setattr(Trainer, "train", pressed)
    return alphas


def test_ctrl_c_ends_a_choice_by_folds(monkeypatch):
    """A path that is cut short in a fold has nothing to say, and no choice is made without it."""
    alphas = press_at_alpha(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        ConvexNNRegressorCV(alphas=4, cv=3).fit(X, Y)
    assert len(alphas) == 2


def test_ctrl_c_ends_the_search_of_a_criterion(monkeypatch):
    alphas = press_at_alpha(monkeypatch, 5)
    with pytest.warns(ConvergenceWarning) as caught:
        model = ConvexNNRegressor(alpha="bic").fit(X, Y)
    assert "Ctrl-C ended the search for alpha after 5 of 100" in str(caught[0].message)
    assert model.alphas_.tolist() == alphas and model.alpha_ in alphas
