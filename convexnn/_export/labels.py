"""Class labels as JSON can hold them: numbers, strings or booleans, with the type that predictions have."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from convexnn._export.files import read_numbers

# what JSON may hold for the labels of an array of this kind; text may stand in an array of strings or of objects
KINDS: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float), "U": (str,), "O": (str,)}
TYPES = {np.dtype(code).name: np.dtype(code) for code in "?bBhHiIlLqQefd"} | {"str": np.dtype("U"), "object": np.dtype("O")}


def write_labels(classes: np.ndarray) -> dict[str, Any]:
    """Return the classes, sorted and distinct, with their type; an error where JSON cannot hold them."""
    labels = classes.tolist()
    name = "str" if classes.dtype.kind == "U" else classes.dtype.name
    if name not in TYPES or not all(isinstance(label, KINDS[classes.dtype.kind]) for label in labels):
        raise ValueError(f"JSON holds class labels that are numbers, strings or booleans, got {labels!r} of type {name}")
    return {"type": name, "labels": labels}


def read_labels(state: Any) -> np.ndarray:
    """Return the classes that ``write_labels`` wrote."""
    if not isinstance(state, dict) or state.keys() != {"type", "labels"} or not isinstance(state["labels"], list):
        raise ValueError("classes must hold type and labels")
    name, labels = state["type"], state["labels"]
    if not isinstance(name, str) or name not in TYPES:
        raise ValueError(f"the type of the classes must be one of {', '.join(TYPES)}, got {name!r}")
    kind = TYPES[name].kind
    # by the exact type: bool is a kind of int in Python
    if not all(type(label) in KINDS[kind] for label in labels):
        raise ValueError(f"the labels of the classes must be of type {name}, got {labels!r}")
    if kind == "f":
        read_numbers(labels, "classes")
    try:
        with np.errstate(over="raise"):
            classes = np.array(labels, dtype=TYPES[name])
    except (OverflowError, FloatingPointError):
        raise ValueError(f"the labels of the classes do not fit into {name}: {labels!r}") from None
    if classes.tolist() != labels or len(labels) < 2 or any(a >= b for a, b in pairwise(labels)):
        raise ValueError(f"the classes must be two or more different {name} labels in order, got {labels!r}")
    return classes


def write_weights(weights: dict[Any, Any]) -> list[list[Any]]:
    """Return weights by class as pairs: keys in JSON are strings, and labels need not be."""
    pairs = [[key.item() if isinstance(key, np.generic) else key, float(weight)] for key, weight in weights.items()]
    if not all(isinstance(label, (bool, int, float, str)) for label, _ in pairs):
        raise ValueError(f"JSON holds class labels that are numbers, strings or booleans, got class_weight={weights!r}")
    return pairs


def read_weights(pairs: list[Any]) -> dict[Any, float]:
    """Return the weights that ``write_weights`` wrote."""
    if not all(isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (bool, int, float, str) for pair in pairs):
        raise ValueError("class_weight must be a text, null, or pairs of a label and a weight")
    values = read_numbers([weight for _, weight in pairs], "class_weight").tolist()
    return {label: value for (label, _), value in zip(pairs, values, strict=True)}
