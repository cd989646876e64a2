"""Pictures of fitted estimators, as scikit-learn's displays. Needs matplotlib, which the extra ``plot`` installs.

Every display is made of arrays and can be drawn again with ``plot``; ``from_estimator`` takes the arrays from a fitted
estimator. Colours are those of Okabe and Ito, with different markers, on light and dark backgrounds alike.
"""

from convexnn.plotting._certificate import CertificateDisplay, CorrelationCurve
from convexnn.plotting._features import FeatureCurve, FeatureDisplay, Reflection
from convexnn.plotting._fit import FitDisplay, FitPanel
from convexnn.plotting._forecast import ForecastDisplay
from convexnn.plotting._path import PathDisplay

__all__ = [
    "CertificateDisplay",
    "CorrelationCurve",
    "FeatureCurve",
    "FeatureDisplay",
    "FitDisplay",
    "FitPanel",
    "ForecastDisplay",
    "PathDisplay",
    "Reflection",
]
