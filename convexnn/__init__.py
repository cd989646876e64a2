"""Neural networks on low-dimensional data, trained to certified global optimality, as scikit-learn estimators."""

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
