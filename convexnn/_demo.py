"""The demonstration: two real curves, a certified optimal network beside an ``MLPRegressor`` and a straight line."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from convexnn._export.disk import replacing
from convexnn._regressor import ConvexNNRegressor
from convexnn.datasets import load_btc_minutes, load_mcycle
from convexnn.plotting import FitDisplay
from convexnn.plotting._style import make_figure

Array = NDArray[np.float64]
MLP_UNITS = 60
MLP_ITERATIONS = 500
MLP_SEEDS = 3
FOOTNOTE = f"""\
All rows of a table minimise sum (y - f(x))^2 / 2 + beta * penalty with the same beta = alpha * n; biases are free.
  ConvexNN       one hidden ReLU layer of any width; penalty sum |w||v| over its units (weight decay at its balance)
  MLPRegressor   {MLP_UNITS} ReLU units, lbfgs, at most {MLP_ITERATIONS} iterations, the best of {MLP_SEEDS} seeds;
                 trained on standardised x and y with the weight decay that is this beta in their units, scored by the
                 penalty of its weights in the data's units; seconds are of all its seeds
  straight line  penalty |slope|: the best network of a single linear unit
gap = (objective - lower bound) / objective, with the lower bound that ConvexNN's certificate proves for every ReLU
network of one hidden layer; RMSE is on the training data; seconds are of one fit, kernels compiled."""


@dataclass(frozen=True)
class Case:
    """A data set of the demonstration: inputs, targets, regularisation, and the names of the axes."""

    title: str
    x: Array
    y: Array
    alpha: float
    x_name: str
    y_name: str
    difference: bool = False

    @property
    def beta(self) -> float:
        """The weight of the penalty."""
        return self.alpha * self.x.size


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    method: str
    objective: float
    rmse: float
    neurons: int
    seconds: float


def run_demo(folder: Path, write: Callable[[str], None]) -> Path:
    """Fit, compare and draw the cases; ``write`` gets the text line by line. Return the path of the picture."""
    figure, panels = make_figure(2)  # first, because a missing matplotlib should not be found out last
    cases = load_cases()
    start = time.perf_counter()
    for case in cases:
        _fit(case)
    write(f"First fits, with compiling or loading of kernels: {time.perf_counter() - start:.2f} s")
    for case, ax in zip(cases, panels, strict=True):
        start = time.perf_counter()
        model = _fit(case)
        row = convex_row(case, model, time.perf_counter() - start)
        bound = row.objective * (1.0 - model.dual_gap_)
        write(f"\n{case.title}: n = {case.x.size}, alpha = {case.alpha:g}")
        write(f"  {'':<14}{'objective':>14}{'gap':>11}{'RMSE':>10}{'neurons':>9}{'seconds':>9}")
        for line in (row, mlp_row(case), line_row(case)):
            gap = (line.objective - bound) / line.objective
            write(f"  {line.method:<14}{line.objective:>14.5e}{gap:>11.1e}{line.rmse:>#10.4g}"
                  f"{line.neurons:>9}{line.seconds:>9.3f}")  # fmt: skip
        FitDisplay.from_estimator(
            model, case.x, case.y, ax=ax, x_name=case.x_name, y_name=case.y_name, difference=case.difference
        )
        ax.set_title(case.title)
    write("\n" + FOOTNOTE)
    path = folder / "convexnn_demo.png"
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    write(f"\nwrote {path}")
    return path


def load_cases() -> list[Case]:
    """Return the two data sets."""
    prices = load_btc_minutes().target
    times, accel = load_mcycle(return_X_y=True)
    return [
        Case("Bitcoin, next minute from this one", prices[:-1], prices[1:], 10.0, "price (USD)",
             "change in the next minute (USD)", difference=True),
        Case("Motorcycle accident", times[:, 0], accel, 1.0, "time after impact (ms)", "head acceleration (g)"),
    ]  # fmt: skip


def _fit(case: Case) -> ConvexNNRegressor:
    return ConvexNNRegressor(alpha=case.alpha).fit(case.x[:, None], case.y)


def _rmse(residual: Array) -> float:
    return float(np.sqrt(np.mean(residual**2)))


def convex_row(case: Case, model: ConvexNNRegressor, seconds: float) -> Row:
    """Return the line of the certified fit."""
    rmse = _rmse(case.y - model.predict(case.x[:, None]))
    return Row("ConvexNN", model.objective_, rmse, model.n_neurons_, seconds)


def mlp_row(case: Case) -> Row:
    """Train a local method on the same problem from several seeds and return the line of the best."""
    start = time.perf_counter()
    weights = [_train_mlp(case, seed) for seed in range(MLP_SEEDS)]
    seconds = time.perf_counter() - start
    scores = [_score_mlp(case, *found) for found in weights]
    objective, rmse = min(scores)
    return Row("MLPRegressor", objective, rmse, MLP_UNITS, seconds)


def _train_mlp(case: Case, seed: int) -> tuple[Array, Array, Array, float]:
    """Return inner weights, inner biases, outer weights and the output's bias, in the units of the data."""
    x_mean, x_scale, y_mean, y_scale = case.x.mean(), case.x.std(), case.y.mean(), case.y.std()
    mlp = MLPRegressor(
        hidden_layer_sizes=(MLP_UNITS,),
        solver="lbfgs",
        # in standardised units the squares shrink by y_scale ** 2 and the penalty by y_scale / x_scale
        alpha=case.beta / (x_scale * y_scale),
        max_iter=MLP_ITERATIONS,
        max_fun=10**6,
        tol=1e-9,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limit of iterations is stated under the table
        mlp.fit(((case.x - x_mean) / x_scale)[:, None], (case.y - y_mean) / y_scale)
    inner = mlp.coefs_[0][0] / x_scale
    biases = mlp.intercepts_[0] - inner * x_mean
    return inner, biases, mlp.coefs_[1][:, 0] * y_scale, float(mlp.intercepts_[1][0]) * y_scale + y_mean


def _score_mlp(case: Case, inner: Array, biases: Array, outer: Array, bias: float) -> tuple[float, float]:
    """Return objective and RMSE of a ReLU network of one hidden layer, its penalty taken at the best rescaling."""
    residual = case.y - np.maximum(np.outer(case.x, inner) + biases, 0.0) @ outer - bias
    penalty = float(np.abs(inner * outer).sum())
    return 0.5 * float(residual @ residual) + case.beta * penalty, _rmse(residual)


def line_row(case: Case) -> Row:
    """Return the line of the best linear unit: a soft threshold of the least-squares slope."""
    start = time.perf_counter()
    x, y = case.x - case.x.mean(), case.y - case.y.mean()
    product = float(x @ y)
    slope = np.sign(product) * max(abs(product) - case.beta, 0.0) / float(x @ x)
    seconds = time.perf_counter() - start
    residual = y - slope * x
    objective = 0.5 * float(residual @ residual) + case.beta * abs(slope)
    return Row("straight line", objective, _rmse(residual), 0, seconds)
