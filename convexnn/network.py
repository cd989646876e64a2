"""The optimal network, rebuilt from the solution of the Lasso (theory section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convexnn.activations import STEPS, activate
from convexnn.dictionaries.base import Units
from convexnn.losses import make_loss

Array = NDArray[np.float64]
CHUNK = 2_000_000


@dataclass(frozen=True)
class Network:
    """A trained parallel network: frozen weights, callable on X.

    The network is a sum of units, each a sub-network that reads one input feature; ``coefs`` and ``intercepts`` give the
    same weights as block-diagonal matrices in the shapes of :class:`sklearn.neural_network.MLPRegressor`.

    Parameters
    ----------
    activation : {"relu", "leaky_relu", "abs", "sign", "threshold"}
        The hidden activation; ``sign(0) = threshold(0) = 1``.
    negative_slope : float
        The slope of leaky ReLU for negative arguments.
    n_features_in : int
        The number of inputs.
    inputs : ndarray of shape (n_units,)
        The input that each unit reads.
    units : Units
        The weights of the hidden layers, balanced with the outer weights.
    outer : ndarray of shape (n_units,)
        The weights of the output layer.
    intercept : float
        The bias of the output.
    skip_coef : ndarray of shape (n_features_in,) or None
        The linear skip connection.
    centers : ndarray of shape (n_features_in,) or None
        What is subtracted from X first, zeros if None: near the data, so that an offset of the inputs costs no accuracy.
        Sign and threshold units read X itself, because they only compare it with their biases.

    Notes
    -----
    ``coefs`` and ``intercepts`` are those of a network that reads X itself. With inputs of 1.5e9 at distances of 1e-3 no
    such network is accurate in double precision, while this one is.

    Source: *A Library of Mirrors* (arXiv 2403.01046), the reconstruction theorems; penalty of layer-wise norm ``depth``.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn.datasets import load_bounce
    >>> X, y = load_bounce(return_X_y=True)
    >>> network = ConvexNNRegressor(alpha=0.01).fit(X, y).network_
    >>> [w.shape for w in network.coefs]
    [(1, 2), (2, 1)]
    """

    activation: str
    negative_slope: float
    n_features_in: int
    inputs: NDArray[np.int64]
    units: Units
    outer: Array
    intercept: float
    skip_coef: Array | None
    centers: Array | None = None

    @property
    def depth(self) -> int:
        """The number of layers of weights."""
        return len(self.units.weights) + 1

    @property
    def n_neurons(self) -> int:
        """The number of hidden neurons, all layers together."""
        return sum(biases.size for biases in self.units.biases)

    @property
    def coefs(self) -> list[Array]:
        """The weight matrices for X itself, each of shape (n_in, n_out)."""
        first = self.units.weights[0]
        count, _, width = first.shape
        matrix = np.zeros((self.n_features_in, count, width))
        matrix[self.inputs, np.arange(count)] = first[:, 0]
        matrices = [matrix.reshape(self.n_features_in, count * width)]
        for weights in self.units.weights[1:]:
            _, n_in, n_out = weights.shape
            block = np.zeros((count, n_in, count, n_out))
            block[np.arange(count), :, np.arange(count)] = weights
            matrices.append(block.reshape(count * n_in, count * n_out))
        return [*matrices, self.outer[:, None].copy()]

    @property
    def intercepts(self) -> list[Array]:
        """The bias vectors for X itself, each of shape (n_out,)."""
        first, *others = self.units.biases
        if self.centers is not None and self.activation not in STEPS:
            first = first - self.units.weights[0][:, 0] * self.centers[self.inputs, None]
        return [first.ravel(), *(biases.ravel() for biases in others), np.array([self.constant])]

    @property
    def constant(self) -> float:
        """The bias of the output for X itself."""
        if self.skip_coef is None or self.centers is None:
            return self.intercept
        return self.intercept - float(np.dot(self.skip_coef, self.centers))

    def __call__(self, X: ArrayLike) -> Array:
        """Run the network, layer by layer, on X of shape (n_samples, n_features_in)."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.n_features_in:
            raise ValueError(f"X must be of shape (n_samples, {self.n_features_in}), got {X.shape}")
        widest = max(biases.size for biases in self.units.biases)
        rows = max(1, CHUNK // max(widest, 1))
        out = [self._forward(X[start : start + rows]) for start in range(0, len(X), rows)]
        return np.concatenate(out) if out else np.empty(0)

    def _forward(self, X: Array) -> Array:
        centered = X if self.centers is None else X - self.centers
        hidden = (X if self.activation in STEPS else centered)[:, self.inputs, None]
        for weights, biases in zip(self.units.weights, self.units.biases, strict=True):
            hidden = np.einsum("nki,kio->nko", hidden, weights) + biases
            hidden = activate(hidden, self.activation, self.negative_slope)
        out = hidden[:, :, 0] @ self.outer + self.intercept
        return out if self.skip_coef is None else out + centered @ self.skip_coef

    def penalty(self) -> float:
        """Return what the weights cost at beta = 1.

        ``(sum |w| ** depth) / depth`` over all weights of hidden and output layers; for sign and threshold, whose inner
        weights have no scale, the sum of the absolute outer weights.

        Returns
        -------
        float
            The penalty.
        """
        if self.activation in STEPS:
            return float(np.abs(self.outer).sum())
        depth = self.depth
        total = (np.abs(self.outer) ** depth).sum()
        return float(total + sum((np.abs(weights) ** depth).sum() for weights in self.units.weights)) / depth

    def objective(
        self,
        X: ArrayLike,
        y: ArrayLike,
        alpha: float,
        sample_weight: ArrayLike | None = None,
        *,
        loss: str = "squared",
        quantile: float = 0.5,
        huber_delta: float = 1.35,
    ) -> float:
        """Return the regularised training objective of these weights, the non-convex one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in)
            Inputs.
        y : array-like of shape (n_samples,)
            Targets.
        alpha : float
            Regularisation per unit of sample weight: ``beta = alpha * sum(sample_weight)``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, ones if None.
        loss : {"squared", "huber", "absolute", "pinball", "logistic"}, default="squared"
            The loss; "logistic" for targets 0 and 1.
        quantile, huber_delta : float
            The parameters of the pinball and Huber losses.

        Returns
        -------
        float
            ``sum(w * loss(f(X), y)) + beta * penalty()``; the squared loss is ``(y - f(X)) ** 2 / 2``.
        """
        fit, y = self(X), np.asarray(y, dtype=np.float64)
        w = np.ones(fit.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        value = make_loss(loss, quantile, huber_delta).value(fit, y)
        return float(np.dot(w, value) + alpha * w.sum() * self.penalty())


def rebuild(units: tuple[Units, ...], coef: tuple[Array, ...], activation: str) -> tuple[Units, Array, NDArray[np.int64]]:
    """Join the units of all inputs and balance them with their coefficients: (units, outer weights, inputs).

    For a homogeneous activation all layers of a unit of coefficient z get equal norms, gamma = |z| ** (1 / depth) times
    those for z = 1; sign and threshold units keep their inner weights and carry z outside.
    """
    inputs = np.repeat(np.arange(len(units)), [z.size for z in coef])
    z = np.concatenate(coef)
    depth = len(units[0].weights) + 1
    gamma = np.ones(z.size) if activation in STEPS else np.abs(z) ** (1.0 / depth)
    weights, biases = [], []
    for layer in range(depth - 1):
        joined = _stack([unit.weights[layer] for unit in units])
        weights.append(joined * gamma[:, None, None])
        biases.append(_stack([unit.biases[layer] for unit in units]) * (gamma ** (layer + 1))[:, None])
    outer = z if activation in STEPS else np.sign(z) * gamma
    return Units(tuple(weights), tuple(biases)), outer, inputs


def _stack(blocks: list[Array]) -> Array:
    """Join blocks along the first axis, padding the others with zeros: a neuron without outgoing weight does nothing."""
    shape = np.max([block.shape[1:] for block in blocks], axis=0)
    padded = [
        np.pad(block, [(0, 0), *((0, full - size) for full, size in zip(shape, block.shape[1:], strict=True))])
        for block in blocks
    ]
    return np.concatenate(padded)
