"""ConvexNNQuantileRegressor: several conditional quantiles at once, a certified network for each."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.metrics import mean_pinball_loss
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from convexnn._base import fitting
from convexnn._export.files import read_numbers
from convexnn._export.stored import PartsMixin, configured
from convexnn._regressor import ConvexNNRegressor
from convexnn.certificate import Certificate


class ConvexNNQuantileRegressor(PartsMixin, RegressorMixin, BaseEstimator):
    """Conditional quantiles of a target, a network with the pinball loss for each, trained to certified global optimality.

    Networks of different quantiles are trained apart, each with its own duality gap, and may cross where data are few. With
    ``crossing="sort"`` the predictions of a row are put in order, so that they never do, inside the data and
    outside: that costs no accuracy, because the sum of the pinball losses of a row can only fall (Chernozhukov,
    Fernandez-Val and Galichon, 2010).

    Parameters
    ----------
    quantile : sequence of float, default=(0.1, 0.5, 0.9)
        The quantiles, in (0, 1), rising.
    estimator : ConvexNNRegressor, default=None
        The network to train, with all parameters but loss and quantile; None for one with a hidden layer of ReLU.
    crossing : {"sort", "allow"}, default="sort"
        Whether the predictions of a row are sorted, or those of the networks as they are.

    Attributes
    ----------
    estimators_ : list of ConvexNNRegressor
        The fitted network of every quantile.
    dual_gap_, objective_ : ndarray of shape (n_quantiles,)
        The relative duality gap and the objective of every network.
    converged_ : bool
        Whether all networks reached their ``tol``.
    n_features_in_ : int
        The number of inputs.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    Notes
    -----
    An optimal fit with weights of one leaves at most a share q of the training targets below it and at most 1 - q above,
    because its bias is free; and it passes through no more targets than it has pieces and a bias, in general position. So
    the share below or on it is q to within (active pieces + 1) / n.

    Examples
    --------
    >>> from convexnn import ConvexNNQuantileRegressor
    >>> from convexnn.datasets import load_mcycle
    >>> X, y = load_mcycle(return_X_y=True)
    >>> band = ConvexNNQuantileRegressor([0.1, 0.9]).fit(X, y).predict(X)
    >>> band.shape, bool((band[:, 0] <= band[:, 1]).all())
    ((133, 2), True)
    """

    _parameter_constraints: dict = {
        "quantile": ["array-like"],
        "estimator": [ConvexNNRegressor, None],
        "crossing": [StrOptions({"sort", "allow"})],
    }

    _part = ConvexNNRegressor

    def __init__(self, quantile=(0.1, 0.5, 0.9), *, estimator=None, crossing="sort"):
        self.quantile = quantile
        self.estimator = estimator
        self.crossing = crossing

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train a network for every quantile to global optimality.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        ConvexNNQuantileRegressor
            The fitted estimator itself.
        """
        with fitting(self):
            levels = self._levels()
            validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            base = ConvexNNRegressor() if self.estimator is None else self.estimator
            parameters = {**base.get_params(deep=False), "loss": "pinball"}
            self.estimators_ = [
                ConvexNNRegressor(**{**parameters, "quantile": level}).fit(X, y, sample_weight=sample_weight)
                for level in levels.tolist()
            ]
            self._collect()
        return self

    def _levels(self):
        """Return the quantiles; an error where they are not."""
        try:
            levels = np.asarray(self.quantile, dtype=np.float64)
        except (TypeError, ValueError):  # no numbers at all, which is said below
            levels = np.empty(0)
        # with 0 before and 1 after them all must rise
        if levels.ndim != 1 or not levels.size or (np.diff(levels, prepend=0.0, append=1.0) <= 0.0).any():
            raise ValueError(f"quantile must be rising numbers in (0, 1), got {self.quantile!r}")
        return levels

    def _collect(self):
        self.dual_gap_ = np.array([network.dual_gap_ for network in self.estimators_])
        self.objective_ = np.array([network.objective_ for network in self.estimators_])
        self.converged_ = all(network.converged_ for network in self.estimators_)

    def _stored_parameters(self):
        nested = None if self.estimator is None else self.estimator._stored_parameters()
        return super()._stored_parameters() | {"quantile": self._levels().tolist(), "estimator": nested}

    @classmethod
    def _read_parameters(cls, parameters, version):
        nested = parameters["estimator"]
        if nested is not None and not isinstance(nested, dict):
            raise ValueError("the estimator must be null or the parameters of a ConvexNNRegressor")
        levels = tuple(read_numbers(parameters["quantile"], "quantile").tolist())
        return parameters | {
            "quantile": levels,
            "estimator": None if nested is None else configured(ConvexNNRegressor, nested, version),
        }

    def _check_stored(self):
        super()._check_stored()
        found = [(network.loss, network.quantile) for network in self.estimators_]
        levels = self._levels().tolist()
        if found != [("pinball", level) for level in levels]:
            raise ValueError(f"the networks are not those of the quantiles {levels}")
        base = ConvexNNRegressor() if self.estimator is None else self.estimator
        for network in self.estimators_:
            base._check_described(network.network_)

    def predict(self, X):
        """Return the quantiles at X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles)
            The quantiles, one a column, in the order of ``quantile``.
        """
        check_is_fitted(self)
        columns = np.column_stack([network.predict(X) for network in self.estimators_])
        return np.sort(columns, axis=1) if self.crossing == "sort" else columns

    def score(self, X, y, sample_weight=None) -> float:
        """Return minus the mean pinball loss, all quantiles together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The larger the better, at most zero.
        """
        columns = zip(self.predict(X).T, self._levels().tolist(), strict=True)
        return -float(np.mean([mean_pinball_loss(y, q, sample_weight=sample_weight, alpha=level) for q, level in columns]))

    def certify(self) -> list[Certificate]:
        """Recompute the certificate of optimality of every network.

        Returns
        -------
        list of Certificate
            One for each quantile.
        """
        check_is_fitted(self)
        return [network.certify() for network in self.estimators_]
