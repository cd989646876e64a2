"""convex_nn_path: optimal networks for many alphas, as a function."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, validate_params

from convexnn._base import ROUNDING
from convexnn._regressor import described
from convexnn._threads import one_blas_thread
from convexnn.path import SolutionPath, falling, follow, follow_exactly, geometric_alphas
from convexnn.progress import watching
from convexnn.training import Trainer


@validate_params(
    {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0.0, 1.0, closed="neither")],
        "exact": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@one_blas_thread()
def convex_nn_path(
    X: ArrayLike,
    y: ArrayLike,
    *,
    alphas: int | ArrayLike = 100,
    eps: float = 1e-3,
    exact: bool = False,
    sample_weight: ArrayLike | None = None,
    **parameters,
) -> SolutionPath:
    """Train networks to certified global optimality along a path of alphas.

    The data are validated, sorted and merged once, and each solution is the start of the next: much cheaper than as
    many fits, with the same certificates.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs.
    y : array-like of shape (n_samples,)
        Targets.
    alphas : int or array-like, default=100
        The regularisation: so many values, evenly spaced in the logarithm from the critical alpha down to ``eps`` times it;
        or the values themselves, non-negative, which are sorted.
    eps : float, default=1e-3
        The length of the path: the least alpha over the critical one, between 0 and 1.
    exact : bool, default=False
        Whether to return the whole path instead of a grid: it is piecewise linear in alpha, and ``alphas`` of the result are
        the critical alpha, all kinks below it, and the end. The end is the least of ``alphas`` where these are given. For
        the squared loss, one step for each kink, which are about as many as points: of one input at depth 2 (not threshold
        and sign) and narrow ReLU a step is a pass over the data, good for tens of thousands of points; else it works on
        explicit features, for small dictionaries. Without shape constraints and ``max_breakpoints``.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights of the rows.
    **parameters
        Parameters of :class:`ConvexNNRegressor` but ``alpha`` and ``warm_start``.

    Returns
    -------
    SolutionPath
        For every alpha the active features, coefficients, intercept, gap, objective and neurons; ``predict(X)``.

    Raises
    ------
    ValueError
        If a parameter or the data are not valid; nothing is computed then.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached at some alpha.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), solution paths of the equivalent Lasso.

    Examples
    --------
    >>> from convexnn import convex_nn_path
    >>> path = convex_nn_path([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 3.0], alphas=[0.1, 0.01, 0.0])
    >>> path.alphas.tolist(), path.n_neurons.tolist()
    ([0.1, 0.01, 0.0], [2, 2, 2])

    On the exact path any alpha can be asked for:

    >>> path = convex_nn_path([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 3.0], exact=True)
    >>> path.predict([[3.0]], alpha=[0.1, 0.01]).round(3).tolist()
    [[2.633, 2.96]]
    """
    for name in ("alpha", "warm_start"):
        if name in parameters:
            raise TypeError(f"convex_nn_path() got the argument {name!r}; a path takes 'alphas' and always starts warm")
    given = None if isinstance(alphas, Integral) else falling(alphas)
    estimator = described("convex_nn_path", parameters)
    trainer = estimator._trainer(X, y, sample_weight)
    if exact:
        path, end = _exact(trainer, eps * trainer.alpha_max if given is None else float(given[-1]))
        doubts = [end, _not_converged(path, estimator.tol), _kinks_hidden(path, estimator.tol)]
    else:
        grid = geometric_alphas(trainer.alpha_max, int(alphas), eps) if given is None else given
        with watching(trainer.unit.data, estimator.verbose - 1):
            path = follow(trainer, grid, tol=estimator.tol, max_iter=estimator.max_iter, verbose=estimator.verbose)
        doubts = [_not_converged(path, estimator.tol)]
    for doubt in filter(None, doubts):
        warnings.warn(doubt, ConvergenceWarning, stacklevel=4)  # past the two decorators
    return path


def _exact(trainer: Trainer, alpha_min: float) -> tuple[SolutionPath, str]:
    """Return the whole path, and what to say where it ends early."""
    if alpha_min == 0.0 and trainer.alpha_max > 0.0:
        raise ValueError("An exact path ends above zero: set eps, or positive alphas")
    if not trainer.unit.data.loss.quadratic:
        raise ValueError("An exact path needs loss='squared': others are not piecewise linear in alpha")
    if trainer.unit.network is not None:
        raise ValueError("An exact path is not followed under monotonic_cst or convexity_cst; leave exact=False")
    if trainer.spec.max_breakpoints is not None:
        raise ValueError("An exact path needs max_breakpoints=None: the breakpoints that are left slide anew at every alpha")
    path, status = follow_exactly(trainer, alpha_min)
    return path, f"The path ends at alpha={path.alphas[-1]:.6g}, not {alpha_min:.6g}: {status}." if status else ""


def _not_converged(path: SolutionPath, tol: float) -> str:
    missed = np.flatnonzero(path.dual_gaps > tol)
    if not missed.size:
        return ""
    worst = missed[np.argmax(path.dual_gaps[missed])]
    return (
        f"The relative duality gap is more than tol={tol:g} at {missed.size} of {len(path)} alphas, at most "
        f"{path.dual_gaps[worst]:.3g} at alpha={path.alphas[worst]:.6g}: "
        f"{path.trainings[worst].solution.status or ROUNDING}."
    )


def _kinks_hidden(path: SolutionPath, tol: float) -> str:
    missed = path.gaps_between > tol
    if not missed.any():
        return ""
    worst = int(np.argmax(path.gaps_between))
    return (
        f"Rounding hides kinks: halfway between kinks the relative duality gap is more than tol={tol:g} in "
        f"{np.count_nonzero(missed)} of {len(path) - 1} places, at most {path.gaps_between[worst]:.3g} between alpha="
        f"{path.alphas[worst]:.6g} and {path.alphas[worst + 1]:.6g}: fit there with ConvexNNRegressor."
    )
