"""The network as an object: forward pass in pieces, penalty and objective as their docstrings say."""

import numpy as np
import pytest
from loss_reference import values

from convexnn import ConvexNNRegressor, network


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    # other targets than those of the fit, whose residuals sum to zero: that would hide a wrong quantile
    return X, y + 0.5, ConvexNNRegressor(alpha=0.02, skip_connection=True).fit(X, y).network_


@pytest.mark.parametrize("chunk", [1, 100])
def test_rows_are_independent(fitted, chunk, monkeypatch):
    X, _, net = fitted
    expected = net(X)
    monkeypatch.setattr(network, "CHUNK", chunk)
    np.testing.assert_allclose(net(X), expected, atol=1e-14)
    assert net(X[:0]).shape == (0,)


def test_forward_by_the_matrices(fitted):
    X, _, net = fitted
    (first, outer), (bias, intercept) = net.coefs, net.intercepts
    assert net.depth == 2 and net.n_neurons == first.shape[1] == outer.shape[0]
    hidden = np.maximum(X @ first + bias, 0.0)
    np.testing.assert_allclose(net(X), hidden @ outer[:, 0] + intercept[0] + X @ net.skip_coef, rtol=1e-12)
    assert net.penalty() == pytest.approx(0.5 * (np.sum(first**2) + np.sum(outer**2)), rel=1e-12)


@pytest.mark.parametrize("name", ["squared", "huber", "absolute", "pinball"])
def test_objective(fitted, name):
    X, y, net = fitted
    w = np.linspace(0.5, 2.0, 20)

    def expected(w, quantile, delta):
        loss = 0.5 * (y - net(X)) ** 2 if name == "squared" else values(name, net(X), y, quantile, delta)
        return w @ loss + 0.3 * w.sum() * net.penalty()

    assert net.objective(X, y, 0.3, loss=name) == pytest.approx(expected(np.ones(20), 0.5, 1.35), rel=1e-12)
    given = net.objective(X, y, 0.3, w, loss=name, quantile=0.2, huber_delta=0.1)
    assert given == pytest.approx(expected(w, 0.2, 0.1), rel=1e-12)
    if name == "squared":
        assert net.objective(X, y, 0.3) == net.objective(X, y, 0.3, loss="squared")


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 1, 1)])
def test_inputs_of_another_shape_are_refused(shape):
    network = ConvexNNRegressor().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0]).network_
    with pytest.raises(ValueError, match=r"X must be of shape \(n_samples, 1\), got"):
        network(np.zeros(shape))


def test_an_unknown_loss_is_not_the_squared_one():
    network = ConvexNNRegressor().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0]).network_
    with pytest.raises(ValueError, match=r"loss must be 'squared', .* got 'mse'"):
        network.objective([[0.0]], [0.0], 1.0, loss="mse")
