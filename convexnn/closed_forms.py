"""Optimal networks in closed form: two points, monotone data with steps, and signs that alternate."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length

from convexnn.activations import PIECEWISE_LINEAR, STEPS

Array = NDArray[np.float64]
ALPHA = [Interval(Real, 0.0, None, closed="left")]


@validate_params(
    {
        "alpha": ALPHA,
        "activation": [StrOptions({*PIECEWISE_LINEAR, *STEPS})],
        "architecture": [StrOptions({"narrow", "symmetrized", "parallel", "tree"})],
    },
    prefer_skip_nested_validation=True,
)
def two_points(
    x: ArrayLike,
    y: ArrayLike,
    alpha: float,
    *,
    sample_weight: ArrayLike | None = None,
    activation: str = "relu",
    architecture: str = "narrow",
) -> Array:
    """Return the values of the optimal network on two data points, the same at every depth.

    On two points a network is its difference, and costs its slope (ReLU, leaky ReLU, absolute value), half its height
    (sign) or its height (threshold): the difference of the targets is shrunk by a constant.

    Parameters
    ----------
    x, y : array-like of shape (2,)
        Distinct inputs, and targets.
    alpha : float
        The regularisation, as in :class:`convexnn.ConvexNNRegressor`.
    sample_weight : array-like of shape (2,), default=None
        Positive weights, ones if None.
    activation : {"relu", "leaky_relu", "abs", "sign", "threshold"}, default="relu"
        The activation.
    architecture : {"narrow", "symmetrized", "parallel", "tree"}, default="narrow"
        The architecture, without a skip connection. "symmetrized" is that of depth 3: at depth 2 it is the narrow one.

    Returns
    -------
    ndarray of shape (2,)
        The fitted values.

    Raises
    ------
    ValueError
        If there are not two points at distinct inputs, another argument is not valid, or no such network exists.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), the networks of two data points; theory section 4.

    Examples
    --------
    >>> from convexnn.landscape import two_points
    >>> two_points([0.0, 1.0], [0.0, 3.0], alpha=0.25).tolist()
    [0.5, 2.5]
    """
    values, w = _targets(y, sample_weight)
    points: Array = check_array(x, ensure_2d=False, dtype=np.float64, input_name="x")
    check_consistent_length(points, values)
    if points.shape != (2,) or points[0] == points[1]:
        raise ValueError(f"x must hold two distinct inputs, got {x!r}")
    if architecture == "symmetrized" and activation != "relu":
        raise ValueError(f"architecture='symmetrized' needs activation='relu', got {activation!r}")
    cost = {"sign": 0.5, "threshold": 1.0}.get(activation, 1.0 / abs(points[1] - points[0]))
    if architecture == "symmetrized":
        cost *= 2.0 ** (-1.0 / 3.0)
    shrunk = alpha * w.sum() * cost * w.sum() / (w[0] * w[1])
    rise = values[1] - values[0]
    kept = np.sign(rise) * max(abs(rise) - shrunk, 0.0)
    return float(np.average(values, weights=w)) + kept * np.array([-w[1], w[0]]) / w.sum()


@validate_params({"alpha": ALPHA, "activation": [StrOptions(set(STEPS))]}, prefer_skip_nested_validation=True)
def monotone_steps(
    y: ArrayLike, alpha: float, *, sample_weight: ArrayLike | None = None, activation: str = "sign"
) -> Array:
    """Return the values of the optimal sign or threshold network on data that rise or fall, the same at every depth.

    The optimal network is monotone too and costs what it rises in all, however deep and wide its units are: it is the
    data with their lowest values raised and their highest lowered to two levels.

    Parameters
    ----------
    y : array-like of shape (n,)
        Targets in the order of the inputs, which are distinct; non-decreasing or non-increasing.
    alpha : float
        The regularisation, as in :class:`convexnn.ConvexNNRegressor`.
    sample_weight : array-like of shape (n,), default=None
        Positive weights, ones if None.
    activation : {"sign", "threshold"}, default="sign"
        The activation.

    Returns
    -------
    ndarray of shape (n,)
        The fitted values.

    Raises
    ------
    ValueError
        If y is not monotone, or another argument is not valid.

    Notes
    -----
    Source: theory section 4: the total variation of a monotone function is its range.

    Examples
    --------
    >>> from convexnn.landscape import monotone_steps
    >>> monotone_steps([0.0, 1.0, 2.0, 5.0], alpha=0.5).tolist()
    [1.0, 1.0, 2.0, 4.0]
    """
    values, w = _targets(y, sample_weight)
    if not ((np.diff(values) >= 0.0).all() or (np.diff(values) <= 0.0).all()):
        raise ValueError("y must be monotone")
    pull = alpha * w.sum() * (0.5 if activation == "sign" else 1.0)
    low, high = _water_level(values, w, pull), -_water_level(-values, w, pull)
    return np.clip(values, low, high) if low < high else np.full(values.size, np.average(values, weights=w))


def _water_level(y: Array, w: Array, volume: float) -> float:
    """Return the level up to which ``volume`` fills the lowest values: sum w max(level - y, 0) = volume."""
    order = np.argsort(y)
    y, area = y[order], np.cumsum(w[order])
    below = np.concatenate(([0.0], np.cumsum(area[:-1] * np.diff(y))))
    k = int(np.searchsorted(below, volume, side="right")) - 1
    return float(y[k] + (volume - below[k]) / area[k])


@validate_params(
    {
        "n": [Interval(Integral, 2, None, closed="left")],
        "alpha": ALPHA,
        "depth": [Interval(Integral, 2, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def alternating_signs(n: int, alpha: float, *, depth: int = 2) -> Array:
    """Return the values of the optimal sign network on n targets 1, -1, 1, -1, ... at distinct inputs.

    Two layers pay for every switch: with beta = alpha n the inner targets are shrunk by beta and the two outer ones by
    beta / 2. Units of depth three and more that may switch n - 1 times (parallel, width at least n - 1) pay for the range
    only: the shrinkage is shared by all targets of one sign.

    Parameters
    ----------
    n : int
        The number of targets, at least 2.
    alpha : float
        The regularisation, as in :class:`convexnn.ConvexNNRegressor`.
    depth : int, default=2
        2, or more for units of width n - 1.

    Returns
    -------
    ndarray of shape (n,)
        The fitted values.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), sign networks on square waves; derived anew for one point a pulse.

    Examples
    --------
    >>> from convexnn.landscape import alternating_signs
    >>> alternating_signs(4, alpha=0.125).tolist(), alternating_signs(4, alpha=0.125, depth=3).tolist()
    ([0.75, -0.5, 0.5, -0.75], [0.875, -0.875, 0.875, -0.875])
    """
    y, beta = np.where(np.arange(n) % 2 == 0, 1.0, -1.0), alpha * n
    if depth > 2:
        ups, downs = (n + 1) // 2, n // 2
        high, low = 1.0 - beta / (2 * ups), -1.0 + beta / (2 * downs)
        return np.where(y > 0.0, high, low) if low < high else np.full(n, y.mean())
    out = y * max(1.0 - beta, 0.0)
    # once the inner targets are flat, the two outer ones pull them to their side where they agree
    inner = (beta - 1.0) / (n - 2) if n % 2 and beta > 1.0 else 0.0
    if beta > 1.0:
        out[1:-1] = inner
    out[[0, -1]] = y[[0, -1]] * (1.0 - beta / 2.0)
    return out if 1.0 - beta / 2.0 > inner else np.full(n, y.mean())


def _targets(y: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Array, Array]:
    """Return checked targets and weights."""
    values: Array = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if values.ndim != 1:
        raise ValueError(f"y must be one-dimensional, got shape {values.shape}")
    w: Array = _check_sample_weight(sample_weight, values, dtype=np.float64)
    if not (w > 0.0).all():
        raise ValueError("sample_weight must be positive: leave out rows of weight zero")
    return values, w
