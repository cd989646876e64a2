"""One autoregressor for each of many series, in parallel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from convexnn._autoregressor import ConvexNNAutoregressor
from convexnn.series import read_series
from convexnn.windows import WindowScheme, check_lags


def fit_many(frame, *, by=None, column=None, time=None, estimator=None, n_jobs=None):
    """Fit one autoregressor to each series of a pandas frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        A long frame, in which ``by`` says to which series a row belongs, or a wide one with a series in each column.
    by : str or list of str, default=None
        The columns whose values tell the series of a long frame apart; None for a wide frame.
    column : str, default=None
        The column with the values of a long frame; it need not be said where no other is left.
    time : str, default=None
        A column to take as the index of each series; by default the index of the frame.
    estimator : ConvexNNAutoregressor, default=None
        What to fit; it is cloned. By default with its default parameters.
    n_jobs : int, default=None
        The number of processes, as in joblib: None is one, -1 all cores.

    Returns
    -------
    models : dict
        The fitted estimator of each series, by the value of ``by`` (a tuple of several) or by the column's name.
    table : pandas.DataFrame
        A row a series: ``n_values``, ``alpha``, ``alpha_max``, ``objective``, ``dual_gap``, ``converged``, ``n_neurons``,
        and of the one-step predictions of the series itself ``rmse`` and ``score``.

    Raises
    ------
    ValueError
        If an argument is not valid or a series cannot be fitted, with the name of the series; nothing is fitted then.

    Warns
    -----
    ConvergenceWarning
        If some fits did not reach ``tol``, once, with their names.

    Examples
    --------
    >>> import pandas as pd
    >>> from convexnn import fit_many
    >>> from convexnn.datasets import load_lynx, load_sunspots
    >>> series = {"lynx": load_lynx().target, "spots": load_sunspots().target}
    >>> frame = pd.concat({name: pd.Series(values) for name, values in series.items()}, names=["name"]).reset_index(level=0)
    >>> models, table = fit_many(frame, by="name")
    >>> table["n_values"].to_dict()
    {'lynx': 114, 'spots': 309}
    >>> models["lynx"].forecast(2).index.tolist()
    [114, 115]
    """
    estimator = ConvexNNAutoregressor() if estimator is None else estimator
    if not isinstance(estimator, ConvexNNAutoregressor):
        raise ValueError(f"estimator must be a ConvexNNAutoregressor, got {estimator!r}")
    estimator._validate_params()
    series = _split(frame, by, column, time)
    if not series:
        raise ValueError("frame holds no series")
    scheme = WindowScheme(check_lags(estimator.lags), estimator.difference)
    for name, values in series.items():
        read_series(values, argument=f"series {name!r}", least=scheme.width + 2, why="its windows need")
    # in a tuple a series goes along with its task: joblib leaves a bare one to some worker of Dask, which may lose it
    fitted = Parallel(n_jobs=n_jobs)(delayed(_fit)(estimator, (values,)) for values in series.values())
    models = dict(zip(series, fitted, strict=True))
    missed = [name for name, model in models.items() if not model.converged_]
    if missed:
        warnings.warn(
            f"{len(missed)} of {len(models)} fits did not reach tol={estimator.tol:g}, with relative duality gaps up to "
            f"{max(models[name].dual_gap_ for name in missed):.3g}: {', '.join(map(repr, missed[:10]))}"
            f"{', ...' if len(missed) > 10 else ''}; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return models, _table(models, by)


def _split(frame: Any, by: Any, column: Any, time: Any) -> dict[Any, Any]:
    """Return the series of a frame by their names."""
    if not hasattr(frame, "groupby") or not hasattr(frame, "columns"):
        hint = "; pass its to_pandas()" if hasattr(frame, "to_pandas") else ""  # one of polars, say
        raise ValueError(f"frame must be a pandas DataFrame, got {type(frame).__name__}{hint}")
    keys = [] if by is None else [by] if isinstance(by, str) else list(by)
    for argument, names in (("by", keys), ("column", [column]), ("time", [time])):
        for name in names:
            if name is not None and name not in frame.columns:
                raise ValueError(f"{argument}={name!r} is no column of the frame, which has {list(frame.columns)!r}")
    if time is not None:
        frame = frame.set_index(time)
    if by is None:
        if column is not None:
            raise ValueError("column is for long frames, with by; a wide frame has a series in each column")
        return {name: frame[name] for name in frame.columns}
    if frame[keys].isna().to_numpy().any():
        raise ValueError(f"by={by!r} has missing values: they belong to no series")
    if column is None:
        rest = [name for name in frame.columns if name not in keys]
        if len(rest) != 1:
            raise ValueError(f"column must say which of {rest!r} has the values")
        column = rest[0]
    groups = frame.groupby(keys[0] if len(keys) == 1 else keys, observed=True)[column]
    return dict(iter(groups))


def _fit(estimator: ConvexNNAutoregressor, series: tuple[Any]) -> ConvexNNAutoregressor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said once for all series
        return clone(estimator).fit(*series)


def _table(models: dict[Any, ConvexNNAutoregressor], by: Any) -> Any:
    import pandas as pd

    rows = [
        {
            "n_values": len(model.residuals_),
            "alpha": model.alpha_,
            "alpha_max": model.alpha_max_,
            "objective": model.objective_,
            "dual_gap": model.dual_gap_,
            "converged": model.converged_,
            "n_neurons": model.n_neurons_,
            "rmse": float(np.sqrt(np.nanmean(np.square(model.residuals_)))),
            "score": model.score(model._history.values),
        }
        for model in models.values()
    ]
    names: Any = list(models)
    if by is not None and not isinstance(by, str) and len(by) > 1:
        return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(names, names=list(by)))
    return pd.DataFrame(rows, index=pd.Index(names, name=by if by is None or isinstance(by, str) else by[0]))
