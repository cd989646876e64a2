"""Model files: a fitted estimator as JSON, and back as a small object that predicts the same numbers."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_is_fitted

from convexnn.piecewise import PiecewiseLinear

Array = NDArray[np.float64]
FORMAT = "convexnn-model"
VERSION = 1
PIECE_FIELDS = ("breakpoints", "anchors", "values", "slopes")
NUMBERS = ("offset", "alpha", "objective", "dual_gap")


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model read from a file: predicts exactly what the estimator that wrote the file predicts.

    Attributes
    ----------
    parameters : dict
        The parameters of the estimator; a ``RandomState`` instance is kept as None.
    feature_names : tuple of str or None
        The names of the inputs, None if the estimator knew none.
    n_features_in_ : int
        The number of inputs.
    activation : str
        The hidden activation of the network.
    coefs, intercepts : list of ndarray
        Weights ``(n_in, n_out)`` and biases ``(n_out,)`` of each layer.
    skip_coef : ndarray of shape (n_features_in_,) or None
        The linear skip connection.
    alpha_, objective_, dual_gap_ : float
        As fitted.
    exact_ : bool
        As fitted.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from convexnn import ConvexNNRegressor
    >>> from convexnn._export import load_model, save_model
    >>> model = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_model(model, Path(folder) / "model.json")
    ...     loaded = load_model(path)
    >>> loaded.predict([[2.0]])
    array([0.5])
    """

    parameters: Mapping[str, Any]
    feature_names: tuple[str, ...] | None
    activation: str
    coefs: list[Array]
    intercepts: list[Array]
    skip_coef: Array | None
    alpha_: float
    objective_: float
    dual_gap_: float
    exact_: bool
    _offset: float = field(repr=False)
    _pieces: list[PiecewiseLinear] = field(repr=False)

    @property
    def n_features_in_(self) -> int:
        """The number of inputs."""
        return len(self._pieces)

    @property
    def breakpoints_(self) -> list[Array]:
        """The breakpoints of the function of each input."""
        return [piece.breakpoints for piece in self._pieces]

    @property
    def slopes_(self) -> list[Array]:
        """The slopes of the function of each input, one more than breakpoints."""
        return [piece.slopes for piece in self._pieces]

    def predict(self, X: ArrayLike) -> Array:
        """Return the fitted function at X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
            Inputs, finite.

        Returns
        -------
        ndarray of shape (n_samples,)
            The predictions.
        """
        names = getattr(X, "columns", None)
        if names is not None and self.feature_names is not None and tuple(names) != self.feature_names:
            raise ValueError(f"X has the columns {list(names)}, the model was fitted to {list(self.feature_names)}.")
        inputs: Array = check_array(X, dtype=np.float64)
        if inputs.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {inputs.shape[1]} features, but the model was fitted to {self.n_features_in_}.")
        # the order of the sum is the estimator's, so that both round alike
        start = np.full(len(inputs), self._offset)
        return sum((f(x) for f, x in zip(self._pieces, inputs.T, strict=True)), start=start)


def save_model(estimator: Any, path: str | os.PathLike[str], *, feature_names: Sequence[str] | None = None) -> Path:
    """Write a fitted estimator to a JSON file.

    The file appears complete or not at all: it is written beside its place and then moved there.

    Parameters
    ----------
    estimator : ConvexNNRegressor
        A fitted estimator.
    path : str or path-like
        The file; one that exists is replaced.
    feature_names : sequence of str, default=None
        The names of the inputs; by default the estimator's ``feature_names_in_``, if it has them.

    Returns
    -------
    Path
        The file written.
    """
    text = json.dumps(_describe(estimator, feature_names), allow_nan=False, separators=(",", ":"))
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return Path(path)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write, which takes the place of ``path`` at the end, or vanishes on an error."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        # mkstemp makes files that only their owner can read: give this one the rights of any other
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load_model(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model file.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save_model` wrote.

    Returns
    -------
    SavedModel
        An object with the estimator's ``predict``.

    Raises
    ------
    ValueError
        If the file is not a whole and consistent model file of a known version.
    """
    path = Path(path)
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a valid convexnn model file: {reason}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _describe(estimator: Any, feature_names: Sequence[str] | None) -> dict[str, Any]:
    """Return the content of the model file."""
    check_is_fitted(estimator)
    if feature_names is None:
        feature_names = getattr(estimator, "feature_names_in_", None)
    names = None if feature_names is None else [str(name) for name in feature_names]
    if names is not None and len(names) != estimator.n_features_in_:
        raise ValueError(f"feature_names has {len(names)} names, the estimator {estimator.n_features_in_} inputs.")
    coefs, intercepts, skip = estimator.get_network_weights()
    return {
        "format": FORMAT,
        "version": VERSION,
        "estimator": type(estimator).__name__,
        "parameters": {name: _plain(value) for name, value in estimator.get_params(deep=False).items()},
        "feature_names": names,
        "offset": float(estimator._offset),
        "pieces": [{name: _numbers(getattr(f, name)) for name in PIECE_FIELDS} for f in estimator._pieces],
        "network": {
            "activation": estimator.network_.activation,
            # a network without units has matrices of shape (1, 0) and (0, 1), which nested lists cannot tell
            "coefs": [{"shape": list(coef.shape), "data": _numbers(coef.ravel())} for coef in coefs],
            "intercepts": [_numbers(bias) for bias in intercepts],
            "skip_coef": None if skip is None else _numbers(skip),
        },
        "alpha": float(estimator.alpha_),
        "objective": float(estimator.objective_),
        "dual_gap": float(estimator.dual_gap_),
        "exact": bool(estimator.exact_),
    }


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str)) else None


def _numbers(values: ArrayLike) -> list[float]:
    return np.asarray(values, dtype=np.float64).tolist()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}")


def _parse(content: Any) -> SavedModel:
    """Check the content of a model file and return the model."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"')
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise ValueError(f"its version is {content.get('version')!r}, this package reads version {VERSION}")
    pieces = [_parse_piece(piece, f"pieces[{i}]") for i, piece in enumerate(_list(content["pieces"], "pieces"))]
    names, exact, parameters, network = (content[key] for key in ("feature_names", "exact", "parameters", "network"))
    if not pieces:
        raise ValueError("it has no inputs")
    if names is not None and (len(_list(names, "feature_names")) != len(pieces) or not all(_is_text(n) for n in names)):
        raise ValueError(f"feature_names must be {len(pieces)} names or null")
    if not isinstance(exact, bool):
        raise ValueError("exact must be true or false")
    numbers = {key: float(_array([content[key]], key, 1)[0]) for key in NUMBERS}
    coefs, intercepts, skip = _parse_network(network, len(pieces))
    return SavedModel(
        parameters=_object(parameters, "parameters"),
        feature_names=None if names is None else tuple(names),
        activation=network["activation"],
        coefs=coefs,
        intercepts=intercepts,
        skip_coef=skip,
        alpha_=numbers["alpha"],
        objective_=numbers["objective"],
        dual_gap_=numbers["dual_gap"],
        exact_=exact,
        _offset=numbers["offset"],
        _pieces=pieces,
    )


def _parse_piece(piece: Any, where: str) -> PiecewiseLinear:
    piece = _object(piece, where)
    breakpoints = _array(piece["breakpoints"], f"{where}.breakpoints")
    if (np.diff(breakpoints) <= 0).any():
        raise ValueError(f"{where}.breakpoints do not increase")
    rest = (_array(piece[name], f"{where}.{name}", breakpoints.size + 1) for name in PIECE_FIELDS[1:])
    return PiecewiseLinear(breakpoints, *rest)


def _parse_network(network: Any, n_inputs: int) -> tuple[list[Array], list[Array], Array | None]:
    """Return weights, biases and skip connection, layer by layer of fitting shapes."""
    if not _is_text(_object(network, "network")["activation"]):
        raise ValueError("network.activation must be a name")
    matrices = _list(network["coefs"], "coefs")
    biases = _list(network["intercepts"], "intercepts")
    if len(matrices) != len(biases) or len(matrices) < 2:
        raise ValueError(f"the network has {len(matrices)} weight matrices and {len(biases)} bias vectors")
    coefs, intercepts, width = [], [], n_inputs
    for layer, (matrix, bias) in enumerate(zip(matrices, biases, strict=True)):
        intercepts.append(_array(bias, f"intercepts[{layer}]", 1 if layer == len(biases) - 1 else None))
        shape = (width, intercepts[-1].size)
        if _object(matrix, f"coefs[{layer}]")["shape"] != list(shape):
            raise ValueError(f"coefs[{layer}] has shape {matrix['shape']}, expected {list(shape)}")
        coefs.append(_array(matrix["data"], f"coefs[{layer}]", shape[0] * shape[1]).reshape(shape))
        width = shape[1]
    skip = network["skip_coef"]
    return coefs, intercepts, None if skip is None else _array(skip, "skip_coef", n_inputs)


def _array(values: Any, what: str, size: int | None = None) -> Array:
    """Return a list of finite numbers as a read-only array."""
    values = _list(values, what)
    # bool is a kind of int in Python, and numpy would take text for numbers
    if not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{what} must hold numbers only")
    array = np.array(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds a number that is not finite")
    if size is not None and array.size != size:
        raise ValueError(f"{what} has {array.size} numbers, expected {size}")
    array.setflags(write=False)
    return array


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
