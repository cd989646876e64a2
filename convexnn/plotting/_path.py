"""PathDisplay: coefficients, breakpoints and cross-validation errors against alpha."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convexnn.path import SolutionPath, follow, geometric_alphas
from convexnn.plotting._style import CYCLE, check_drawable, finish, input_names, palette, panels
from convexnn.training import prepare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
KINDS = ("coefficients", "breakpoints", "cv")


class PathDisplay:
    """What becomes of a fit along alpha: its coefficients, its breakpoints, or its error on data left out.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        The regularisation.
    coefs : ndarray of shape (n_alphas, n_features), default=None
        The coefficient of every feature that is ever active, 0 where it is not.
    breakpoints : sequence of ndarray, default=None
        For each alpha the breakpoints of the fit.
    mse_path : ndarray of shape (n_alphas, n_folds), default=None
        For each alpha the errors on the folds left out.
    alpha : float, default=None
        The alpha chosen, drawn as a vertical line.
    x_name : str, default="x"
        The name of the input, for the breakpoints.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressorCV
    >>> from convexnn.datasets import load_mcycle
    >>> from convexnn.plotting import PathDisplay
    >>> model = ConvexNNRegressorCV(alphas=20).fit(*load_mcycle(return_X_y=True))
    >>> PathDisplay.from_estimator(model).mse_path.shape  # few rows: five shuffles of five folds
    (20, 25)
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        alphas: ArrayLike,
        *,
        coefs: ArrayLike | None = None,
        breakpoints: Sequence[ArrayLike] | None = None,
        mse_path: ArrayLike | None = None,
        alpha: float | None = None,
        x_name: str = "x",
    ):
        self.alphas = np.asarray(alphas, dtype=np.float64)
        self.coefs = None if coefs is None else np.asarray(coefs, dtype=np.float64)
        self.breakpoints = None if breakpoints is None else [np.asarray(b, dtype=np.float64) for b in breakpoints]
        self.mse_path = None if mse_path is None else np.asarray(mse_path, dtype=np.float64)
        self.alpha = alpha
        self.x_name = x_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str | None = None,
        alphas: int = 50,
        eps: float = 1e-3,
        feature: int = 0,
        ax: Axes | None = None,
        x_name: str | None = None,
    ) -> PathDisplay:
        """Draw the path on which a fitted estimator lies.

        Parameters
        ----------
        estimator : ConvexNNRegressor or ConvexNNRegressorCV
            Fitted, and not read from a file.
        kind : {"coefficients", "breakpoints", "cv"}, default=None
            What to draw; "cv" needs a cross-validated estimator, for which it is the default. The others compute the path
            on the training data.
        alphas : int, default=50
            The number of alphas of a path that is computed.
        eps : float, default=1e-3
            Their least over the critical alpha.
        feature : int, default=0
            The input.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        x_name : str, default=None
            The name of the input. By default that which the estimator knows.

        Returns
        -------
        PathDisplay
            The picture, drawn.
        """
        check_drawable(estimator)
        crossed = hasattr(estimator, "mse_path_")
        kind = ("cv" if crossed else "coefficients") if kind is None else kind
        if kind == "cv":
            if not crossed:
                raise ValueError('kind="cv" needs a ConvexNNRegressorCV.')
            return cls(estimator.alphas_, mse_path=estimator.mse_path_, alpha=estimator.alpha_).plot(kind=kind, ax=ax)
        training = estimator._trained()
        trainer = prepare(training.problem.data, training.spec, estimator.solver)
        grid = geometric_alphas(trainer.alpha_max, alphas, eps)
        path = follow(trainer, grid, tol=estimator.tol, max_iter=estimator.max_iter)
        return cls.from_path(
            path, kind=kind, feature=feature, alpha=estimator.alpha_, ax=ax,
            x_name=x_name or input_names(estimator)[feature],
        )  # fmt: skip

    @classmethod
    def from_path(
        cls,
        path: SolutionPath,
        *,
        kind: str = "coefficients",
        feature: int = 0,
        alpha: float | None = None,
        ax: Axes | None = None,
        x_name: str = "x",
    ) -> PathDisplay:
        """Draw a path that has been computed.

        Parameters
        ----------
        path : SolutionPath
            What :func:`convexnn.convex_nn_path` returned.
        kind : {"coefficients", "breakpoints"}, default="coefficients"
            What to draw.
        feature : int, default=0
            The input.
        alpha : float, default=None
            An alpha to mark.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.
        x_name : str, default="x"
            The name of the input.

        Returns
        -------
        PathDisplay
            The picture, drawn.
        """
        breakpoints = [model.pieces[feature].breakpoints for model in path.models]
        coefs = _coefficients(path, feature)
        display = cls(path.alphas, coefs=coefs, breakpoints=breakpoints, alpha=alpha, x_name=x_name)
        return display.plot(kind=kind, ax=ax)

    def plot(self, *, kind: str = "coefficients", ax: Axes | None = None) -> PathDisplay:
        """Draw.

        Parameters
        ----------
        kind : {"coefficients", "breakpoints", "cv"}, default="coefficients"
            What to draw.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure.

        Returns
        -------
        PathDisplay
            Itself.
        """
        drawing = {"coefficients": (self.coefs, self._draw_coefs), "breakpoints": (self.breakpoints, self._draw_breakpoints),
                   "cv": (self.mse_path, self._draw_errors)}  # fmt: skip
        if kind not in drawing:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
        values, draw = drawing[kind]
        if values is None:
            raise ValueError(f"This display has no data for kind={kind!r}.")
        (self.ax_,) = panels(ax, 1)
        self.figure_ = self.ax_.figure
        colors = palette(self.ax_)
        self.ax_.set_xscale("log")
        self.ax_.invert_xaxis()  # the path begins at the critical alpha
        y_name = draw(colors)
        if self.alpha is not None and self.alpha > 0.0:
            label = f"alpha {self.alpha:.3g}"
            self.ax_.axvline(self.alpha, color=colors["data"], linestyle="--", linewidth=1.2, label=label)
        finish(self.ax_, "alpha", y_name)
        return self

    def _draw_coefs(self, colors: dict[str, str]) -> str:
        assert self.coefs is not None
        styles = ("-", "--", "-.", ":")
        for place, coef in enumerate(self.coefs.T):
            color, style = colors[CYCLE[place % len(CYCLE)]], styles[place // len(CYCLE) % len(styles)]
            self.ax_.plot(self.alphas, coef, style, color=color, linewidth=1.2)
        return "coefficient"

    def _draw_breakpoints(self, colors: dict[str, str]) -> str:
        assert self.breakpoints is not None
        x = np.repeat(self.alphas, [places.size for places in self.breakpoints])
        self.ax_.plot(x, np.concatenate(self.breakpoints), ".", color=colors["first"], markersize=4)
        return f"breakpoint on {self.x_name}"

    def _draw_errors(self, colors: dict[str, str]) -> str:
        assert self.mse_path is not None
        folds = self.mse_path.shape[1]
        mean = self.mse_path.mean(axis=1)
        self.ax_.plot(self.alphas, self.mse_path, color=colors["data"], linewidth=0.7, alpha=0.7)
        if folds > 1:
            error = self.mse_path.std(axis=1, ddof=1) / np.sqrt(folds)
            self.ax_.fill_between(self.alphas, mean - error, mean + error, color=colors["fit"], alpha=0.25, linewidth=0,
                                  label="one standard error")  # fmt: skip
        self.ax_.plot(self.alphas, mean, color=colors["fit"], linewidth=1.8, label=f"mean of {folds} folds")
        return "mean squared error on data left out"


def _coefficients(path: SolutionPath, feature: int) -> Array:
    """Return one column for every feature of an input that is ever active."""
    columns: dict[Any, int] = {}
    entries = []
    for row, model in enumerate(path.models):
        for k in np.flatnonzero(model.network.inputs == feature):
            one = model.features[int(k)]
            column = columns.setdefault((one.kind, one.breakpoints, one.signs), len(columns))
            entries.append((row, column, model.coef[k]))
    out = np.zeros((len(path), len(columns)))
    for row, column, value in entries:
        out[row, column] += value
    return out
