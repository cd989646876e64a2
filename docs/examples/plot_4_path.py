"""
The solution path
=================

From the critical alpha down: coefficients, breakpoints, and the error on folds left out. Every point is a certified optimum.
"""

import matplotlib.pyplot as plt

from convexnn import ConvexNNRegressorCV
from convexnn.datasets import load_mcycle
from convexnn.plotting import CertificateDisplay, FitDisplay, PathDisplay

X, y = load_mcycle(return_X_y=True, as_frame=True)
model = ConvexNNRegressorCV(alphas=40).fit(X, y)
figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
for kind, ax in zip(("coefficients", "breakpoints", "cv"), axes, strict=True):
    PathDisplay.from_estimator(model, kind=kind, ax=ax)

# %%
# The fit at the alpha chosen, and its certificate: no ramp correlates with the residuals by more than beta.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
FitDisplay.from_estimator(model, X, y, ax=left)
CertificateDisplay.from_estimator(model, ax=right)
