"""Small real series, the toy sets of the paper, and a simulated price series.

The loaders follow scikit-learn: they return a ``Bunch`` with ``data``, ``target``, ``feature_names``, ``target_names``
and ``DESCR``; ``return_X_y=True`` gives the two arrays alone and ``as_frame=True`` pandas objects.
"""

from convexnn.datasets._curves import load_auto_mpg, load_engel, load_faithful, load_nile
from convexnn.datasets._real import (
    load_btc_half_hours,
    load_btc_minutes,
    load_lynx,
    load_mcycle,
    load_run_log,
    load_sunspots,
)
from convexnn.datasets._simulated import make_minute_prices
from convexnn.datasets._toys import load_bounce, load_opt, load_zshape

__all__ = [
    "load_auto_mpg",
    "load_bounce",
    "load_btc_half_hours",
    "load_btc_minutes",
    "load_engel",
    "load_faithful",
    "load_lynx",
    "load_mcycle",
    "load_nile",
    "load_opt",
    "load_run_log",
    "load_sunspots",
    "load_zshape",
    "make_minute_prices",
]
