"""The toy data of the paper: a few points whose optimal networks are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convexnn.datasets._files import make_bunch

PAPER = """
Source: Zeger, Wang, Mishkin, Ergen, Candes and Pilanci, *A Library of Mirrors: Deep Neural Nets in Low Dimensions are
Convex Lasso Models with Reflection Features*, arXiv 2403.01046. Made-up numbers, without units; not under copyright.
"""


def _toy(x: Sequence[float], y: Sequence[float], descr: str, return_X_y: bool, as_frame: bool) -> Any:
    data = np.array(x, dtype=np.float64)[:, None]
    target = np.array(y, dtype=np.float64)
    return make_bunch(
        data, target, ["x"], "y", descr.strip() + "\n" + PAPER, return_X_y=return_X_y, as_frame=as_frame
    )


def load_zshape(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the set ``zshape``: four points on a flat, a rise and a flat.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (4, 1): the places.
        ``target`` of shape (4,): the values.

    Examples
    --------
    >>> from convexnn.datasets import load_zshape
    >>> X, y = load_zshape(return_X_y=True)
    >>> X[:, 0].tolist(), y.tolist()
    ([0.0, 2.0, 6.0, 7.0], [0.0, 0.0, 3.0, 3.0])
    """
    x, y = [0, 2, 6, 7], [0, 0, 3, 3]
    return _toy(x, y, "Four points on a flat, a rise and a flat.", return_X_y, as_frame)


def load_bounce(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the set ``bounce``: four points on a convex curve.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (4, 1): the places.
        ``target`` of shape (4,): the values.

    Examples
    --------
    >>> from convexnn.datasets import load_bounce
    >>> X, y = load_bounce(return_X_y=True)
    >>> X[:, 0].tolist(), y.tolist()
    ([0.0, 2.0, 6.0, 7.0], [0.0, 0.0, 3.0, 7.0])
    """
    x, y = [0, 2, 6, 7], [0, 0, 3, 7]
    return _toy(x, y, "Four points on a convex curve.", return_X_y, as_frame)


def load_opt(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the set ``opt``: six points on a rise between two flats.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (6, 1): the places.
        ``target`` of shape (6,): the values.

    Examples
    --------
    >>> from convexnn.datasets import load_opt
    >>> X, y = load_opt(return_X_y=True)
    >>> X[:, 0].tolist(), y.tolist()
    ([0.0, 4.0, 5.0, 7.0, 10.0, 11.0], [0.0, 0.0, 0.0, 2.0, 3.0, 3.0])
    """
    x, y = [0, 4, 5, 7, 10, 11], [0, 0, 0, 2, 3, 3]
    return _toy(x, y, "Six points on a rise between two flats.", return_X_y, as_frame)
