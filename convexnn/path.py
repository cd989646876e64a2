"""The solution path: one problem solved along alpha, each solution the start of the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from convexnn.certificate import delivered_gap
from convexnn.dictionaries.base import is_spline
from convexnn.duality import evaluate_gap, refit, relative_gap
from convexnn.model import Feature, Model, build_model
from convexnn.network import Network
from convexnn.progress import bar, interrupted
from convexnn.training import Trainer, Training

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SolutionPath:
    """Optimal networks of one problem for several alphas, as :func:`convexnn.convex_nn_path` returns them.

    What needs the networks (all attributes but the first five) is computed when it is first asked for.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        The regularisation, falling.
    alpha_max : float
        The critical alpha, from which on the optimal network has no units.
    gaps_between : ndarray
        On an exact path of one input's linear splines the relative duality gaps halfway between kinks.
    exact : bool
        Whether the gaps hold against every network of the architecture, over all real weights and biases.
    kinks : bool
        Whether the path is exact: the alphas are its ends and all its kinks, and it is linear in alpha between them.
    n_iters : ndarray of shape (n_alphas,)
        The pricing sweeps at each alpha.
    dual_gaps : ndarray of shape (n_alphas,)
        The relative duality gaps.
    objectives : ndarray of shape (n_alphas,)
        The regularised training objectives.
    coefs : list of ndarray
        For each alpha the coefficients of the active features.
    features : list of sequence of Feature
        For each alpha the active features, in the order of the coefficients.
    intercepts : ndarray of shape (n_alphas,)
        The biases of the output.
    skip_coefs : ndarray of shape (n_alphas, n_features_in)
        The skip connections, zeros without one.
    n_neurons : ndarray of shape (n_alphas,)
        The numbers of hidden neurons.

    Examples
    --------
    >>> from convexnn import convex_nn_path
    >>> from convexnn.datasets import load_mcycle
    >>> X, y = load_mcycle(return_X_y=True)
    >>> path = convex_nn_path(X, y, alphas=10)
    >>> path.predict(X).shape, int(path.n_neurons[0]), bool((path.dual_gaps <= 1e-6).all())
    ((133, 10), 0, True)
    """

    trainings: tuple[Training, ...]
    kinks: bool = False

    def __len__(self) -> int:
        return len(self.trainings)

    def __repr__(self) -> str:
        return f"<path of {len(self)} optimal networks, alpha {self.alphas[0]:.6g} to {self.alphas[-1]:.6g}>"

    @property
    def alphas(self) -> Array:
        """The regularisation, falling."""
        return np.array([training.alpha for training in self.trainings])

    @property
    def alpha_max(self) -> float:
        """The critical alpha."""
        return self.trainings[0].alpha_max

    @property
    def exact(self) -> bool:
        """Whether the gaps hold over all real weights and biases."""
        return all(dictionary.exact for dictionary in self.trainings[0].problem.dictionaries)

    @property
    def n_iters(self) -> NDArray[np.int64]:
        """The pricing sweeps at each alpha."""
        return np.array([training.solution.n_iter for training in self.trainings])

    @cached_property
    def models(self) -> list[Model]:
        """The fitted functions with their networks."""
        return [build_model(training.problem, training.solution, training.spec) for training in self.trainings]

    @cached_property
    def _gaps(self) -> list[tuple[float, float]]:
        """Objective and relative gap of the delivered functions."""
        out = []
        for place, training in enumerate(self.trainings):
            data = training.problem.data
            gap = training.solution.gap
            # of splines within the tolerance it needs no network
            if training.solution.splines is None or relative_gap(training.problem, gap) > training.tol:
                gap = delivered_gap(training, self.models[place])
            objective = (gap.primal + data.constant) * data.objective_scale
            out.append((objective, relative_gap(training.problem, gap)))
        return out

    @cached_property
    def gaps_between(self) -> Array:
        """The relative duality gaps halfway between kinks, where linear splines of one input are followed; empty elsewhere.

        Rounding can hide a kink between two that are certified. The penalty is convex, so that of the mean fit is at most
        the mean penalty.
        """
        first = self.trainings[0]
        if not self.kinks or first.solution.splines is None:
            return np.empty(0)
        data, points, out = first.problem.data, first.problem.data.axes[0].points, []
        last = None
        for training in self.trainings:
            assert training.solution.splines is not None
            spline = training.solution.splines[0]
            fit = np.interp(points, points[spline.knots], spline.values)
            loss = float(np.dot(data.w, data.loss.value(fit, data.y)))
            norm = (training.solution.gap.primal - loss) / training.alpha
            if last is not None:
                alpha, mean = 0.5 * (last[0] + training.alpha), 0.5 * (last[1] + fit)
                problem = replace(training.problem, betas=alpha / training.alpha * training.problem.betas)
                gap = evaluate_gap(problem, refit(problem, mean), 0.5 * alpha * (last[2] + norm), limit=0)
                out.append(relative_gap(problem, gap))
            last = training.alpha, fit, norm
        return np.array(out)

    @property
    def objectives(self) -> Array:
        """The regularised training objectives."""
        return np.array([objective for objective, _ in self._gaps])

    @property
    def dual_gaps(self) -> Array:
        """The relative duality gaps."""
        return np.array([gap for _, gap in self._gaps])

    @property
    def coefs(self) -> list[Array]:
        """For each alpha the coefficients of the active features."""
        return [model.coef for model in self.models]

    @property
    def features(self) -> list[Sequence[Feature]]:
        """For each alpha the active features."""
        return [model.features for model in self.models]

    @property
    def intercepts(self) -> Array:
        """The biases of the output."""
        return np.array([model.network.constant for model in self.models])

    @property
    def skip_coefs(self) -> Array:
        """The skip connections."""
        none = np.zeros(len(self.trainings[0].problem.data.axes))
        networks = [model.network for model in self.models]
        return np.array([none if network.skip_coef is None else network.skip_coef for network in networks])

    @property
    def n_neurons(self) -> NDArray[np.int64]:
        """The numbers of hidden neurons."""
        return np.array([model.network.n_neurons for model in self.models])

    def network(self, index: int) -> Network:
        """Return the optimal network at ``alphas[index]``.

        Parameters
        ----------
        index : int
            The place among the alphas.

        Returns
        -------
        Network
            Its weights, ready to be called.
        """
        return self.models[index].network

    def predict(self, X: ArrayLike, alpha: ArrayLike | None = None) -> Array:
        """Return the fitted functions at X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        alpha : float or array-like of shape (n,), default=None
            For an exact path any alphas from the least one on. None is ``alphas``.

        Returns
        -------
        ndarray of shape (n_samples, n_alphas)
            One column for each alpha.

        Raises
        ------
        ValueError
            If X has another number of features, the path is not exact, or alpha is below its end.
        """
        inputs: Array = check_array(X, dtype=np.float64)
        expected = len(self.trainings[0].problem.data.axes)
        if inputs.shape[1] != expected:
            raise ValueError(f"X has {inputs.shape[1]} features, but the path was computed with {expected} features")
        if alpha is None:
            return np.column_stack([model.predict(inputs) for model in self.models])
        if not self.kinks:
            raise ValueError("alpha can be chosen on an exact path only: convex_nn_path(..., exact=True)")
        alphas, least = self.alphas, falling(np.atleast_1d(alpha))[-1]
        if least < alphas[-1] * (1.0 - 1e-12):
            raise ValueError(f"alpha must be at least {alphas[-1]:.6g}, where the path ends, got {least:.6g}")
        wanted = np.clip(np.atleast_1d(np.asarray(alpha, dtype=np.float64)), alphas[-1], alphas[0])
        # each column is a combination of those at the next kinks above and below
        below = np.searchsorted(-alphas, -wanted)
        above = np.maximum(below - 1, 0)
        share = (alphas[above] - wanted) / np.maximum(alphas[above] - alphas[below], np.finfo(np.float64).tiny)
        needed, places = np.unique(np.concatenate((above, below)), return_inverse=True)
        fits = np.column_stack([self.models[kink].predict(inputs) for kink in needed])
        first, second = fits[:, places[: wanted.size]], fits[:, places[wanted.size :]]
        return first + share * (second - first)


def geometric_alphas(alpha_max: float, number: int, eps: float) -> Array:
    """Return ``number`` alphas from the critical one to ``eps`` of it, falling; as in scikit-learn's Lasso paths."""
    if alpha_max == 0.0:
        return np.full(number, np.finfo(np.float64).resolution)
    alphas = np.geomspace(alpha_max, eps * alpha_max, number)
    alphas[0] = alpha_max
    return alphas


def falling(alphas: ArrayLike) -> Array:
    """Check given alphas and sort them."""
    values: Array = check_array(alphas, ensure_2d=False, dtype=np.float64, input_name="alphas")
    if values.ndim != 1 or values.min() < 0.0:
        raise ValueError(f"alphas must be a number of values, or a sequence of non-negative ones, got {alphas!r}")
    return np.sort(values)[::-1]


def follow_exactly(trainer: Trainer, alpha_min: float) -> tuple[SolutionPath, str]:
    """Return the whole path down to an alpha, and why it ends earlier if it does."""
    first = trainer.unit.dictionaries[0]
    if len(trainer.unit.dictionaries) == 1 and is_spline(first):
        from convexnn.solvers.knot_path import trace
    else:
        from convexnn.solvers.homotopy import trace
    if trainer.alpha_max <= alpha_min:
        return replace(follow(trainer, np.array([alpha_min]), tol=1.0, max_iter=1), kinks=True), ""
    nodes, status = trace(trainer.unit, trainer.alpha_max, alpha_min)
    trainings = [
        Training(
            replace(trainer.unit, betas=alpha * trainer.unit.betas),
            solution,
            trainer.spec,
            alpha,
            trainer.alpha_max,
            "homotopy",
        )
        for alpha, solution in nodes
    ]
    return SolutionPath(tuple(trainings), kinks=True), status


def follow(
    trainer: Trainer, alphas: Array, *, tol: float, max_iter: int, verbose: int = 0
) -> SolutionPath:
    """Solve at falling alphas, each from the solution before; a Ctrl-C that is watched for ends the path where it is."""
    if alphas[-1] == 0.0:
        trainer.check_interpolation()  # an error there comes before any work
    out: list[Training] = []
    for alpha in bar(alphas, len(alphas), "path", verbose):
        start = out[-1].solution if out else None
        out.append(trainer.train(float(alpha), tol=tol, max_iter=max_iter, start=start))
        if interrupted():
            break
    return SolutionPath(tuple(out))
