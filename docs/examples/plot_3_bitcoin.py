"""
An autoregression of Bitcoin's price
====================================

The next minute's price from this one's, over two weeks of minutes: the optimal network, certified. Where there are few data
it follows single jumps: the certificate is about the fit, not about the market.
"""

import matplotlib.pyplot as plt

from convexnn import ConvexNNAutoregressor
from convexnn.datasets import load_btc_minutes
from convexnn.plotting import FitDisplay, ForecastDisplay

prices = load_btc_minutes().target
model = ConvexNNAutoregressor(lags=1, alpha=10.0).fit(prices)
print(f"{prices.size} minutes, gap {model.dual_gap_:.1e}, {model.n_neurons_} neurons")
FitDisplay.from_estimator(
    model, prices[:-1], prices[1:], difference=True, x_name="price (USD)", y_name="change in the next minute (USD)"
)

# %%
# An interval of 80 per cent for the next half hour, calibrated on the last part of the series.

ForecastDisplay.from_estimator(model, 30, level=80, name="price (USD)", shown=120)
plt.show()
