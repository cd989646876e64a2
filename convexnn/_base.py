"""What all estimators share: the parameters, from validated data to a certified model, and how to look at it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from inspect import Parameter, Signature, signature
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from convexnn._export.mixin import ExportMixin
from convexnn._threads import one_blas_thread
from convexnn.architecture import Architecture, Shape
from convexnn.canonical import CanonicalData, canonicalize
from convexnn.certificate import Certificate, certify_fit, delivered_gap
from convexnn.duality import relative_gap
from convexnn.information import choose_alpha
from convexnn.losses import Loss, make_loss
from convexnn.model import Model, build_model
from convexnn.progress import interrupted, report, watching
from convexnn.solvers import SOLVERS
from convexnn.solvers.solution import Solution
from convexnn.training import Stack, Trainer, Training, prepare
from convexnn.validation import are_plain, read_constraint

PLAIN = {type(None), bool, int, float, str, np.float64}  # kinds of parameters that cannot change
ROUNDING = "what is left is rounding; raise tol or alpha"


@contextmanager
def fitting(estimator):
    """Do what every fit is done in: one BLAS thread, and an estimator that has its attributes back if the fit fails."""
    before = dict(vars(estimator))
    try:
        with one_blas_thread():
            yield
    except BaseException:  # a KeyboardInterrupt too
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _constrains(cst) -> int:
    """Return 1 if an argument for shape constraints asks for any, else 0."""
    return 0 if cst is None else int(np.any(list(cst.values()) if isinstance(cst, dict) else cst))


def with_base_parameters(*without: str) -> Callable[[Callable], Callable]:
    """Give an initialiser that takes ``**parameters`` a signature that names the base's, for scikit-learn to read."""

    def named(init: Callable) -> Callable:
        own = [p for p in signature(init).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        taken = {p.name for p in own} | set(without)
        base = [p for p in signature(BaseConvexNN.__init__).parameters.values() if p.name not in taken]
        keywords = (p.replace(kind=Parameter.KEYWORD_ONLY) for p in base)
        init.__signature__ = Signature([*own, *keywords])  # type: ignore[attr-defined]
        return init

    return named


class _FromModel:
    """A fitted attribute that is read off the model: most of them are never looked at."""

    def __init__(self, read: Callable[[Model], object]):
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self
        if "_model" not in vars(estimator):
            raise AttributeError(f"{type(estimator).__name__!r} object has no attribute {self._name!r} before fit")
        return self._read(estimator._model)


class BaseConvexNN(ExportMixin, BaseEstimator):
    """The parameters, training and inspection that :class:`convexnn.ConvexNNRegressor` documents."""

    coef_ = _FromModel(lambda model: model.coef)
    features_ = _FromModel(lambda model: model.features)
    network_ = _FromModel(lambda model: model.network)
    n_neurons_ = _FromModel(lambda model: model.network.n_neurons)
    intercept_ = _FromModel(lambda model: model.network.constant)
    skip_coef_ = _FromModel(lambda model: model.skip_coef)
    breakpoints_ = _FromModel(lambda model: [f.breakpoints for f in model.pieces])
    slopes_ = _FromModel(lambda model: [f.slopes for f in model.pieces])

    _parameter_constraints: dict = {
        "depth": [Interval(Integral, 2, None, closed="left")],
        "activation": [StrOptions({"relu", "leaky_relu", "abs", "sign", "threshold"})],
        "architecture": [StrOptions({"narrow", "symmetrized", "parallel", "tree"})],
        "width": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "negative_slope": [Interval(Real, 0.0, 1.0, closed="left")],
        "skip_connection": ["boolean"],
        "alpha": [Interval(Real, 0.0, None, closed="left"), StrOptions({"auto", "aic", "bic"})],
        "loss": [StrOptions({"squared", "huber", "absolute", "pinball"})],
        "quantile": [Interval(Real, 0.0, 1.0, closed="neither")],
        "huber_delta": [Interval(Real, 0.0, None, closed="neither")],
        "dictionary": [StrOptions({"auto", "exact", "data"})],
        "max_breakpoints": [Interval(Integral, 2, None, closed="left"), None],
        "monotonic_cst": ["array-like", dict, None],
        "convexity_cst": ["array-like", dict, None],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        depth=2,
        *,
        activation="relu",
        architecture="narrow",
        width=None,
        negative_slope=0.01,
        skip_connection=False,
        alpha="auto",
        loss="squared",
        quantile=0.5,
        huber_delta=1.35,
        dictionary="auto",
        max_breakpoints=None,
        monotonic_cst=None,
        convexity_cst=None,
        solver="auto",
        tol=1e-6,
        max_iter=1000,
        warm_start=False,
        verbose=0,
        n_jobs=None,
        random_state=None,
    ):
        self.depth = depth
        self.activation = activation
        self.architecture = architecture
        self.width = width
        self.negative_slope = negative_slope
        self.skip_connection = skip_connection
        self.alpha = alpha
        self.loss = loss
        self.quantile = quantile
        self.huber_delta = huber_delta
        self.dictionary = dictionary
        self.max_breakpoints = max_breakpoints
        self.monotonic_cst = monotonic_cst
        self.convexity_cst = convexity_cst
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state

    @classmethod
    @cache
    def _get_param_names(cls):
        return super()._get_param_names()  # once a class: reading the signature is a tenth of a small fit

    def _validate_params(self):
        """Check the parameters; plain values that were found good are not looked at again, a twentieth of a small fit."""
        values = tuple([getattr(self, name) for name in self._get_param_names()])
        kinds = tuple(map(type, values))
        if PLAIN.issuperset(kinds):
            self._validate_plain(values, kinds)
        else:
            super()._validate_params()

    @classmethod
    @lru_cache(maxsize=256)
    def _validate_plain(cls, values, kinds):
        """Check parameters in the order of their names; their ``kinds`` tell 1, 1.0 and True apart."""
        parameters = dict(zip(cls._get_param_names(), values, strict=True))
        validate_parameter_constraints(cls._parameter_constraints, parameters, caller_name=cls.__name__)

    def _read(self, X, y, sample_weight, names=None) -> tuple[CanonicalData, Architecture]:
        """Check parameters and data, and return the data in canonical form and what is to be trained on them.

        ``names`` are those of the inputs where X has lost them.
        """
        spec = self._architecture()
        if are_plain(X, y):
            self.n_features_in_ = X.shape[1]
            self.__dict__.pop("feature_names_in_", None)  # of an earlier fit: arrays have none
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            y = y.astype(np.float64, copy=False)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        spec = replace(spec, shapes=self._shapes())
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            if sample_weight.min() < 0.0:
                raise ValueError("Negative values in data passed to `sample_weight`.")
            if not sample_weight.any():
                raise ValueError("All values of `sample_weight` are zero.")
        return canonicalize(X, y, sample_weight, loss=self._loss(), order_only=not spec.homogeneous), spec

    def _loss(self) -> Loss:
        """Return the loss."""
        return make_loss(self.loss, self.quantile, self.huber_delta)

    def _shapes(self) -> tuple[Shape, ...]:
        """Return the shape constraint of each input of the data that were validated last."""
        names = getattr(self, "feature_names_in_", None)
        pairs = (
            read_constraint(name, getattr(self, name), self.n_features_in_, names)
            for name in ("monotonic_cst", "convexity_cst")
        )
        return tuple(Shape(*pair) for pair in zip(*pairs, strict=True))

    def _architecture(self) -> Architecture:
        """Return what the parameters describe; an error where they have no meaning together.

        The inputs are not known yet: its one shape only says what kinds of constraints there are.
        """
        kinds = [_constrains(cst) for cst in (self.monotonic_cst, self.convexity_cst)]
        if any(kinds) and not self._loss().smooth:
            raise ValueError("monotonic_cst and convexity_cst need a smooth loss, 'squared' or 'huber'")
        return Architecture(
            self.depth,
            self.activation,
            self.architecture,
            self.width,
            self.negative_slope,
            bool(self.skip_connection),
            self.dictionary,
            self.max_breakpoints,
            (Shape(*kinds),),
        )

    def _trainer(self, X, y, sample_weight) -> Trainer:
        """Check the data and return the problem, ready for any alpha."""
        return prepare(*self._read(X, y, sample_weight), self.solver)

    def _auto_alpha(self, trainer: Trainer) -> float:
        """Return what alpha="auto" stands for."""
        return trainer.alpha_max / 100.0

    def _train(self, data: CanonicalData, spec: Architecture) -> bool:
        """Solve, set the fitted attributes, and warn where the tolerance was not reached.

        Return whether Ctrl-C came too late to shorten the fit: then it is meant for what comes after it.
        """
        last = getattr(self, "_training", None) if self.warm_start else None
        start = last.solution if last is not None and last.spec == spec and last.problem.data.same_points(data) else None
        with watching(data, self.verbose) as watch:
            trainer = prepare(data, spec, self.solver)
            if interrupted():
                raise KeyboardInterrupt  # there is no network yet
            training = self._solve(trainer, start)
            if watch.verbose and not watch.rounds:  # a direct method has none
                active = sum(z.size for z in training.solution.coef)
                report(data, training.solution.gap.primal, relative_gap(training.problem, training.solution.gap), active)
            self._keep(training, build_model(training.problem, training.solution, spec))
        self._warn_of_the_gap(stacklevel=5)
        return watch.interrupt.pressed and not watch.interrupt.obeyed

    def _warn_of_the_gap(self, stacklevel: int) -> None:
        """Warn where the tolerance was not reached."""
        if not self.converged_:
            warnings.warn(
                f"The relative duality gap is {self.dual_gap_:.3g}, more than tol={self.tol:g}, after {self.n_iter_} "
                f"iterations: {self._training.solution.status or ROUNDING}.",
                ConvergenceWarning,
                stacklevel=stacklevel,
            )

    def _solve(self, trainer: Trainer, start: Solution | None) -> Training:
        """Solve at the alpha that ``alpha`` names."""
        for name in ("alphas_", "criterion_", "objective_bounds_"):
            self.__dict__.pop(name, None)
        if self.alpha in ("aic", "bic"):
            chosen = choose_alpha(trainer, self.alpha, tol=self.tol, max_iter=self.max_iter)
            self.alphas_, self.criterion_ = chosen.alphas, chosen.criterion
            return chosen.training
        alpha = self._auto_alpha(trainer) if self.alpha == "auto" else float(self.alpha)
        return trainer.train(alpha, tol=self.tol, max_iter=self.max_iter, start=start)

    def _keep(self, training: Training, model: Model) -> None:
        """Set the fitted attributes."""
        data, gap = training.problem.data, delivered_gap(training, model)
        self.alpha_, self.alpha_max_, self.solver_ = training.alpha, training.alpha_max, training.solver
        self.objective_ = (gap.primal + data.constant) * data.objective_scale
        self.dual_gap_ = relative_gap(training.problem, gap)
        self.exact_ = all(dictionary.exact for dictionary in training.problem.dictionaries)
        self.converged_ = self.dual_gap_ <= self.tol
        self.n_iter_ = training.solution.n_iter
        self._training, self._model = training, model

    def get_network_weights(self):
        """Return the weights of the optimal network.

        Returns
        -------
        coefs : list of ndarray of shape (n_in, n_out)
            One matrix a layer, as in :class:`sklearn.neural_network.MLPRegressor`.
        intercepts : list of ndarray of shape (n_out,)
            One bias vector a layer.
        skip_coef : ndarray of shape (n_features,) or None
            The linear skip connection.

        Notes
        -----
        These matrices act on the inputs as they are. Where inputs are large next to the distances between them, as time
        stamps are, weight and bias cancel: with inputs about 1.5e9 at distances of 1e-3 such a network is off by 1e-4 to
        1e-3 of the targets in double precision. ``network_`` subtracts ``network_.centers`` first and is not, nor is
        ``predict``; to pass matrices on, subtract a date from the inputs before the fit.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> coefs, intercepts, skip = ConvexNNRegressor(alpha=0).fit([[0], [1], [2]], [0, 0, 1]).get_network_weights()
        >>> coefs[0] @ coefs[1]
        array([[1.]])
        """
        check_is_fitted(self)
        skip = self.network_.skip_coef
        return self.network_.coefs, self.network_.intercepts, None if skip is None else skip.copy()

    def certify(self) -> Certificate:
        """Recompute the certificate of optimality from the predictions on the training data.

        Returns
        -------
        Certificate
            Objective, lower bound and gap; the largest correlation of the residuals with a feature, and which.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> from convexnn.datasets import load_mcycle
        >>> certificate = ConvexNNRegressor().fit(*load_mcycle(return_X_y=True)).certify()
        >>> bool(certificate.relative_gap <= 1e-6), certificate.exact
        (True, True)
        """
        return certify_fit(self._trained(), self._model)

    def _trained(self) -> Training:
        """Return what came out of training, data included."""
        check_is_fitted(self)
        if self._training is None:
            raise ValueError("This needs the training data, which a model read from JSON does not hold: fit it again")
        return self._training

    def _trained_once(self) -> Training:
        """Return what came out of training at one alpha."""
        training = self._trained()
        if isinstance(training, Stack):
            raise ValueError("This is known at one alpha; selection='stack' takes the mean of networks at several")
        return training

    def summary(self) -> str:
        """Return a short description of the fit: the architecture, the certificate, and the active features.

        Returns
        -------
        str
            Several lines; at most the twenty features of largest coefficient are listed.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> from convexnn.datasets import load_bounce
        >>> model = ConvexNNRegressor(alpha=0).fit(*load_bounce(return_X_y=True))
        >>> print(model.summary().splitlines()[-1])
              3.25  ramp of x0 at 6
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        kept = np.sort(np.argsort(-np.abs(self.coef_), kind="stable")[:20])
        share = f"{self.alpha_ / self.alpha_max_:.3g} of the critical one" if self.alpha_max_ else "the critical one is 0"
        lines = [
            f"{self.network_.activation} network, depth {self.network_.depth}, {self.n_neurons_} neurons, "
            f"alpha {self.alpha_:.6g} ({share})",
            f"objective {self.objective_:.9g}, relative duality gap {self.dual_gap_:.2g}"
            + ("" if self.exact_ else " over the dictionary used, not over all biases"),
            f"{'coefficient':>10}  feature",
            f"{self.intercept_:10.6g}  constant",
            *(f"{c:10.6g}  {name}, skip connection" for c, name in zip(self.skip_coef_, names, strict=True) if c),
        ]
        for k in kept:
            feature = self.features_[k]
            places = ", ".join(
                f"{place:.6g}" + ("" if text == "training point" else f" ({text})")
                for place, text in zip(feature.breakpoints, feature.origins, strict=True)
            )
            lines.append(f"{self.coef_[k]:10.6g}  {feature.kind} of {names[feature.input]} at {places}")
        if kept.size < self.coef_.size:
            lines.append(f"... and {self.coef_.size - kept.size} more")
        return "\n".join(lines)
