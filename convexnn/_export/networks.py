"""The fitted network in other libraries: scikit-learn, PyTorch and ONNX, with the same weights."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convexnn._export.disk import replacing
from convexnn.activations import STEPS, negative_part_slope
from convexnn.network import Network

if TYPE_CHECKING:
    from sklearn.neural_network import MLPRegressor

Array = NDArray[np.float64]
OPSET = 17  # of 2022: old enough for most runtimes
IR_VERSION = 8


def to_mlp_regressor(network: Network, feature_names: Any = None) -> MLPRegressor:
    """Return a fitted MLPRegressor with the weights of a ReLU network.

    A skip connection, which MLPRegressor does not know, becomes two chains of ReLUs for each input: the positive and
    the negative part.
    """
    from sklearn.neural_network import MLPRegressor

    if network.activation != "relu":
        raise ValueError(f"to_mlp_regressor needs activation='relu', as MLPRegressor has no {network.activation!r}")
    coefs, intercepts = network.coefs, network.intercepts
    if network.skip_coef is not None:
        coefs, intercepts = _with_skip(coefs, intercepts, network.skip_coef)
    if network.outer.size == 0 and network.skip_coef is None:  # MLPRegressor wants a neuron: one of weight zero
        widths = [network.n_features_in, *[1] * (network.depth - 1), 1]
        coefs = [np.zeros(shape) for shape in itertools.pairwise(widths)]
        intercepts = [*[np.zeros(1)] * (network.depth - 1), intercepts[-1]]
    mlp = MLPRegressor(hidden_layer_sizes=tuple(bias.size for bias in intercepts[:-1]), activation="relu", alpha=0.0)
    mlp.coefs_, mlp.intercepts_ = coefs, intercepts
    mlp.n_features_in_, mlp.n_outputs_, mlp.n_layers_ = network.n_features_in, 1, network.depth + 1
    mlp.out_activation_, mlp.n_iter_, mlp.t_ = "identity", 0, 0
    if feature_names is not None:
        mlp.feature_names_in_ = np.asarray(feature_names, dtype=object)
    return mlp


def _with_skip(coefs: list[Array], intercepts: list[Array], skip: Array) -> tuple[list[Array], list[Array]]:
    """Append x = relu(x) - relu(-x), carried through the layers, to the matrices of a ReLU network."""
    eye = np.eye(skip.size)
    first = np.concatenate([coefs[0], eye, -eye], axis=1)
    pairs = np.eye(2 * skip.size)
    middle = [
        np.block([[matrix, np.zeros((len(matrix), len(pairs)))], [np.zeros((len(pairs), matrix.shape[1])), pairs]])
        for matrix in coefs[1:-1]
    ]
    last = np.concatenate([coefs[-1], skip[:, None], -skip[:, None]])
    padded = [np.concatenate([bias, np.zeros(len(pairs))]) for bias in intercepts[:-1]]
    return [first, *middle, last], [*padded, intercepts[-1]]


def _centers(network: Network) -> Array:
    """Return what is subtracted from the inputs."""
    return np.zeros(network.n_features_in) if network.centers is None else network.centers


def to_torch(network: Network, dtype: Any = None) -> Any:
    """Return a torch module with the same weights, which maps (n, n_features_in) to (n,)."""
    try:
        import torch
    except ImportError as error:
        raise ImportError('to_torch needs torch: python -m pip install "convexnn[export]"') from error
    dtype = torch.float64 if dtype is None else dtype

    class ParallelNetwork(torch.nn.Module):
        """A sum of units, each of which reads one input."""

        def __init__(self) -> None:
            super().__init__()

            def parameter(values: Any) -> Any:
                return torch.nn.Parameter(torch.as_tensor(np.array(values), dtype=dtype))

            self.register_buffer("inputs", torch.as_tensor(network.inputs.copy()))
            self.weights = torch.nn.ParameterList([parameter(weights) for weights in network.units.weights])
            self.biases = torch.nn.ParameterList([parameter(biases) for biases in network.units.biases])
            self.outer = parameter(network.outer)
            self.intercept = parameter(network.intercept)
            self.skip_coef = None if network.skip_coef is None else parameter(network.skip_coef)
            self.register_buffer("centers", torch.as_tensor(_centers(network).copy(), dtype=dtype))

        def activate(self, u: Any) -> Any:
            if network.activation in STEPS:
                low = -1.0 if network.activation == "sign" else 0.0
                return torch.where(u >= 0, torch.ones_like(u), torch.full_like(u, low))
            slope = negative_part_slope(network.activation, network.negative_slope)
            return torch.nn.functional.leaky_relu(u, negative_slope=slope)

        def forward(self, X: Any) -> Any:
            centered = X - self.centers
            hidden = (X if network.activation in STEPS else centered)[:, self.inputs, None]
            for weights, biases in zip(self.weights, self.biases, strict=True):
                hidden = self.activate(torch.einsum("nki,kio->nko", hidden, weights) + biases)
            out = hidden[:, :, 0] @ self.outer + self.intercept
            return out if self.skip_coef is None else out + centered @ self.skip_coef

    return ParallelNetwork().eval()


def to_onnx(network: Network, path: str | os.PathLike[str], dtype: str, metadata: dict[str, str]) -> None:
    """Write an ONNX model with the same weights: input "X" (n, n_features_in), output "y" (n,)."""
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ImportError('to_onnx needs onnx: python -m pip install "convexnn[export]"') from error
    kind = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[dtype]
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: Any) -> str:
        array = np.asarray(values)
        array = array.astype(dtype) if array.dtype.kind == "f" else array
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    # (n, k) -> (n, k, 1, 1): one row vector of inputs a unit, multiplied by that unit's own matrix
    centered = node("Sub", "X", constant("centers", _centers(network)))
    read = "X" if network.activation in STEPS else centered
    hidden = node("Gather", read, constant("inputs", network.inputs), axis=1)
    hidden = node("Unsqueeze", hidden, constant("two_axes", np.array([2, 3])))
    for layer, (weights, biases) in enumerate(zip(network.units.weights, network.units.biases, strict=True)):
        hidden = node("MatMul", hidden, constant(f"weights{layer}", weights))
        hidden = node("Add", hidden, constant(f"biases{layer}", biases[:, None, :]))
        hidden = _onnx_activation(network, hidden, node, constant, layer, kind)
    hidden = node("Squeeze", hidden, "two_axes")
    out = node("MatMul", hidden, constant("outer", network.outer))
    if network.skip_coef is not None:
        out = node("Add", out, node("MatMul", centered, constant("skip_coef", network.skip_coef)))
    nodes.append(helper.make_node("Add", [out, constant("intercept", np.float64(network.intercept))], ["y"]))
    graph = helper.make_graph(
        nodes,
        "convexnn",
        [helper.make_tensor_value_info("X", kind, [None, network.n_features_in])],
        [helper.make_tensor_value_info("y", kind, [None])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="convexnn"
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _onnx_activation(network: Network, hidden: str, node: Any, constant: Any, layer: int, kind: int) -> str:
    if network.activation in STEPS:
        active = node("Cast", node("GreaterOrEqual", hidden, constant(f"zero{layer}", np.float64(0.0))), to=kind)
        if network.activation == "threshold":
            return active
        doubled = node("Mul", active, constant(f"double{layer}", np.float64(2.0)))
        return node("Sub", doubled, constant(f"one{layer}", np.float64(1.0)))
    if network.activation == "abs":
        return node("Abs", hidden)
    if network.activation == "relu" or network.negative_slope == 0.0:
        return node("Relu", hidden)
    # runtimes have LeakyRelu for float32 only; for slopes below one it is a maximum
    return node("Max", hidden, node("Mul", hidden, constant(f"slope{layer}", np.float64(network.negative_slope))))
