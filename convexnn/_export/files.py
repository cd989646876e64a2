"""Model files: what a fitted estimator is, as JSON, and the checks that text must pass to become one again.

Nothing in a file is ever executed, and nothing is taken that the version does not define: a file that is not whole
and consistent is refused, with the place in it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convexnn._export.disk import read_text
from convexnn.dictionaries.base import Units
from convexnn.model import Feature, Model
from convexnn.network import Network
from convexnn.piecewise import PiecewiseLinear

Array = NDArray[np.float64]
FORMAT = "convexnn-model"
# a release whose files differ from those of the one before raises VERSION, and goes on reading from OLDEST
OLDEST, VERSION = 2, 3  # 2 has no centers: its networks read X itself
PIECE_FIELDS = ("breakpoints", "anchors", "values", "slopes")
ACTIVATIONS = ("relu", "leaky_relu", "abs", "sign", "threshold")
# the fitted attributes that are single values; the others follow from network, pieces and features
FITTED: dict[str, type] = {
    "alpha_": float,
    "alpha_max_": float,
    "objective_": float,
    "dual_gap_": float,
    "exact_": bool,
    "converged_": bool,
    "n_iter_": int,
    "solver_": str,
}


@dataclass(frozen=True)
class Content:
    """What a model file holds, checked.

    Attributes
    ----------
    version : int
        The version of the file.
    estimator : str
        The name of the class that wrote it.
    parameters : dict
        The parameters of the estimator, as JSON holds them.
    feature_names : list of str or None
        The names of the inputs.
    fitted : dict
        The fitted attributes that ``FITTED`` lists.
    model : Model
        Network, piecewise-linear form and features.
    extra : dict
        What the class adds.
    """

    version: int
    estimator: str
    parameters: dict[str, Any]
    feature_names: list[str] | None
    fitted: dict[str, Any]
    model: Model
    extra: dict[str, Any]

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return self.model.network.n_features_in


@dataclass(frozen=True)
class Ensemble:
    """What the file of an estimator made of several holds, checked: as :class:`Content`, but parts in place of a model.

    Attributes
    ----------
    version, estimator, parameters, feature_names, extra
        As in :class:`Content`.
    parts : list of Content
        The parts, all with the same number of inputs; at least one.
    """

    version: int
    estimator: str
    parameters: dict[str, Any]
    feature_names: list[str] | None
    parts: list[Content]
    extra: dict[str, Any]

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return self.parts[0].n_inputs


def write_text(estimator: Any) -> str:
    """Return the JSON text of a fitted estimator: linear in the number of units, one line."""
    return json.dumps(_content(estimator), allow_nan=False, separators=(",", ":"))


def _content(estimator: Any) -> dict[str, Any]:
    """Return what describes a fitted estimator: its network, or its parts, each described in the same way."""
    names = getattr(estimator, "feature_names_in_", None)
    single = hasattr(estimator, "_model")
    return {
        "format": FORMAT,
        "version": VERSION,
        "estimator": type(estimator).__name__,
        "parameters": estimator._stored_parameters(),
        "feature_names": None if names is None else [str(name) for name in names],
        **(_fit_content(estimator) if single else {"parts": [_content(part) for part in estimator.estimators_]}),
        "extra": estimator._extra_state(),
    }


def _fit_content(estimator: Any) -> dict[str, Any]:
    """Return the fitted values and the model."""
    model: Model = estimator._model
    network = model.network
    return {
        "fitted": {name: kind(getattr(estimator, name)) for name, kind in FITTED.items()},
        "offset": float(model.offset),
        "pieces": [{name: _numbers(getattr(f, name)) for name in PIECE_FIELDS} for f in model.pieces],
        "network": {
            "activation": network.activation,
            "negative_slope": float(network.negative_slope),
            "inputs": network.inputs.tolist(),
            # each unit has its own weights: as matrices of all units they would be zeros, but for a diagonal of blocks
            "weights": [write_block(weights) for weights in network.units.weights],
            "biases": [write_block(biases) for biases in network.units.biases],
            "outer": _numbers(network.outer),
            "intercept": float(network.intercept),
            "skip_coef": None if network.skip_coef is None else _numbers(network.skip_coef),
            "centers": None if network.centers is None else _numbers(network.centers),
        },
        "coef": _numbers(model.coef),
        "features": [[f.kind, f.input, f.breakpoints, f.signs, f.origins, f.sources] for f in model.features],
    }


def read(source: str | os.PathLike[str]) -> Content | Ensemble:
    """Read a model from JSON text, which begins with "{", or from the file of that path; call it inside ``reading``."""
    text = source if isinstance(source, str) and _is_json(source) else read_text(source)
    return _parse(json.loads(text, parse_constant=_refuse_constant))


@contextmanager
def reading(source: str | os.PathLike[str]) -> Iterator[None]:
    """Turn everything that a text which is not a model can raise into a ValueError that names it."""
    name = "the text" if _is_json(source) else os.fspath(source)
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is not a valid convexnn model file: {_reason(error)}") from error


def _is_json(source: str | os.PathLike[str]) -> bool:
    return isinstance(source, str) and source.lstrip()[:1] == "{"


def _reason(error: BaseException) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it; what it cannot hold, such as a random state, as None."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(map(_is_text, value)):
        return {name: plain(item) for name, item in value.items()}
    return value if isinstance(value, (bool, int, float, str)) else None


def _numbers(values: ArrayLike) -> list[float]:
    return np.asarray(values, dtype=np.float64).tolist()


def write_block(values: Array) -> dict[str, Any]:
    """Return an array of any shape as JSON can hold it."""
    # a network without units has blocks of shape (0, 1, 1), which nested lists cannot tell
    return {"shape": list(values.shape), "data": _numbers(values.ravel())}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}")


def _parse(content: Any) -> Content | Ensemble:
    """Check the content of a model file and return it."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"')
    version = content.get("version")
    if type(version) is not int or not OLDEST <= version <= VERSION:
        newer = "; a newer release of convexnn wrote it" if type(version) is int and version > VERSION else ""
        raise ValueError(f"its version is {version!r}, this release reads {OLDEST} to {VERSION}{newer}")
    return _parse_ensemble(content) if "parts" in content else _parse_fit(content)


def _parse_ensemble(content: dict[str, Any]) -> Ensemble:
    parts = [_parse_part(part, f"parts[{i}]") for i, part in enumerate(_list(content["parts"], "parts"))]
    if len({part.n_inputs for part in parts}) != 1:
        raise ValueError(f"its {len(parts)} parts must have the same number of inputs")
    return Ensemble(
        version=content["version"],
        estimator=_text(content["estimator"], "estimator"),
        parameters=_object(content["parameters"], "parameters"),
        feature_names=_parse_names(content["feature_names"], parts[0].n_inputs),
        parts=parts,
        extra=_object(content["extra"], "extra"),
    )


def _parse_part(part: Any, where: str) -> Content:
    try:
        parsed = _parse(part)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{where}: {_reason(error)}") from error
    if not isinstance(parsed, Content):
        raise ValueError(f"{where} has parts of its own")
    return parsed


def _parse_names(names: Any, n_inputs: int) -> list[str] | None:
    if names is not None and (len(_list(names, "feature_names")) != n_inputs or not all(_is_text(n) for n in names)):
        raise ValueError(f"feature_names must be {n_inputs} names or null")
    return names


def _parse_fit(content: dict[str, Any]) -> Content:
    pieces = [_parse_piece(piece, f"pieces[{i}]") for i, piece in enumerate(_list(content["pieces"], "pieces"))]
    if not pieces:
        raise ValueError("it has no inputs")
    names = _parse_names(content["feature_names"], len(pieces))
    network = _parse_network(content["network"], len(pieces), content["version"])
    coef = read_numbers(content["coef"], "coef", network.outer.size)
    rows = _list(content["features"], "features")
    if len(rows) != coef.size:
        raise ValueError(f"features has {len(rows)} entries, expected {coef.size}")
    features = [_parse_feature(row, f"features[{i}]", len(pieces)) for i, row in enumerate(rows)]
    return Content(
        version=content["version"],
        estimator=_text(content["estimator"], "estimator"),
        parameters=_object(content["parameters"], "parameters"),
        feature_names=names,
        fitted=_parse_fitted(_object(content["fitted"], "fitted")),
        model=Model(network, pieces, _number(content["offset"], "offset"), coef, features),
        extra=_object(content["extra"], "extra"),
    )


def _parse_fitted(values: dict[str, Any]) -> dict[str, Any]:
    if values.keys() != FITTED.keys():
        odd = sorted(values.keys() ^ FITTED.keys())
        raise ValueError(f"fitted must hold the attributes of this version, but differs in {', '.join(odd)}")
    for name, kind in FITTED.items():
        if kind is float:
            _number(values[name], name)
        elif type(values[name]) is not kind:
            raise ValueError(f"{name} must be of type {kind.__name__}, got {values[name]!r}")
    return {name: kind(values[name]) for name, kind in FITTED.items()}


def _parse_piece(piece: Any, where: str) -> PiecewiseLinear:
    piece = _object(piece, where)
    breakpoints = read_numbers(piece["breakpoints"], f"{where}.breakpoints")
    if (np.diff(breakpoints) <= 0).any():
        raise ValueError(f"{where}.breakpoints do not increase")
    rest = (read_numbers(piece[name], f"{where}.{name}", breakpoints.size + 1) for name in PIECE_FIELDS[1:])
    return PiecewiseLinear(breakpoints, *rest)


def _parse_network(network: Any, n_inputs: int, version: int) -> Network:
    """Return the network, its blocks of fitting shapes."""
    activation = _object(network, "network")["activation"]
    if activation not in ACTIVATIONS:
        raise ValueError(f"network.activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    outer = read_numbers(network["outer"], "outer")
    inputs = _list(network["inputs"], "inputs")
    if len(inputs) != outer.size or not all(type(i) is int and 0 <= i < n_inputs for i in inputs):
        raise ValueError(f"inputs must hold {outer.size} numbers of inputs, 0 to {n_inputs - 1}")
    matrices, vectors = _list(network["weights"], "weights"), _list(network["biases"], "biases")
    if len(matrices) != len(vectors) or not matrices:
        raise ValueError(f"the network has {len(matrices)} blocks of weights and {len(vectors)} of biases")
    weights, biases, width = [], [], 1
    for layer, (matrix, vector) in enumerate(zip(matrices, vectors, strict=True)):
        weights.append(read_block(matrix, f"weights[{layer}]", (outer.size, width, None)))
        width = weights[-1].shape[2]
        biases.append(read_block(vector, f"biases[{layer}]", (outer.size, width)))
    if width != 1:
        raise ValueError(f"the last layer of a unit must have one neuron, got {width}")
    skip, centers = network["skip_coef"], network["centers"] if version >= 3 else None
    return Network(
        activation,
        _number(network["negative_slope"], "negative_slope"),
        n_inputs,
        np.array(inputs, dtype=np.int64),
        Units(tuple(weights), tuple(biases)),
        outer,
        _number(network["intercept"], "intercept"),
        None if skip is None else read_numbers(skip, "skip_coef", n_inputs),
        None if centers is None else read_numbers(centers, "centers", n_inputs),
    )


def read_block(block: Any, where: str, expected: tuple[int | None, ...]) -> Array:
    """Return the array that ``write_block`` wrote; an error unless it has the expected shape, None for any positive size."""
    shape = _list(_object(block, where)["shape"], f"{where}.shape")
    fits = len(shape) == len(expected) and all(
        type(size) is int and (size > 0 if wanted is None else size == wanted)
        for size, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        raise ValueError(f"{where} has shape {shape}, expected {['any' if e is None else e for e in expected]}")
    # a product of Python's integers cannot overflow, and nothing is allocated before the data are counted
    return read_numbers(block["data"], where, math.prod(shape)).reshape(shape)


def _parse_feature(row: Any, where: str, n_inputs: int) -> Feature:
    if len(_list(row, where)) != 6:
        raise ValueError(f"{where} must hold kind, input, breakpoints, signs, origins and sources")
    kind, which, breakpoints, signs, origins, sources = row
    if type(which) is not int or not 0 <= which < n_inputs:
        raise ValueError(f"{where}: input must be 0 to {n_inputs - 1}, got {which!r}")
    if not all(type(sign) is int and abs(sign) <= 1 for sign in _list(signs, f"{where}: signs")):
        raise ValueError(f"{where}: signs must be -1, 0 or 1")
    if len(_list(origins, f"{where}: origins")) != len(breakpoints) or not all(_is_text(text) for text in origins):
        raise ValueError(f"{where}: origins must be {len(breakpoints)} texts")
    if len(_list(sources, f"{where}: sources")) != len(breakpoints):
        raise ValueError(f"{where}: sources must be {len(breakpoints)} lists of points")
    places = read_numbers(breakpoints, f"{where}: breakpoints").tolist()
    points = tuple(tuple(read_numbers(one, f"{where}: sources").tolist()) for one in sources)
    return Feature(_text(kind, f"{where}: kind"), which, tuple(places), tuple(signs), tuple(origins), points)


def read_numbers(values: Any, what: str, size: int | None = None) -> Array:
    """Return a list of finite numbers as a read-only array."""
    values = _list(values, what)
    # bool is a kind of int in Python, and numpy would take text for numbers
    if not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{what} must hold numbers only")
    try:
        array = np.array(values, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{what} holds an integer that is too large") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds a number that is not finite")
    if size is not None and array.size != size:
        raise ValueError(f"{what} has {array.size} numbers, expected {size}")
    array.setflags(write=False)
    return array


def _number(value: Any, what: str) -> float:
    return float(read_numbers([value], what)[0])


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text")
    return value
