"""The certificate of optimality that a user can ask for, recomputed from the fitted function alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexnn.canonical import CanonicalData
from convexnn.duality import Gap, Violations, evaluate_gap, feasible, price, refit, relative_gap
from convexnn.extended import EXTENDED
from convexnn.model import Feature, FeatureList, Model, build_model
from convexnn.progress import INTERRUPTED
from convexnn.solvers.solution import charged
from convexnn.training import Stack, Training

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Certificate:
    """A bound on the distance to the best network of the architecture.

    Any dual point theta * lam with ``theta * max |lam @ g| <= beta`` bounds the objective of *every* network of the
    architecture from below by ``dual``; the fitted one attains ``primal``.

    Attributes
    ----------
    primal, dual, gap : float
        The objective of the fitted network, the lower bound, and their difference, in the units of the objective.
    relative_gap : float
        The gap relative to ``primal`` (or to 1e-8 of the constant fit's objective where that is more).
    beta : float
        The regularisation ``alpha * sum(w)``.
    max_correlation : float
        The largest ``|lam @ g|`` over all features g of the dictionary, lam the weighted residuals or, where that gives the
        smaller gap, the dual point that the solver ended with: at an exact optimum it is ``beta``.
    feature : Feature or None
        The feature where it is attained; None where there is no feature, or under a shape constraint, where it is a sum of
        features.
    exact : bool
        Whether the dictionary is complete, so that the bound holds over all real weights and biases.

    Notes
    -----
    Of a mean of networks at several alphas (``ConvexNNRegressorCV(selection="stack")``) it is the mean of theirs, each
    certified by itself; ``max_correlation`` over ``beta``, and the feature, are those where it is largest.
    """

    primal: float
    dual: float
    gap: float
    relative_gap: float
    beta: float
    max_correlation: float
    feature: Feature | None
    exact: bool


def certified_point(training: Training, model: Model) -> tuple[Gap, Array]:
    """Return the gap of a model's function on the data of its training, from its predictions, and the dual point used.

    The primal value is that of the predictions. Dual points are their derivatives (for the squared loss: residuals) and the
    one that the solver ended with, which meets the active constraints to the last digits; any vector would do, so nothing of
    the solver is trusted: both are made feasible and priced here. At alpha = 0 no dual point but zero is feasible.
    """
    problem, data = training.problem, training.problem.data
    predicted = _predictions(data, model)
    beta = training.alpha * float(data.w.sum()) * data.w_scale
    penalty = beta * float(np.abs(model.coef).sum()) / data.objective_scale
    points = [data.w * data.loss.dual(refit(problem, predicted), data.y)]
    if training.solution.lam is not None:
        points.append(training.solution.lam)
    if training.alpha == 0.0:
        # another has to be scaled to zero, unless no feature gains by it, as under a constraint that leaves the constant
        points.append(np.zeros(data.y.size))
    points = [feasible(problem, lam.astype(EXTENDED)) for lam in points]
    gaps = [
        charged(problem, training.solution, evaluate_gap(problem, predicted, penalty, lam=lam, limit=0), lam)
        for lam in points
    ]
    best = min(zip(gaps, points, strict=True), key=lambda pair: (np.isinf(pair[0].violations.maximum), pair[0].gap))
    return best[0], best[1].astype(np.float64, copy=False)


def certify_fit(training: Training, model: Model) -> Certificate:
    """Certify the function of a model on the data of its training, from its predictions."""
    if isinstance(training, Stack):
        return _mean_certificate(training)
    problem, data = training.problem, training.problem.data
    gap, lam = certified_point(training, model)
    beta = training.alpha * float(data.w.sum()) * data.w_scale
    best = price(problem, lam, limit=1, slack=gap.violations.maximum * (1.0 - 1e-9) - 1.0)
    return Certificate(
        primal=(gap.primal + data.constant) * data.objective_scale,
        dual=(gap.dual + data.constant) * data.objective_scale,
        gap=gap.gap * data.objective_scale,
        relative_gap=relative_gap(problem, gap),
        beta=beta,
        max_correlation=gap.violations.maximum * beta,
        feature=_strongest(training, best),
        exact=all(dictionary.exact for dictionary in problem.dictionaries),
    )


def _mean_certificate(stack: Stack) -> Certificate:
    """Certify a mean of networks: each of them, from its own predictions."""
    parts = [certify_fit(one, build_model(one.problem, one.solution, one.spec)) for one in stack.members]
    primal, dual, gap, beta = (
        float(stack.shares @ [getattr(part, name) for part in parts]) for name in ("primal", "dual", "gap", "beta")
    )
    scale = stack.problem.data.objective_scale
    bound = Gap(primal / scale - stack.problem.data.constant, dual / scale, gap / scale, stack.solution.gap.violations)
    ratios = [part.max_correlation / part.beta if part.beta else 0.0 for part in parts]
    worst = int(np.argmax(ratios))
    return Certificate(
        primal=primal,
        dual=dual,
        gap=gap,
        relative_gap=relative_gap(stack.problem, bound),
        beta=beta,
        max_correlation=ratios[worst] * beta,
        feature=parts[worst].feature,
        exact=all(part.exact for part in parts),
    )


def delivered_gap(training: Training, model: Model) -> Gap:
    """Return the gap of the function that a model computes, whose rounding differs from its solver's.

    The lower bound is the solver's, which holds for every function, and the objective that of the predictions. Where that is
    more than the tolerance, the function may be optimal all the same, and what certifies it lost in the solver's doubles:
    then it is certified from nothing but its predictions.
    """
    problem = training.problem
    if isinstance(training, Stack):
        return training.solution.gap  # the mean of what its members deliver
    gap = _gap_of_predictions(training, model)
    if relative_gap(problem, gap) <= training.tol or training.alpha == 0.0 or training.solution.status == INTERRUPTED:
        return gap
    certified, _ = certified_point(training, model)
    return min(gap, certified, key=lambda one: relative_gap(problem, one))


def _gap_of_predictions(training: Training, model: Model) -> Gap:
    """Return the gap between the objective of the predictions and the solver's lower bound."""
    problem, gap = training.problem, training.solution.gap
    if training.solution.lam is not None:
        gap = charged(problem, training.solution, gap, training.solution.lam)
    if training.solution.knows_values and len(problem.data.axes) == 1:
        # its values are the solver's, to the last digit; several functions may be large and cancel
        return gap
    data = problem.data
    loss = data.loss.value(_predictions(data, model), data.y)
    beta = training.alpha * float(data.w.sum()) * data.w_scale
    primal = float(np.dot(data.w, loss)) + beta * float(np.abs(model.coef).sum()) / data.objective_scale
    return replace(gap, primal=primal, gap=max(primal - gap.dual, gap.gap))


def _predictions(data: CanonicalData, model: Model) -> Array:
    """Return the model's predictions for the rows, in canonical units."""
    rows = [axis.gather(axis.origin) for axis in data.axes]
    return model.evaluate(rows, model.offset - data.y_center) / data.y_scale


def _strongest(training: Training, best: Violations) -> Feature | None:
    """Describe the feature of largest correlation among a batch of at most one an input."""
    ratios = [np.abs(r).max(initial=0.0) for r in best.ratios]
    j = int(np.argmax(ratios))
    if ratios[j] == 0.0 or training.problem.network is not None:
        return None
    empty = [rows[:0] if i != j else rows[:1] for i, rows in enumerate(best.features)]
    return FeatureList(training.problem, tuple(empty))[0]
