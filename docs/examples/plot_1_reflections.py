"""
Reflections
===========

A narrow absolute-value network of depth 3 sees training points mirrored in one another: figures 1 and 2 of *A Library of
Mirrors* (arXiv 2403.01046). The arcs go from a training point to its image, over the mirror.
"""

import matplotlib.pyplot as plt

from convexnn import ConvexNNRegressor
from convexnn.plotting import FeatureDisplay, FitDisplay

x, y = [[0.0], [1.0], [4.0]], [1.0, 0.0, 0.0]
model = ConvexNNRegressor(depth=3, activation="abs", alpha=0.01).fit(x, y)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
FitDisplay.from_estimator(model, x, y, ax=left)
FeatureDisplay.from_estimator(model, ax=right)
print(model.summary())

# %%
# At depth 4 reflections are reflected again. Depth 2 has none: every breakpoint is a training point.

x, y = [[-2.0], [-1.0], [0.0], [1.0], [3.0], [4.0]], [1.0, 0.0, 1.0, 0.2, 1.0, 0.0]
figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
for depth, ax in zip((2, 3, 4), axes, strict=True):
    model = ConvexNNRegressor(depth=depth, activation="abs")
    model.fit(x, y).set_params(alpha=model.alpha_max_ / 50).fit(x, y)
    FitDisplay.from_estimator(model, x, y, ax=ax)
    ax.set_title(f"depth {depth}: {model.n_neurons_} neurons, gap {model.dual_gap_:.0e}")
