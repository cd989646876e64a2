"""ConvexNNRegressor: networks trained to certified global optimality, as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted, validate_data

from convexnn._base import BaseConvexNN, fitting
from convexnn.certificate import certified_point
from convexnn.compression import Compressed
from convexnn.rounding import RoundedFit, objective_above, objective_below


class ConvexNNRegressor(RegressorMixin, BaseConvexNN):
    """Neural network regression on one or a few inputs, trained to certified global optimality.

    The network is a parallel network of ``depth`` layers of weights: a sum of units, each a sub-network that reads one
    input. Training it is equivalent to a convex Lasso over an explicit dictionary of features; the Lasso is solved, with
    a duality gap that bounds the distance to the best network of the architecture over all real weights and biases, and
    the network is rebuilt from its solution.

    The objective is ``sum(w * loss(y - f(X))) + beta * penalty`` with ``beta = alpha * sum(w)``; the penalty is
    ``(sum |weights| ** depth) / depth``, biases and skip connection free (sign and threshold: the sum of the absolute
    outer weights).

    Parameters
    ----------
    depth : int, default=2
        The number of layers of weights: 2 is one hidden layer.
    activation : {"relu", "leaky_relu", "abs", "sign", "threshold"}, default="relu"
        The activation of the hidden layers.
    architecture : {"narrow", "symmetrized", "parallel", "tree"}, default="narrow"
        The shape of the units. At depth 2 all are the same.
    width : int or tuple of int, default=None
        The hidden width of parallel units, or the widths of a tree. Not used at depth 2.
    negative_slope : float, default=0.01
        The slope of leaky ReLU for negative arguments, in [0, 1).
    skip_connection : bool, default=False
        Whether the network has an unpenalised linear connection from input to output. Of inputs that depend on each other
        but for a millionth it does not read all (their slopes are zero), as doubles cannot hold what large slopes leave.
    alpha : float or {"auto", "aic", "bic"}, default="auto"
        The regularisation, as in :class:`sklearn.linear_model.Lasso`, in units of y times x (y for sign and threshold).
        "auto" is a hundredth of the critical value ``alpha_max_``; 0 is the minimum-norm interpolant: of the
        weighted means where inputs are tied; an error where several inputs leave none. "aic" and "bic" choose the alpha of
        least information criterion on a path, with the active features as degrees of freedom (squared loss; see Notes).
    loss : {"squared", "huber", "absolute", "pinball"}, default="squared"
        The loss of a residual r: ``r ** 2 / 2``; the same up to ``huber_delta`` and straight beyond; ``|r|``; or
        ``quantile * r`` for r > 0 and ``(quantile - 1) * r`` below, whose fit is a conditional quantile.
    quantile : float, default=0.5
        The quantile of the pinball loss, in (0, 1).
    huber_delta : float, default=1.35
        Where the Huber loss becomes straight, in the units of y.
    dictionary : {"auto", "exact", "data"}, default="auto"
        The candidate biases: the complete finite set, or those at training points. The same at depth 2.
    max_breakpoints : int, default=None
        The number of candidate breakpoints, thinned to quantiles of x; then active ones slide to better data points nearby,
        which never raises the objective. Not supported at depth 2, where it is not needed.
    monotonic_cst : array-like of int of shape (n_features,) or dict, default=None
        For each input, or by its name, whether the fit rises (1) or falls (-1) with it on the range of the data; 0 is no
        constraint. As in :class:`sklearn.ensemble.HistGradientBoostingRegressor`. For ReLU networks, and for absolute value
        at depth 2, without a skip connection; the certificate is that of the constrained problem.
    convexity_cst : array-like of int of shape (n_features,) or dict, default=None
        The same for convex (1) and concave (-1) fits; at depth 2 also with a skip connection.
    solver : {"auto", "additive", "clipping", "coordinate_descent", "segments", "spline", "stretches", "total_variation"}, \
default="auto"
        "coordinate_descent" works for all dictionaries, one feature after another, exactly; "segments" is the same on
        merged data, for one input and piecewise-linear features. In function space and fast are "spline" (ReLU, leaky ReLU,
        absolute value) and "total_variation" (sign, threshold) for one input and "additive" for several, "stretches" for
        deep sign and threshold networks, and "clipping" for these where units may switch everywhere.
    tol : float, default=1e-6
        The relative duality gap to reach.
    max_iter : int, default=1000
        The largest number of pricing sweeps over the dictionary.
    warm_start : bool, default=False
        Whether to start from the last solution, where inputs and architecture are those of the last fit: along a path of
        ``alpha``, say. The certificate does not depend on the start.
    verbose : int, default=0
        1 writes a line for every round of the solver: objective, relative gap, active features, seconds. Ctrl-C ends a fit
        after its round with the best network so far, its gap, and a warning.
    n_jobs : int, default=None
        Accepted, not used yet.
    random_state : int, RandomState instance or None, default=None
        Not used: the fit is deterministic.

    Attributes
    ----------
    alpha_ : float
        The alpha used.
    alpha_max_ : float
        The least alpha for which the optimal network has no units.
    alphas_, criterion_ : ndarray of shape (n_alphas,)
        With "aic" and "bic": the alphas tried, falling, and their criterion.
    coef_ : ndarray of shape (n_active,)
        The coefficients z of the active features, in the units of y per unit of x (sign and threshold: of y).
    features_ : sequence of Feature
        The active features: kind, input, breakpoints, signs.
    intercept_ : float
        The bias of the output.
    skip_coef_ : ndarray of shape (n_features,)
        The skip connection, zeros without one.
    breakpoints_, slopes_ : list of ndarray
        For each input the exact piecewise-linear form: k breakpoints and k + 1 slopes.
    network_ : Network
        The optimal network.
    n_neurons_ : int
        The number of hidden neurons.
    objective_ : float
        The objective, on the rows as given.
    dual_gap_ : float
        The duality gap relative to ``objective_`` (or to 1e-8 of the constant fit's objective where that is more).
    objective_bounds_ : tuple of float
        After ``fit_compressed``: no network of the architecture (where ``exact_``) has an objective less than the first on
        the rows as they were before inputs were rounded, and this one no more than the second. Without rounding these are
        the bound of ``certify()``, and ``objective_``. 0 and infinity where nothing is known: for steps; the first of
        them for several inputs with a skip connection, shape constraints, and alpha=0.
    exact_ : bool
        Whether the gap holds against every network of the architecture, over all real weights and biases.
    converged_ : bool
        Whether ``dual_gap_ <= tol``.
    n_iter_ : int
        The number of pricing sweeps.
    solver_ : str
        The solver used.
    n_features_in_ : int
        The number of inputs.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    Raises
    ------
    ValueError
        If a parameter or the data are not valid; nothing is computed then.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached, with the gap and what to do.

    Notes
    -----
    Source: Zeger, Wang, Mishkin, Ergen, Candes and Pilanci, *A Library of Mirrors* (arXiv 2403.01046).

    "aic" and "bic" are ``n log(RSS / n) + c df`` with c = 2 and log n, n the sum of the weights. The number of active
    features is an unbiased estimate of the degrees of freedom of a Lasso fit at a given alpha, where they are independent
    (Zou, Hastie and Tibshirani, *On the degrees of freedom of the lasso*, 2007). Nothing is proved about the alpha chosen
    so, and the variance, estimated from the residuals of each fit, is too small where many features are active.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> X, y = load_mcycle(return_X_y=True)
    >>> model = ConvexNNRegressor(alpha=2.0).fit(X, y)
    >>> bool(model.dual_gap_ <= 1e-6)
    True
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network to global optimality.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; every unit of the network reads one of them.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; a row of weight zero might as well not be there.

        Returns
        -------
        ConvexNNRegressor
            The fitted estimator itself.
        """
        with fitting(self):
            late = self._train(*self._read(X, y, sample_weight))
        if late:
            raise KeyboardInterrupt
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_compressed(self, data):
        """Train the network on rows that :func:`convexnn.compress` has merged: as ``fit`` does on all of them.

        Parameters
        ----------
        data : Compressed
            The rows. What scattering targets of equal inputs add to the objective is part of ``objective_``.

        Returns
        -------
        ConvexNNRegressor
            The fitted estimator itself. ``data.score(model)`` is the score on all rows; ``objective_bounds_`` says what
            rounding the inputs can have changed.

        Raises
        ------
        TypeError
            If ``data`` is something else.
        ValueError
            If ``loss`` is not "squared": means of targets are not enough for others.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor, compress
        >>> from convexnn.datasets import load_mcycle
        >>> X, y = load_mcycle(return_X_y=True)
        >>> model = ConvexNNRegressor().fit_compressed(compress([(X[:50], y[:50]), (X[50:], y[50:])]))
        >>> round(model.objective_ / ConvexNNRegressor().fit(X, y).objective_, 9)
        1.0
        """
        if not isinstance(data, Compressed):
            raise TypeError(f"data must be what convexnn.compress returns, got {type(data).__name__}")
        with fitting(self):
            if not self._loss().quadratic:
                raise ValueError(f"fit_compressed needs loss='squared', got {self.loss!r}")
            merged, spec = self._read(data.X, data.y, data.sample_weight, data.feature_names)
            late = self._train(merged.with_constant(data.constant), spec)
            self.objective_bounds_ = self._objective_bounds(data)
        if late:
            raise KeyboardInterrupt
        return self

    def _objective_bounds(self, data: Compressed) -> tuple[float, float]:
        """Return what is known of the objective on the rows before their inputs were rounded."""
        training = self._training
        merged, spec = training.problem.data, training.spec
        gap, lam = certified_point(training, self._model)
        dual = (gap.dual + merged.constant) * merged.objective_scale
        if not data.moves.any():
            return max(dual, 0.0), self.objective_
        if not spec.homogeneous:
            return 0.0, np.inf
        fit = RoundedFit(
            objective=self.objective_,
            dual=dual,
            lam=lam * (merged.w_scale * merged.y_scale / max(1.0, gap.violations.maximum)),
            errors=data.y - self._model.predict(data.X),
            beta=self.alpha_ * float(data.sample_weight.sum()),
            breakpoints=self.breakpoints_,
            slopes=self.slopes_,
            unit_slope=spec.unit_slope,
            unit_variation=spec.unit_variation,
            skip=spec.skip_connection,
        )
        known = all(shape.free for shape in spec.shapes) and not (spec.skip_connection and data.n_features > 1)
        # points that scaling has made equal share an entry of the dual point: then nothing is said
        known = known and fit.beta > 0.0 and fit.lam.size == data.y.size
        return objective_below(data, fit) if known else 0.0, objective_above(data, fit)

    def predict(self, X):
        """Return the fitted function at X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
            The predictions, from the piecewise-linear form of the network; outside the data the outer pieces go on.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._model.predict(X)


def alpha_max(X, y, *, sample_weight=None, **parameters) -> float:
    """Return the critical alpha: the least for which the optimal network has no units.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs.
    y : array-like of shape (n_samples,)
        Targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights of the rows.
    **parameters
        The architecture: parameters of :class:`ConvexNNRegressor`.

    Returns
    -------
    float
        ``max |lam @ g| / sum(w)`` over all features g, at the weighted residuals lam of the best constant (with a skip
        connection: line).

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), the critical regularisation.

    Examples
    --------
    >>> from convexnn import alpha_max
    >>> alpha_max([[-1.0], [0.0], [1.0]], [-1.0, 0.0, 1.0])
    0.6666666666666666
    """
    return described("alpha_max", parameters)._trainer(X, y, sample_weight).alpha_max


def described(function: str, parameters: dict[str, Any]) -> ConvexNNRegressor:
    """Return the estimator that the keyword arguments of a function describe, checked."""
    for name in parameters.keys() - set(ConvexNNRegressor._get_param_names()):
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    estimator = ConvexNNRegressor(**parameters)
    estimator._validate_params()
    return estimator
