"""Alpha by an information criterion: no folds, one path.

For the Lasso the number of active columns, where these are independent, is an unbiased estimate of the degrees of freedom of
the fit (Zou, Hastie and Tibshirani, 2007; their rank, in general: Tibshirani and Taylor, 2012), for a given alpha, a given
dictionary and Gaussian errors of one variance. The dictionaries here are made of the inputs alone, so that this applies. Not
covered are the choice of alpha itself and the unknown variance: it is that of the residuals, which is too small where many
features are active, so that the path ends where they take half of the data.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from convexnn.path import geometric_alphas
from convexnn.progress import interrupted
from convexnn.training import Trainer, Training

Array = NDArray[np.float64]
ALPHAS = 100
EPS = 1e-5
ROUNDING = 1e-13  # coefficients below this part of their sum
EXACT = 1e-12  # residuals below this part of the variance: an interpolant, whose likelihood means nothing


@dataclass(frozen=True)
class Chosen:
    """The training of least criterion, and the criterion along the path."""

    training: Training
    alphas: Array
    criterion: Array


def choose_alpha(trainer: Trainer, name: str, *, tol: float, max_iter: int) -> Chosen:
    """Return the alpha of least ``n log(RSS / n) + c df`` on a path, with c = 2 ("aic") or log n ("bic").

    n is the sum of the weights, so that a weight of two counts as two rows; df the number of active features and
    unpenalised coefficients.
    """
    if not trainer.unit.data.loss.quadratic:
        raise ValueError(f"alpha={name!r} needs loss='squared': the criterion is that of Gaussian errors")
    data = trainer.unit.data
    total = float(data.w.sum()) * data.w_scale
    if total < min(2.0, data.y.size):
        raise ValueError(
            f"alpha={name!r} takes the sum of sample_weight for the number of rows, and it is {total:.3g}: scale the weights"
        )
    price = 2.0 if name == "aic" else math.log(total)
    free = trainer.unit.free_basis().shape[1]
    trainings: list[Training] = []
    values: list[float] = []
    for alpha in geometric_alphas(trainer.alpha_max, ALPHAS, EPS):
        start = trainings[-1].solution if trainings else None
        training = trainer.train(float(alpha), tol=tol, max_iter=max_iter, start=start)
        df = free + _active(training)
        squares = _squares(training)
        if trainings and (2 * df > total or squares <= EXACT * 2.0 * data.null_objective * data.objective_scale):
            break
        trainings.append(training)
        values.append(total * math.log(max(squares, 1e-300) / total) + price * df)
        if interrupted():
            warnings.warn(
                f"Ctrl-C ended the search for alpha after {len(values)} of {ALPHAS}: alpha_ is the best of these.",
                ConvergenceWarning,
                stacklevel=6,
            )
            break
    return Chosen(
        trainings[int(np.argmin(values))], np.array([training.alpha for training in trainings]), np.array(values)
    )


def _active(training: Training) -> int:
    """Return the number of active features, without those that rounding has left."""
    parts = zip(training.solution.coef, training.problem.betas, strict=True)
    z = np.concatenate([beta * np.abs(part) for part, beta in parts])
    return int(np.count_nonzero(z > ROUNDING * z.sum()))


def _squares(training: Training) -> float:
    """Return the weighted squared error on the original rows."""
    problem, solution = training.problem, training.solution
    penalty = sum(float(beta * np.abs(z).sum()) for beta, z in zip(problem.betas, solution.coef, strict=True))
    return 2.0 * (solution.gap.primal - penalty + problem.data.constant) * problem.data.objective_scale
