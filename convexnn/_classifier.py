"""ConvexNNClassifier: networks for log-odds, trained to certified global optimality, as a scikit-learn classifier."""

from __future__ import annotations

from copy import copy
from inspect import signature
from numbers import Real

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from convexnn._base import BaseConvexNN, fitting, with_base_parameters
from convexnn._export.labels import read_labels, read_weights, write_labels, write_weights
from convexnn._export.stored import PartsMixin
from convexnn.certificate import Certificate
from convexnn.losses import LOGISTIC, Loss
from convexnn.training import Trainer

REGRESSION = ("loss", "quantile", "huber_delta")


class LogOdds(BaseConvexNN):
    """A network for the log-odds of one class: a fitted estimator with the attributes of :class:`ConvexNNRegressor`."""

    def _loss(self) -> Loss:
        return LOGISTIC

    def _auto_alpha(self, trainer: Trainer) -> float:
        # the critical alpha is proportional to this: without it, the rarer a class the less it would be regularised
        share = float(np.average(trainer.unit.data.y, weights=trainer.unit.data.w))
        return trainer.alpha_max / 100.0 / (4.0 * share * (1.0 - share))

    def fit(self, X, y, sample_weight=None, names=None):
        """Train on targets 0 and 1; ``names`` are those of the inputs, which arrays do not have."""
        data, spec = self._read(X, y, sample_weight, names)
        free = list(data.independent_inputs) if self.skip_connection else []
        if free:
            _refuse_separated(X[:, free], y)
        if self._train(data, spec):
            raise KeyboardInterrupt
        return self

    def predict(self, X):
        """Return the log-odds at X."""
        check_is_fitted(self)
        return self._model.predict(validate_data(self, X, dtype=np.float64, reset=False))


def _refuse_separated(X: np.ndarray, y: np.ndarray) -> None:
    """Raise an error where a line separates the classes: the slopes of a skip connection, being free, would be infinite."""
    if X.shape[1] == 1:  # only the ends of the classes can decide
        ends = [(part.min(), part.max()) for part in (X[y == 0, 0], X[y == 1, 0])]
        separated = ends[0][1] <= ends[1][0] or ends[1][1] <= ends[0][0]
    else:
        from convexnn.solvers.simplex import SOLVED, minimise

        rows = np.column_stack([np.ones(len(X)), (X - X.mean(axis=0)) / np.maximum(np.ptp(X, axis=0), 1e-300)])
        signed = np.where(y == 1, 1.0, -1.0)[:, None] * rows
        best = minimise(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(X)), bounds=(-1.0, 1.0))
        separated = best.status == SOLVED and best.fun < -1e-7
    if separated:
        raise ValueError(
            "A line separates the classes, so that with skip_connection=True, whose slope is not penalised, no optimum "
            "exists; use skip_connection=False"
        )


class ConvexNNClassifier(PartsMixin, ClassifierMixin, BaseEstimator):
    """Neural network classification on one or a few inputs, trained to certified global optimality.

    A network, of any architecture of :class:`ConvexNNRegressor`, gives the log-odds f of a class; training minimises
    ``sum(w * (log(1 + exp(f(X))) - y * f(X))) + alpha * sum(w) * penalty`` over y in {0, 1}, to a duality gap. Two
    classes are one such problem; several are one each, a class against the rest. Separable classes have a finite optimum for
    every alpha > 0, because the weights that would go to infinity are penalised.

    Parameters
    ----------
    depth : int, default=2
        The number of layers of weights: 2 is one hidden layer.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with the sample weights; as in scikit-learn.
    activation : {"relu", "leaky_relu", "abs", "sign", "threshold"}, default="relu"
        The activation of the hidden layers.
    architecture : {"narrow", "symmetrized", "parallel", "tree"}, default="narrow"
        The shape of the units. At depth 2 all are the same.
    width : int or tuple of int, default=None
        The hidden width of parallel units, or the widths of a tree. Not used at depth 2.
    negative_slope : float, default=0.01
        The slope of leaky ReLU for negative arguments, in [0, 1).
    skip_connection : bool, default=False
        Whether the networks have an unpenalised linear connection from input to output. Of inputs that depend on each other
        but for a millionth it does not read all (their slopes are zero), as doubles cannot hold what large slopes leave.
    alpha : float or "auto", default="auto"
        The regularisation, positive. "auto" is, problem by problem, a hundredth of what the critical value would be were the
        classes of equal weight: ``alpha_max_ / 100 / (4 p (1 - p))``, p the share of a class.
    dictionary : {"auto", "exact", "data"}, default="auto"
        The candidate biases: the complete finite set, or those at training points. The same at depth 2.
    max_breakpoints : int, default=None
        The number of candidate breakpoints, thinned to quantiles of x. Not supported at depth 2, where it is not needed.
    monotonic_cst, convexity_cst : array-like of int of shape (n_features,) or dict, default=None
        For each input, or by its name, whether the log-odds of every problem rise (1) or fall (-1) with it, and are convex
        (1) or concave (-1), as in :class:`ConvexNNRegressor`. With two classes the probability of ``classes_[1]`` does.
    solver : {"auto", "additive", "clipping", "coordinate_descent", "segments", "spline", "stretches", "total_variation"}, \
default="auto"
        What solves the weighted squared loss of every Newton step, as in :class:`ConvexNNRegressor`.
    tol : float, default=1e-6
        The relative duality gap to reach, problem by problem.
    max_iter : int, default=1000
        The largest number of pricing sweeps over the dictionary.
    warm_start : bool, default=False
        Whether to start from the last solution, where classes, inputs and architecture are those of the last fit.
    verbose : int, default=0
        1 writes a line for every round of the solver, problem by problem, as in :class:`ConvexNNRegressor`.
    n_jobs : int, default=None
        Accepted, not used yet.
    random_state : int, RandomState instance or None, default=None
        Not used: the fit is deterministic.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimators_ : list
        The fitted network of every problem, for ``classes_[1]`` if there are two classes, else for each class. They have the
        attributes of :class:`ConvexNNRegressor`: ``network_``, ``coef_``, ``breakpoints_``, ...; predictions are log-odds.
    alpha_, alpha_max_, objective_, dual_gap_ : ndarray of shape (n_problems,)
        The alpha, critical alpha, objective and relative duality gap of every problem.
    converged_, exact_ : bool
        Whether all problems reached ``tol``, and whether the gaps hold over all real weights and biases.
    n_neurons_ : int
        The number of hidden neurons, all networks together.
    n_iter_ : int
        The largest number of pricing sweeps.
    n_features_in_ : int
        The number of inputs.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    Raises
    ------
    ValueError
        If a parameter or the data are not valid, or if no optimum exists: ``alpha=0``, or classes that a line separates with
        ``skip_connection=True``.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached, with the gap and what to do.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), whose theorems hold for every convex loss.

    Examples
    --------
    >>> from convexnn import ConvexNNClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]], ["a", "a", "b", "b", "a", "a"]
    >>> model = ConvexNNClassifier(alpha=0.01).fit(X, y)
    >>> model.predict(X).tolist()
    ['a', 'a', 'b', 'b', 'a', 'a']
    >>> bool(model.dual_gap_.max() <= 1e-6)
    True
    """

    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseConvexNN._parameter_constraints.items() if name not in REGRESSION},
        "alpha": [Interval(Real, 0.0, None, closed="left"), StrOptions({"auto"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    _part = LogOdds
    estimators_: list[LogOdds]

    @with_base_parameters(*REGRESSION)
    def __init__(self, depth=2, *, class_weight=None, **parameters):
        given = signature(type(self)).bind(depth, class_weight=class_weight, **parameters)
        given.apply_defaults()
        self.__dict__.update(given.arguments)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train a network for every problem to global optimality.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; every unit of a network reads one of them.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; a row of weight zero might as well not be there.

        Returns
        -------
        ConvexNNClassifier
            The fitted estimator itself.
        """
        with fitting(self):
            X, y = validate_data(self, X, y, dtype=np.float64)
            check_classification_targets(y)
            classes, y = np.unique(y, return_inverse=True)
            w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            factors = compute_sample_weight(self.class_weight, classes[y])
            if not (np.isfinite(factors) & (factors >= 0.0)).all():
                raise ValueError(f"class_weight must hold finite numbers that are not negative, got {self.class_weight!r}")
            w = w * factors
            if not w.any():
                raise ValueError("All values of `sample_weight` are zero.")
            weight = np.bincount(y, w)
            if classes.size < 2 or np.count_nonzero(weight) < 2:
                found = classes[weight > 0.0].tolist()
                raise ValueError(f"ConvexNNClassifier needs rows of two classes, of positive weight; got one class: {found}")
            if (weight == 0.0).any() and classes.size > 2:
                raise ValueError(f"All rows of the classes {classes[weight == 0.0].tolist()} have weight zero")
            parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "class_weight"}
            names = getattr(self, "feature_names_in_", None)
            again = self.warm_start and np.array_equal(getattr(self, "classes_", np.empty(0)), classes)
            machines = [copy(m) for m in self.estimators_] if again else [LogOdds() for _ in self._positive(classes)]
            kept = w > 0.0
            X, y, w = X[kept], y[kept], w[kept]
            self.classes_, self.estimators_ = classes, machines
            for k, machine in zip(self._positive(classes), machines, strict=True):
                machine.set_params(**parameters).fit(X, (y == k).astype(np.float64), w, names)
            self._collect()
        return self

    @staticmethod
    def _positive(classes) -> range:
        """Return the class that each problem takes for 1."""
        return range(1, 2) if classes.size == 2 else range(classes.size)

    def _collect(self) -> None:
        """Set what concerns all problems together."""
        for name in ("alpha_", "alpha_max_", "objective_", "dual_gap_"):
            setattr(self, name, np.array([getattr(machine, name) for machine in self.estimators_]))
        self.converged_ = all(machine.converged_ for machine in self.estimators_)
        self.exact_ = all(machine.exact_ for machine in self.estimators_)
        self.n_neurons_ = sum(machine.n_neurons_ for machine in self.estimators_)
        self.n_iter_ = max(machine.n_iter_ for machine in self.estimators_)

    def _stored_parameters(self):
        weights = self.class_weight
        own = {"class_weight": write_weights(weights)} if isinstance(weights, dict) else {}
        return super()._stored_parameters() | own

    @classmethod
    def _read_parameters(cls, parameters, version):
        weights = parameters["class_weight"]
        own = {"class_weight": read_weights(weights)} if isinstance(weights, list) else {}
        return super()._read_parameters(parameters, version) | own

    def _extra_state(self):
        return {"classes": write_labels(self.classes_)}

    def _set_extra_state(self, state):
        if state.keys() != {"classes"}:
            raise ValueError("extra must hold the classes")
        self.classes_ = read_labels(state["classes"])

    def _check_stored(self):
        super()._check_stored()
        if len(self.estimators_) != len(self._positive(self.classes_)):
            raise ValueError(f"{len(self.estimators_)} networks do not fit {len(self.classes_)} classes")

    def decision_function(self, X):
        """Return the log-odds of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else of every class against the rest.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        odds = np.column_stack([machine._model.predict(X) for machine in self.estimators_])
        return odds[:, 0] if len(self.classes_) == 2 else odds

    def predict_proba(self, X):
        """Return the probabilities of the classes; of several, those of each against the rest, scaled to a sum of one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            The probabilities.
        """
        odds = self.decision_function(X)
        if odds.ndim == 1:
            return np.column_stack([expit(-odds), expit(odds)])
        # of the logarithms, because all classes together may be next to impossible
        logs = -np.logaddexp(0.0, -odds)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        odds = self.decision_function(X)
        return self.classes_[(odds > 0.0).astype(int) if odds.ndim == 1 else odds.argmax(axis=1)]

    def certify(self) -> list[Certificate]:
        """Recompute the certificate of optimality of every problem from its predictions on the training data.

        Returns
        -------
        list of Certificate
            One for each network.
        """
        check_is_fitted(self)
        return [machine.certify() for machine in self.estimators_]

    def summary(self) -> str:
        """Return a short description of every network.

        Returns
        -------
        str
            Several lines a network.
        """
        check_is_fitted(self)
        positive = self.classes_[list(self._positive(self.classes_))]
        parts = zip(positive, self.estimators_, strict=True)
        return "\n".join(f"log-odds of class {label}\n{machine.summary()}" for label, machine in parts)
