"""
Steps with threshold networks
=============================

Threshold networks are constant between switches. At depth 2 the optimum is total-variation denoising; a deeper unit may
switch several times for the price of one.
"""

import matplotlib.pyplot as plt
import numpy as np

from convexnn import ConvexNNRegressor
from convexnn.plotting import FitDisplay

random = np.random.default_rng(0)
x = np.sort(random.uniform(0.0, 10.0, 200))
y = np.select([x < 2, x < 3, x < 6, x < 7], [0.0, 2.0, 0.5, 2.5], 1.0) + 0.3 * random.normal(size=x.size)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
flat = ConvexNNRegressor(activation="threshold", alpha=0.02).fit(x[:, None], y)
FitDisplay.from_estimator(flat, x, y, ax=left, x_name="time", y_name="state")
left.set_title(f"depth 2: {flat.n_neurons_} neurons")
deep = ConvexNNRegressor(depth=3, activation="threshold", architecture="parallel", width=4, alpha=0.1).fit(x[:, None], y)
FitDisplay.from_estimator(deep, x, y, ax=right, x_name="time", y_name="state")
right.set_title(f"depth 3, width 4: {deep.coef_.size} units, gap {deep.dual_gap_:.0e}")
