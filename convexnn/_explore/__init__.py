"""The interactive page: paths of certified fits as one HTML file that needs no server and no other file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from convexnn._path import convex_nn_path
from convexnn.path import SolutionPath
from convexnn.plotting._certificate import correlation_curves
from convexnn.plotting._features import arcs_of

Array = NDArray[np.float64]
MOST_DOTS = 2000  # more points of data than these are thinned in the picture
MOST_FEATURES = 40  # of each fit, the strongest
MOST_BIASES = 200  # of each curve of correlations
# of more distinct inputs than these the exact path, with its thousands of kinks, is not computed; reflections cost more
MOST_FOR_EXACT, MOST_FOLDED = 1000, 100


def explore_page(
    x: Array,
    y: Array,
    networks: Sequence[dict[str, Any]],
    *,
    alphas: int = 40,
    eps: float = 1e-3,
    x_name: str = "x",
    y_name: str = "y",
    sample_weight: Array | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> str:
    """Return the page: for each network a path of fits, among which a slider chooses.

    The fits are at the kinks of the exact path, between which all is linear in alpha; at evenly chosen ones where there are
    more than ``alphas``. For many inputs they are at a grid. Each is solved and certified by itself.

    Parameters
    ----------
    x, y : ndarray of shape (n_samples,)
        One input and the target.
    networks : sequence of dict
        Parameters of :class:`convexnn.ConvexNNRegressor`, of one network each.
    alphas : int, default=40
        The largest number of fits in a path.
    eps : float, default=1e-3
        The least alpha over the critical one.
    x_name, y_name : str, default="x", "y"
        The names of the columns.
    sample_weight : ndarray of shape (n_samples,), default=None
        The weights of the rows.
    report : callable, default=None
        Gets one line for each path that is done.

    Returns
    -------
    str
        HTML with everything in it.

    Examples
    --------
    >>> from convexnn._explore import explore_page
    >>> from convexnn.datasets import load_mcycle
    >>> X, y = load_mcycle(return_X_y=True)
    >>> explore_page(X[:, 0], y, [{"depth": 2}], alphas=3)[:15]
    '<!DOCTYPE html>'
    """
    described = []
    for parameters in networks:
        data = {"X": x[:, None], "y": y, "sample_weight": sample_weight, "eps": eps, **parameters}
        kinks = _kinks(data)
        kept = alphas if kinks is None else kinks[_spread(kinks.size, alphas)]
        path = convex_nn_path(**data, alphas=kept)
        places = "a grid" if kinks is None else f"{len(path)} of {kinks.size} kinks of the exact path"
        described.append(_describe(path, places))
        report(f"{described[-1]['name']}: {len(path)} fits, largest gap {path.dual_gaps.max():.1e}")
    shown = _spread(x.size, MOST_DOTS)
    order = np.argsort(x, kind="stable")[shown]
    note = "" if shown.size == x.size else f"{shown.size} of the {x.size} rows are drawn; all were fitted. "
    content = {
        "x_name": x_name,
        "y_name": y_name,
        "x": x[order].tolist(),
        "y": y[order].tolist(),
        "networks": described,
        "note": note + "Gaps are relative to the objective. Drawn by convexnn.",
    }
    # within a script element only these characters could end it
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = resources.files("convexnn._explore").joinpath("page.html").read_text(encoding="utf-8")
    return page.replace("__DATA__", text)


def _spread(size: int, most: int) -> NDArray[np.int64]:
    """Return at most so many places among ``size``, evenly, both ends included."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(np.int64))


def _kinks(data: dict[str, Any]) -> Array | None:
    """Return the alphas at which the exact path turns, or None where there is none, or there are too many to follow."""
    folded = data.get("depth", 2) > 2 and data.get("activation") == "abs"
    if data.get("max_breakpoints") or np.unique(data["X"]).size > (MOST_FOLDED if folded else MOST_FOR_EXACT):
        return None
    with warnings.catch_warnings():
        # a path that ends early says so; a grid then does instead
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return convex_nn_path(**data, exact=True).alphas
        except ConvergenceWarning:
            return None


def _describe(path: SolutionPath, places: str) -> dict[str, Any]:
    """Return what the page shows of a path."""
    spec = path.trainings[0].spec
    shape = "" if spec.depth == 2 else f", {spec.architecture}"
    skip = ", skip connection" if spec.skip_connection else ""
    return {
        "name": f"depth {spec.depth}, {spec.activation}{shape}{skip}",
        "exact": bool(path.exact),
        "places": places,
        "fits": [_fit(path, place) for place in range(len(path))],
    }


def _fit(path: SolutionPath, place: int) -> dict[str, Any]:
    training, model = path.trainings[place], path.models[place]
    f = model.pieces[0].raised(model.offset)
    curves, active, largest, beta = correlation_curves(training, model, 0)
    strongest = np.argsort(-np.abs(model.coef), kind="stable")[:MOST_FEATURES]
    return {
        "alpha": float(path.alphas[place]),
        "objective": float(path.objectives[place]),
        "gap": float(path.dual_gaps[place]),
        "neurons": int(model.network.n_neurons),
        "correlation": largest / beta if beta else 0.0,
        "pieces": {name: getattr(f, name).tolist() for name in ("breakpoints", "anchors", "values", "slopes")},
        "features": [_feature(model.features[int(k)], float(model.coef[k])) for k in strongest],
        "curves": [{**_thinned(curve, beta), "connected": curve.connected} for curve in curves],
        "active": {"biases": [], "correlations": []} if active is None else _thinned(active, beta),
    }


def _thinned(curve: Any, beta: float) -> dict[str, list[float]]:
    """Return a curve over beta with few enough digits and points for a picture; extremes are kept."""
    kept = np.arange(curve.biases.size)
    if kept.size > MOST_BIASES:
        largest = np.argsort(-np.abs(curve.correlations), kind="stable")[: MOST_BIASES // 4]
        kept = np.union1d(largest, np.linspace(0, kept.size - 1, MOST_BIASES - largest.size).round().astype(int))
    return {
        "biases": [float(f"{b:.9g}") for b in curve.biases[kept]],
        "correlations": [float(f"{c:.6g}") for c in curve.correlations[kept] / (beta or 1.0)],
    }


def _feature(feature: Any, coef: float) -> dict[str, Any]:
    places = ", ".join(
        f"{place:.6g}" + ("" if origin == "training point" else f" ({origin})")
        for place, origin in zip(feature.breakpoints, feature.origins, strict=True)
    )
    return {
        "coef": coef,
        "breakpoints": list(feature.breakpoints),
        "text": f"{feature.kind} at {places}",
        "arcs": [[arc.source, arc.mirror, arc.image] for arc in arcs_of(feature)],
    }
