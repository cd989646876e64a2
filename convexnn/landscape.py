"""The landscape of optimal networks: which units any of them may have, whether there is one only, and others if not.

With the squared loss all optimal networks share the fitted values and the dual point lam, so that they consist of
*tight* features, those with |lam @ g| = beta, and each of these has one sign in all of them. Weights of those signs that
reproduce the fitted values have the same penalty: the optimal set is a polytope (theory section 6).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from convexnn._base import BaseConvexNN
from convexnn._regressor import alpha_max
from convexnn.closed_forms import alternating_signs, monotone_steps, two_points
from convexnn.dictionaries.base import Rows
from convexnn.duality import Problem, evaluate_gap
from convexnn.model import FeatureList, build_model
from convexnn.solvers import solve
from convexnn.solvers.simplex import SOLVED, minimise
from convexnn.solvers.solution import Solution
from convexnn.tightness import RANK, allowed_features, columns_over_beta, dual_point
from convexnn.training import Training

__all__ = [
    "Extremes",
    "OptimalSet",
    "alpha_max",
    "alternating_signs",
    "monotone_steps",
    "optimal_set",
    "two_points",
]

Array = NDArray[np.float64]
COUNT = [Interval(Integral, 1, None, closed="left")]
ZERO = 1e-9  # weights below this part of their sum are zero


@dataclass(frozen=True)
class Extremes:
    """The least and the greatest weight of a feature over the optimal set, and networks that have them."""

    least: float
    greatest: float
    least_network: BaseConvexNN
    greatest_network: BaseConvexNN


def optimal_set(model: BaseConvexNN) -> OptimalSet:
    """Describe the set of all optimal networks of a fitted model.

    Parameters
    ----------
    model : ConvexNNRegressor
        Fitted, with the squared loss and ``alpha_ > 0``. It is not changed.

    Returns
    -------
    OptimalSet
        The set, over the dictionary of the fit.

    Raises
    ------
    ValueError
        If the loss is another one, ``alpha_`` is zero, the fit has a shape constraint, the model holds no training data (it
        was read from JSON), or the dictionary is too large to list its tight features.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), the section on solution sets; theory section 6. Units that agree on
    the training inputs up to a constant count as one: a breakpoint that moves within a gap between neighbouring inputs, or
    beyond the last one, without a change of the fit, makes no second optimum here.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.landscape import optimal_set
    >>> model = ConvexNNRegressor(depth=3, activation="abs", alpha=0.02)
    >>> landscape = optimal_set(model.fit([[-1], [0], [1], [2], [3]], [1, 0, 1, 0, 1]))
    >>> landscape.unique, landscape.dimension
    (True, 0)
    """
    check_is_fitted(model)
    if getattr(model, "loss", None) != "squared":
        raise ValueError("The optimal set is known for loss='squared': other losses need not have one set of fitted values")
    if model._trained_once().problem.network is not None:
        raise ValueError("The optimal set is not described for fits under a shape constraint")
    if model.alpha_ <= 0.0:
        raise ValueError("The optimal set is described for alpha > 0")
    return OptimalSet(model)


class OptimalSet:
    """The polytope of all optimal networks of a fit; made by :func:`optimal_set`.

    Attributes
    ----------
    features : sequence of Feature
        The features that an optimal network may have. Every other feature of the dictionary is excluded by the duality
        gap: its correlation with *any* dual point as good as the optimal one is below beta.
    signs : ndarray of shape (n_allowed,)
        The sign that the coefficient of each has in every optimal network that uses it.
    unique : bool
        Whether the optimal network is the only one. True: the allowed features are linearly independent on the data
        (``singular_value`` above rounding), or no other choice of weights exists by linear programming. False: ``sample``
        gives another.
    dimension : int
        The number of independent dependencies among the allowed features: 0 where they are independent.
    singular_value : float
        The smallest singular value of the allowed features, each scaled to norm one, relative to the largest.
    max_units : int
        A vertex of the set has at most so many units: the rank of the features, at most the number of distinct inputs.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> from convexnn.landscape import optimal_set
    >>> landscape = optimal_set(ConvexNNRegressor(alpha=2.0).fit(*load_mcycle(return_X_y=True)))
    >>> landscape.unique  # a ramp may open to the left instead, if another one makes up for it
    False
    >>> first, second = landscape.sample(2, random_state=0)
    >>> abs(first.objective_ - second.objective_) <= 1e-8 * first.objective_
    True
    """

    def __init__(self, model: BaseConvexNN):
        self._model = model
        self._training = _refined(model._trained())
        problem, solution = self._training.problem, self._training.solution
        self._rows, columns, self.signs, self._weights = allowed_features(problem, solution)
        self.features = FeatureList(problem, self._rows)
        # Norms as one more row: what keeps the fit and this keeps the objective, to the last digits.
        level = float(np.sqrt((columns**2).sum(axis=0).mean())) if columns.size else 1.0
        stacked = np.vstack([columns * self.signs, np.full(columns.shape[1], level)])
        self._scale = np.linalg.norm(stacked, axis=0)
        self._stacked = stacked / self._scale
        self._range, self._null, self.singular_value = _row_space(self._stacked)
        self.max_units, self.dimension = len(self._range), len(self._null)
        self.unique = self.dimension == 0 or not self._movable()

    @validate_params({"n_tries": COUNT, "random_state": ["random_state"]}, prefer_skip_nested_validation=True)
    def sparsest(self, *, n_tries: int = 10, random_state=0) -> BaseConvexNN:
        """Return an optimal network with few units: a vertex of the optimal set, the sparsest of several.

        Parameters
        ----------
        n_tries : int, default=10
            How many vertices to compare; each is approached by reweighted linear programmes.
        random_state : int, RandomState instance or None, default=0
            Where they start.

        Returns
        -------
        ConvexNNRegressor
            Fitted, with the same objective and fitted values, and at most ``max_units`` units.
        """
        if self.unique:
            return self._network(self._weights)
        rng, vertices = check_random_state(random_state), []
        for k in range(n_tries):
            # the first of the fit itself, which may be no vertex but has few units
            weights = self._vertex(-rng.uniform(0.5, 1.5, self._weights.size)) if k else self._weights
            for _ in range(5):
                weights = self._vertex(-1.0 / (weights + 1e-3 * weights.mean()))
            vertices.append(weights)
        return self._network(min(vertices, key=np.count_nonzero))

    @validate_params({"feature": [Integral]}, prefer_skip_nested_validation=True)
    def extremes(self, feature: int) -> Extremes:
        """Return the least and the greatest weight of a feature over all optimal networks.

        Parameters
        ----------
        feature : int
            Its place in ``features``.

        Returns
        -------
        Extremes
            The weights z, in the units of ``coef_``, and networks that attain them.

        Raises
        ------
        IndexError
            If there is no such feature.
        """
        if not -len(self.features) <= feature < len(self.features):
            raise IndexError(f"feature {feature} is not among the {len(self.features)} that an optimal network may have")
        place = int(feature) % len(self.features)
        goal = np.zeros(self._weights.size)
        goal[place] = self.signs[place]
        ends = [self._weights, self._weights] if self.unique else [self._vertex(-goal), self._vertex(goal)]
        least, greatest = (self._coefficients(weights)[place] for weights in ends)
        return Extremes(float(least), float(greatest), *(self._network(weights) for weights in ends))

    @validate_params({"n": COUNT, "random_state": ["random_state"]}, prefer_skip_nested_validation=True)
    def sample(self, n: int, *, random_state=None) -> list[BaseConvexNN]:
        """Return different optimal networks: random points between random vertices of the optimal set.

        Parameters
        ----------
        n : int
            How many.
        random_state : int, RandomState instance or None, default=None
            The randomness.

        Returns
        -------
        list of ConvexNNRegressor
            Fitted; all have the same objective and the same fitted values.

        Raises
        ------
        ValueError
            If the optimal network is unique.
        """
        if self.unique:
            raise ValueError("The optimal network is unique: there are no others to sample")
        rng = check_random_state(random_state)
        # goals off the known dependencies leave the weights where they are
        goals = rng.normal(size=(min(n + 1, 16), self.dimension)) @ self._null
        vertices = np.array([self._vertex(goal) for goal in goals] + [self._vertex(-goals[0])])
        return [self._network(rng.dirichlet(np.ones(len(vertices))) @ vertices) for _ in range(n)]

    def _movable(self) -> bool:
        """Return whether the weights can move along the dependencies of the features at all."""
        used = self._weights > 0.0
        among_used = np.linalg.matrix_rank(self._stacked[:, used], tol=RANK * np.linalg.norm(self._stacked, 2))
        if among_used < np.count_nonzero(used):
            return True
        moved = self._vertex(np.where(used, 0.0, 1.0))
        return float(moved[~used].sum()) > ZERO * float(self._weights.sum())

    def _vertex(self, goal: Array) -> Array:
        """Return weights that maximise ``goal`` over the optimal set."""
        # in units in which every column has norm one, and the weights sum to about one
        start = self._weights * self._scale
        total = float(start.sum()) or 1.0  # at the critical alpha features are tight, and none is used
        cost = goal / self._scale
        programme = {"A_eq": self._range, "b_eq": self._range @ start / total, "bounds": (0.0, None)}
        for tolerance in (1e-10, 1e-9, 1e-7):
            found = minimise(-cost / np.abs(cost).max(), tolerance=tolerance, **programme)
            if found.status == SOLVED:
                break
        else:
            raise RuntimeError(f"The linear programme over the optimal set failed: {found.message}")
        # back onto the optimal set: what the tolerance let pass may not remain
        moved = total * found.x - start
        weights = np.maximum(start + moved - self._range.T @ (self._range @ moved), 0.0) / self._scale
        total = float(weights.sum())
        return self._polished(np.where(weights > ZERO * total, weights, 0.0), weights)

    def _polished(self, weights: Array, rough: Array) -> Array:
        """Solve for the weights on their support again, where that determines them; else leave them as they were."""
        used = weights > 0.0
        wanted = self._stacked @ (self._weights * self._scale)
        solved, *_ = np.linalg.lstsq(self._stacked[:, used], wanted, rcond=RANK)
        off = np.linalg.norm(self._stacked[:, used] @ solved - wanted)
        if (solved < 0.0).any() or off > 1e-12 * np.linalg.norm(wanted):
            return rough
        out = np.zeros(weights.size)
        out[used] = solved / self._scale[used]
        return out

    def _coefficients(self, weights: Array) -> Array:
        """Return the coefficients z, in the units of the data, of weights |z| beta in canonical units."""
        problem = self._training.problem
        sizes = [len(rows) for rows in self._rows]
        scales = np.array([axis.scale if self._training.spec.homogeneous else 1.0 for axis in problem.data.axes])
        return self.signs * weights * np.repeat(problem.data.y_scale / (problem.betas * scales), sizes)

    def _network(self, weights: Array) -> BaseConvexNN:
        """Return the model with these weights, certified anew."""
        problem = self._training.problem
        solution = _solution(problem, self._rows, self.signs * weights)
        model = copy.copy(self._model)
        training = replace(self._training, solution=solution)
        model._keep(training, build_model(problem, solution, training.spec))
        return model


def _refined(training: Training) -> Training:
    """Solve again, as exactly as the solver can."""
    problem = training.problem
    if not any(len(rows) for rows in training.solution.features):
        return training
    solution = solve(problem, solver=training.solver, tol=1e-15, max_iter=1000, start=training.solution)
    return replace(training, solution=solution)


def _row_space(stacked: Array) -> tuple[Array, Array, float]:
    """Return orthonormal rows that span row space and null space, and the smallest singular value over the largest."""
    count = stacked.shape[1]
    if count == 0:
        return np.empty((0, 0)), np.empty((0, 0)), 1.0
    _, values, rows = np.linalg.svd(stacked, full_matrices=True)
    padded = np.zeros(count)
    padded[: values.size] = values[:count]
    rank = int(np.count_nonzero(padded > RANK * padded[0]))
    return rows[:rank], rows[rank:], float(padded[-1] / padded[0])


def _solution(problem: Problem, rows: tuple[Rows, ...], z: Array) -> Solution:
    """Return the certified solution with these coefficients, which are in units of beta."""
    columns = columns_over_beta(problem, rows)
    root, basis = np.sqrt(problem.data.w), problem.free_basis()
    lam, _ = dual_point(problem, columns, z)
    target = root * problem.data.y
    residual = (target - basis @ (basis.T @ target) - columns @ z) / root
    penalty, paired = float(np.abs(z).sum()), float(lam @ columns @ z)
    gap = evaluate_gap(problem, problem.data.y - residual, penalty, lam=root * lam, paired=paired, limit=0)
    parts = np.split(z, np.cumsum([len(part) for part in rows])[:-1])
    kept = tuple(part[part_z != 0.0] for part, part_z in zip(rows, parts, strict=True))
    coef = tuple(p[p != 0.0] / beta for p, beta in zip(parts, problem.betas, strict=True))
    rest = problem.data.y.copy()
    for axis, dictionary, part, c in zip(problem.data.axes, problem.dictionaries, kept, coef, strict=True):
        rest -= axis.gather(dictionary.evaluate(part, dictionary.points) @ c)
    intercept, skip = problem.free_coefficients(basis @ (basis.T @ (root * rest)) / root)
    return Solution(kept, coef, intercept, skip, gap, 1, lam=root * lam)
