"""Neural networks on low-dimensional data, trained to certified global optimality, as scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING

from convexnn._collector import resting
from convexnn._deferred import deferred

if TYPE_CHECKING:
    from convexnn._autoregressor import ConvexNNAutoregressor
    from convexnn._classifier import ConvexNNClassifier
    from convexnn._compress import compress
    from convexnn._cv import ConvexNNRegressorCV
    from convexnn._many import fit_many
    from convexnn._path import convex_nn_path
    from convexnn._quantile import ConvexNNQuantileRegressor
    from convexnn._regressor import ConvexNNRegressor, alpha_max
    from convexnn.compression import Compressed
    from convexnn.network import Network

__version__ = "0.1.0"

__all__ = [
    "Compressed",
    "ConvexNNAutoregressor",
    "ConvexNNClassifier",
    "ConvexNNQuantileRegressor",
    "ConvexNNRegressor",
    "ConvexNNRegressorCV",
    "Network",
    "alpha_max",
    "compress",
    "convex_nn_path",
    "fit_many",
]

_HOMES = {
    "Compressed": "compression",
    "ConvexNNAutoregressor": "_autoregressor",
    "ConvexNNClassifier": "_classifier",
    "ConvexNNQuantileRegressor": "_quantile",
    "ConvexNNRegressor": "_regressor",
    "ConvexNNRegressorCV": "_cv",
    "Network": "network",
    "alpha_max": "_regressor",
    "compress": "_compress",
    "convex_nn_path": "_path",
    "fit_many": "_many",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: a script waits for what it uses only."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # scikit-learn imports scipy.stats for one function, and spends half of its import on it
    with resting, deferred("scipy.stats"):
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
