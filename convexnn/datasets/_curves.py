"""More bundled real sets of one input. Sources and licences stand in ``data/README.md`` and in each ``DESCR``."""

from __future__ import annotations

from typing import Any

from convexnn.datasets._files import load_file

FAITHFUL = """
Old Faithful

The geyser Old Faithful in Yellowstone National Park (272 rows). ``data`` is the duration of an eruption in minutes,
``target`` the time to the next eruption in minutes.

Source: the package pygam 0.9.1, copyright 2019 pyGAM authors. Licence: Apache-2.0. Values unchanged.
"""

ENGEL = """
Engel's food expenditure

Belgian working-class households in 1857 (235 rows). ``data`` is the yearly household income, ``target`` the yearly
expenditure on food, both in Belgian francs.

Source: the package statsmodels 0.15.0. Licence: public domain. Values unchanged.
"""

AUTO_MPG = """
Fuel consumption of cars

Cars of 1970 to 1982 (392 rows). ``data`` is the horsepower, with ties, ``target`` the miles per gallon.

Source: the package ISLP 0.6.0. Licence: BSD-3-Clause. Values unchanged.
"""

NILE = """
Nile

The yearly volume of the Nile at Aswan, 1871 to 1970 (100 rows). ``data`` is the year, ``target`` the volume in 10^8
cubic metres; it falls around 1899.

Source: the package statsmodels 0.15.0. Licence: public domain. Values unchanged.
"""


def load_faithful(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load eruptions of the geyser Old Faithful.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (272, 1): ``eruptions``, the duration in minutes.
        ``target`` of shape (272,): ``waiting``, the minutes to the next eruption.

    Examples
    --------
    >>> from convexnn.datasets import load_faithful
    >>> X, y = load_faithful(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((272, 1), [3.6], [79.0, 54.0, 74.0])
    """
    return load_file("faithful.csv", FAITHFUL, return_X_y=return_X_y, as_frame=as_frame)


def load_engel(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load food expenditure of households by income.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (235, 1): ``income``, in Belgian francs a year.
        ``target`` of shape (235,): ``foodexp``, in Belgian francs a year.

    Examples
    --------
    >>> from convexnn.datasets import load_engel
    >>> X, y = load_engel(return_X_y=True)
    >>> X.shape, X[0].round(2).tolist(), y[:2].round(2).tolist()
    ((235, 1), [420.16], [255.84, 310.96])
    """
    return load_file("engel.csv", ENGEL, return_X_y=return_X_y, as_frame=as_frame)


def load_auto_mpg(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load fuel consumption of cars by horsepower.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (392, 1): ``horsepower``.
        ``target`` of shape (392,): ``mpg``, miles per gallon.

    Examples
    --------
    >>> from convexnn.datasets import load_auto_mpg
    >>> X, y = load_auto_mpg(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((392, 1), [130.0], [18.0, 15.0, 18.0])
    """
    return load_file("auto_mpg.csv", AUTO_MPG, return_X_y=return_X_y, as_frame=as_frame)


def load_nile(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the volume of the Nile, by the year.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (100, 1): ``year``, 1871 to 1970.
        ``target`` of shape (100,): ``volume``, 10^8 cubic metres in the year.

    Examples
    --------
    >>> from convexnn.datasets import load_nile
    >>> X, y = load_nile(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((100, 1), [1871.0], [1120.0, 1160.0, 963.0])
    """
    return load_file("nile.csv", NILE, return_X_y=return_X_y, as_frame=as_frame)
