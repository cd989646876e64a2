"""What one fold of a cross-validation says: a path trained on its rows, judged on the rows left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import _check_method_params

from convexnn._regressor import ConvexNNRegressor
from convexnn._threads import one_blas_thread
from convexnn.model import Model
from convexnn.path import follow
from convexnn.stacking import condensed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """Rows to train on, rows left out, and what scores the latter, with what it is given for all rows.

    ``keep`` says whether residuals are wanted.
    """

    X: Array
    y: Array
    w: Array | None
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    scorer: Callable[..., float] | None
    metadata: dict[str, Any]
    keep: bool

    @property
    def weight(self) -> float:
        """The weight of the rows left out."""
        return float(self.test.size if self.w is None else self.w[self.test].sum())


class _Point(RegressorMixin, BaseEstimator):
    """A fitted function in the form that scorers expect."""

    def __init__(self, model: Model | None = None):
        self.model = model

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Array) -> Array:
        assert self.model is not None
        return self.model.predict(X)


@one_blas_thread()
def validate(
    template: ConvexNNRegressor, alphas: Array, fold: Fold
) -> tuple[tuple[Array, Array, Array], Array | None]:
    """Train a path on the rows of a fold; return squared error, score and relative gap for each alpha, and residuals.

    These, times the roots of the weights and condensed, are kept where the fold says so.
    """
    X, y, w = fold.X[fold.test], fold.y[fold.test], None if fold.w is None else fold.w[fold.test]
    trainer = clone(template)._trainer(
        fold.X[fold.train], fold.y[fold.train], None if fold.w is None else fold.w[fold.train]
    )
    path = follow(trainer, alphas, tol=template.tol, max_iter=template.max_iter)
    loss, root, errors = template._loss(), 1.0 if w is None else np.sqrt(w), []
    mse, score = np.empty(alphas.size), np.empty(alphas.size)
    for k, model in enumerate(path.models):
        fit = model.predict(X)
        mse[k] = np.average((fit - y) ** 2, weights=w)
        score[k] = -mse[k] if loss.quadratic else -np.average(loss.value(fit, y), weights=w)
        if fold.keep:
            errors.append(root * (fit - y))
    kept = condensed(np.column_stack(errors)) if fold.keep else None
    if fold.scorer is None:
        return (mse, score, path.dual_gaps), kept
    metadata = _check_method_params(fold.X, fold.metadata, indices=fold.test)
    score = np.array([fold.scorer(_Point(model), X, y, **metadata) for model in path.models])
    if score.ndim != 1 or score.dtype.kind not in "biuf" or not np.isfinite(score).all():
        raise ValueError(f"scoring must give a finite number on every fold, got {score.tolist()} for {len(y)} rows")
    return (mse, score, path.dual_gaps), kept


def takes_weights(scorer: Callable[..., float]) -> bool:
    """Return whether a scorer has an argument for weights."""
    own = getattr(scorer, "_score_func", scorer)  # a scorer of scikit-learn passes them on
    return "sample_weight" in signature(own).parameters


def standard_error(score: Array, shares: Array) -> Array:
    """Return the standard error of the mean over the folds, the last axis; each row speaks once, however often left out."""
    if shares.size < 2:
        return np.zeros(score.shape[:-1])
    return score.std(axis=-1, ddof=1) / np.sqrt(shares.size / max(1.0, shares.sum()))


def first_unless_better(score: Array, shares: Array) -> int:
    """Return the first of some candidates, or a later one if it is clearly better than those before.

    That is by more than one standard error of the differences of their scores (candidates, folds).
    """
    best = 0
    for other in range(1, len(score)):
        gain = score[other] - score[best]
        if np.average(gain, weights=shares) > standard_error(gain, shares):
            best = other
    return best
