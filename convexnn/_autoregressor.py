"""ConvexNNAutoregressor: one-step and recursive forecasts of a series by networks trained to certified global optimality."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from convexnn._base import BaseConvexNN, fitting, with_base_parameters
from convexnn._intervals import make_intervals
from convexnn.conformal import check_levels
from convexnn.series import TimeSeries, check_steps, continue_index, read_series
from convexnn.windows import WindowScheme, check_lags

Array = NDArray[np.float64]


class ConvexNNAutoregressor(BaseConvexNN):
    """Nonlinear autoregression: the next value of a series as a certified optimal network of the last ones.

    The model is ``s_t = f(s_{t - lag}, ...) + e_t``, f a network trained to global optimality on all windows of the series.
    With several lags f is additive: every hidden unit reads one lag.

    Parameters
    ----------
    lags : int or list of int, default=1
        The lags that the network reads: an int p means 1 to p, a list the lags in it.
    difference : {0, 1}, default=0
        Whether the network sees the increments ``s_t - s_{t - 1}``; predictions and forecasts are levels all the same.
    calibration : float, default=0.3
        The last part of the training series, between 0 and 1, on which ``forecast`` measures its prediction intervals.
    depth, activation, architecture, width, negative_slope, skip_connection, alpha, loss, quantile, huber_delta, \
dictionary, max_breakpoints, monotonic_cst, convexity_cst, solver, tol, \
max_iter, warm_start, verbose, n_jobs, random_state : various
        As in :class:`ConvexNNRegressor`; all but ``lags`` by keyword. ``random_state`` is that of ``simulate`` too, if it is
        not given one.

    Attributes
    ----------
    lags_ : tuple of int
        The lags, sorted.
    fitted_values_, residuals_ : ndarray or pandas Series of shape (n,)
        One-step predictions of the training series and what they miss, NaN where a window is not complete.
    alpha_, alpha_max_, coef_, features_, intercept_, skip_coef_, breakpoints_, slopes_, network_, n_neurons_, objective_, \
dual_gap_, exact_, converged_, n_iter_, solver_
        As in :class:`ConvexNNRegressor`, of the network from lags (of the increments with ``difference=1``) to what follows.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_lags,)
        The inputs of the network: the number and the names of the lags.

    Raises
    ------
    ValueError
        If a parameter or the series is not valid; nothing is computed then.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached, with the gap and what to do.

    Notes
    -----
    A constant series is fitted by its value, and forecast by it with intervals of width zero. Lags count observations, not
    time: gaps in a time index are not filled. ``fit``, ``predict`` and ``score`` take y and ignore it, so that the estimator
    works as the last step of a pipeline and in ``GridSearchCV(cv=TimeSeriesSplit())``. It is not one of scikit-learn's
    regressors, which predict one array from another, and its tags say so.

    Source: *A Library of Mirrors* (arXiv 2403.01046), the application to autoregression.

    Examples
    --------
    >>> from convexnn import ConvexNNAutoregressor
    >>> from convexnn.datasets import load_lynx
    >>> series = load_lynx().target
    >>> model = ConvexNNAutoregressor(lags=[1, 2]).fit(series)
    >>> model.predict(series).shape, bool(model.dual_gap_ <= 1e-6)
    ((114,), True)
    >>> model.forecast(3, level=80).shape
    (3, 3)
    """

    # lists of names: the series is data in each of these, nothing that a meta-estimator should route
    __metadata_request__fit = {"series": UNUSED}
    __metadata_request__predict = {"series": UNUSED}
    __metadata_request__score = {"series": UNUSED}

    _parameter_constraints = {
        **BaseConvexNN._parameter_constraints,
        "lags": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "difference": [Options(Integral, {0, 1})],
        "calibration": [Interval(Real, 0.0, 1.0, closed="neither")],
    }

    @with_base_parameters()
    def __init__(self, lags=1, *, difference=0, calibration=0.3, **parameters):
        super().__init__(**parameters)
        self.lags = lags
        self.difference = difference
        self.calibration = calibration

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # one column is taken, more are not
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, series, y=None):
        """Train the network on all windows of the series.

        Parameters
        ----------
        series : array-like of shape (n,) or (n, 1), pandas Series, or frame of one column
            Finite numbers, oldest first; at least two more than a window holds.
        y : None
            Ignored.

        Returns
        -------
        ConvexNNAutoregressor
            The fitted estimator itself.
        """
        with fitting(self):
            scheme = WindowScheme(check_lags(self.lags), self.difference)
            why = f"lags={self.lags!r}, difference={self.difference} need"
            history = read_series(series, least=scheme.width + 2, why=why)
            names = [f"lag {lag}" for lag in scheme.lags]
            late = self._train(*self._read(*scheme.pairs(history.values), None, names))
            # a copy, because the caller's array may change before a forecast is asked for
            self._remember(scheme, TimeSeries(history.values.copy(), history.index, history.name))
        if late:
            raise KeyboardInterrupt
        return self

    def _remember(self, scheme: WindowScheme, history: TimeSeries) -> None:
        """Set what the series says beside the network."""
        self.lags_, self._scheme, self._history = scheme.lags, scheme, history
        self._intervals: Any = None  # made when they are asked for
        fitted = scheme.one_step(self._model.predict, history.values)
        self.fitted_values_, self.residuals_ = history.wrap(fitted), history.wrap(history.values - fitted)

    def predict(self, series):
        """Return one-step predictions, each from the true values before it.

        Parameters
        ----------
        series : array-like of shape (n,) or (n, 1), pandas Series, or frame of one column
            Any series, oldest first.

        Returns
        -------
        ndarray or pandas Series of shape (n,)
            Aligned with the input: entry t is the prediction of entry t. NaN for the first ``max(lags) + difference``.
        """
        check_is_fitted(self)
        history = read_series(series)
        return history.wrap(self._scheme.one_step(self._model.predict, history.values))

    def score(self, series, y=None):
        """Return the coefficient of determination of the one-step predictions, of those entries that have one.

        Parameters
        ----------
        series : array-like of shape (n,) or (n, 1), pandas Series, or frame of one column
            At least two values more than a window holds.
        y : None
            Ignored.

        Returns
        -------
        float
            1 is perfect, 0 as good as the mean.
        """
        check_is_fitted(self)
        history = read_series(series, least=self._scheme.width + 2, why="scoring needs")
        predicted = self._scheme.one_step(self._model.predict, history.values)
        return r2_score(history.values[self._scheme.width :], predicted[self._scheme.width :])

    def forecast(self, steps, last_window=None, level=None):
        """Forecast what follows a series, each step from the forecasts of the steps before it.

        Parameters
        ----------
        steps : int
            How many values to forecast.
        last_window : array-like of shape (m,) or (m, 1), pandas Series or frame of one column, default=None
            The history to go on from, at least ``max(lags) + difference`` values; by default the training series.
        level : float or list of float, default=None
            The prediction intervals to add, in per cent: for example ``[80, 95]``.

        Returns
        -------
        ndarray of shape (steps,) or (steps, 1 + 2 n_levels)
            The forecasts; with levels also the lower and the upper bound of each. If the history is a pandas object, a
            Series or a frame whose index continues its index, with the columns "forecast", "lower 80", "upper 80", ...

        Raises
        ------
        ValueError
            If an argument is not valid, the index of the history cannot be continued, or the training series is too short
            for the level.

        Notes
        -----
        Bounds are split-conformal. A network is trained on the first part of the series; its errors at each step, over all
        windows that roll over the last part (``calibration``), are the distribution of the error of this forecast. With
        ``loss="pinball"`` each bound is a network of its own that reads the window, trained for its step and quantile on the
        first part, then shifted by its errors on the last part, so that the interval is wide where the series is uncertain;
        those of several levels may cross where there is little data.
        An interval covers a future value with the stated probability on average over windows, as long as the series goes on
        as it was; see :func:`convexnn.conformal.conformal_offsets`.

        Examples
        --------
        >>> from convexnn import ConvexNNAutoregressor
        >>> ConvexNNAutoregressor(alpha=0).fit([0, 1, 2, 0, 1, 2, 0]).forecast(4).round(9).tolist()
        [1.0, 2.0, 0.0, 1.0]
        """
        check_is_fitted(self)
        steps = check_steps(steps)
        levels = () if level is None else check_levels(level)
        history, index = self._onward(last_window, steps)
        window = history.values[None, -self._scheme.width :]
        columns = [self._scheme.recurse(self._model.predict, window, steps)[0]]
        if levels and self._intervals is None:
            self._intervals = make_intervals(self, self._scheme, self._history.values)
        for one in levels:
            columns += self._intervals.bounds(window, columns[0], one)
        values = np.column_stack(columns)
        if index is None:
            return values if levels else values[:, 0]
        import pandas as pd

        if not levels:
            return pd.Series(values[:, 0], index=index, name=history.name)
        names = [f"{side} {one:g}" for one in levels for side in ("lower", "upper")]
        return pd.DataFrame(values, index=index, columns=["forecast", *names])

    def simulate(self, steps, n_paths=1, random_state=None, *, last_window=None):
        """Simulate futures: the recursion of ``forecast`` with a residual, drawn with replacement, added at each step.

        Parameters
        ----------
        steps : int
            The length of each path.
        n_paths : int, default=1
            The number of paths.
        random_state : int, RandomState instance or None, default=None
            The seed; by default the parameter ``random_state``.
        last_window : array-like of shape (m,) or (m, 1), pandas Series or frame of one column, default=None
            The history to go on from; by default the training series.

        Returns
        -------
        ndarray or pandas DataFrame of shape (steps, n_paths)
            One path in each column; a frame whose index continues that of the history if that is a pandas object.

        Examples
        --------
        >>> from convexnn import ConvexNNAutoregressor
        >>> from convexnn.datasets import load_sunspots
        >>> ConvexNNAutoregressor(lags=2).fit(load_sunspots().target).simulate(11, 500, random_state=0).shape
        (11, 500)
        """
        check_is_fitted(self)
        steps, n_paths = check_steps(steps), check_steps(n_paths, "n_paths")
        random = check_random_state(self.random_state if random_state is None else random_state)
        history, index = self._onward(last_window, steps)
        residuals = np.asarray(self.residuals_)[self._scheme.width :]
        windows = np.repeat(history.values[None, -self._scheme.width :], n_paths, axis=0)
        paths = self._scheme.recurse(self._model.predict, windows, steps, random.choice(residuals, size=(n_paths, steps))).T
        if index is None:
            return paths
        import pandas as pd

        return pd.DataFrame(paths, index=index)

    def _extra_state(self):
        return {"history": self._history.values.tolist()}

    def _set_extra_state(self, state):
        values = state.get("history")
        if state.keys() != {"history"} or not isinstance(values, list):
            raise ValueError("extra must hold the history")
        # an index is not kept: its forecasts are arrays
        history = read_series(values, argument="history")
        scheme = WindowScheme(check_lags(self.lags), self.difference)
        if len(scheme.lags) != self.n_features_in_ or history.values.size < scheme.width + 2:
            raise ValueError(f"{self.n_features_in_} inputs and {history.values.size} values do not fit lags={self.lags!r}")
        self._remember(scheme, history)

    def training_series(self):
        """Return the series of the fit in the form in which it came.

        Returns
        -------
        ndarray or pandas Series of shape (n,)
            Oldest first. A model read from JSON has no index.

        Examples
        --------
        >>> from convexnn import ConvexNNAutoregressor
        >>> ConvexNNAutoregressor().fit([0, 1, 3, 2, 4]).training_series()
        array([0., 1., 3., 2., 4.])
        """
        check_is_fitted(self)
        return self._history.wrap(self._history.values)

    def _onward(self, last_window: Any, steps: int) -> tuple[TimeSeries, Any]:
        """Return the history to go on from, and the index of what follows if it has one."""
        history, why = self._history, "a window of this model holds"
        if last_window is not None:
            history = read_series(last_window, argument="last_window", least=self._scheme.width, why=why)
        if history.index is None:
            return history, None
        return history, continue_index(history.index, steps, self._history.index)
