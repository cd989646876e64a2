"""
A pipeline with grid search
===========================

The estimators are scikit-learn's kind: they stand at the end of pipelines, and their parameters are searched like any other.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from convexnn import ConvexNNRegressor

random = np.random.default_rng(0)
dose = np.exp(random.uniform(-3.0, 4.0, 150))
response = (1.0 + 9.0 / (1.0 + (2.0 / dose) ** 1.5)) * np.exp(0.15 * random.normal(size=dose.size))

network = ConvexNNRegressor(skip_connection=False)
model = TransformedTargetRegressor(
    make_pipeline(FunctionTransformer(np.log), network), func=np.log, inverse_func=np.exp, check_inverse=False
)
name = "regressor__convexnnregressor__"
grid = {name + "depth": [2, 3], name + "activation": ["relu", "abs"], name + "alpha": np.geomspace(1e-3, 0.3, 8)}
search = GridSearchCV(model, grid, cv=KFold(5, shuffle=True, random_state=0)).fit(dose[:, None], response)
best = {key.removeprefix(name): value for key, value in search.best_params_.items()}
print(best, f"R2 on data left out {search.best_score_:.3f}")

figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
ax.scatter(dose, response, s=14, color="#8a8a8a", label="data")
places = np.geomspace(dose.min(), dose.max(), 400)
ax.plot(places, search.predict(places[:, None]), color="#0072b2", linewidth=2, label="network of log dose")
ax.set_xscale("log")
ax.set_xlabel("dose")
ax.set_ylabel("response")
ax.legend(frameon=False)
plt.show()
