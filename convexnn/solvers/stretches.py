"""One input, features that are constant between few places: the problem on stretches of neighbouring points, refined.

A sum of such features is constant on stretches, so that the data enter through the weight and the mean of each stretch
only, and over all features on the stretches the problem is a quadratic programme (``bounded_switches``). Its dual point,
shared out over the points, certifies the fit against the features of all points and says where switches inside stretches
would help: there they are cut.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convexnn.dictionaries.base import Rows, SwitchDictionary
from convexnn.dictionaries.chains import layers, split
from convexnn.duality import Problem, evaluate_gap, price, refit, relative_gap
from convexnn.progress import INTERRUPTED, report
from convexnn.solvers import coordinate_descent
from convexnn.solvers.bounded_switches import SIGNS, Chains, Programme, Stretches, cleaned, minimise
from convexnn.solvers.solution import Solution
from convexnn.solvers.vertex import thinned

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Thinning = tuple[Programme, Places, Array]
Certified = tuple[Solution, Array, Thinning]
INNER = 1e-12
# entries of columns that the exact method may evaluate
DENSE = 1_000_000
# of the penalty of one switch, for the stretches that a fit begins with: more of them than the optimum has
FIRST = 0.5
# of the sum of all coefficients: a unit that is not tight and has no more is rounding
NEGLIGIBLE = 1e-11


def solve(problem: Problem, *, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Solve the problem to a relative duality gap of ``tol`` in at most ``max_iter`` sweeps over all points."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SwitchDictionary)
    penalty = float(problem.betas[0]) / dictionary.height
    places = np.concatenate(([0], dictionary.gaps + 1))  # where stretches may start
    starts = _first_starts(problem, dictionary, places, start)
    status = "max_iter pricing sweeps are used up: raise max_iter, alpha or tol"
    best: Certified | None = None
    for n_iter in range(1, max_iter + 1):
        programme = Programme(_merge(problem, starts), penalty, dictionary.switches)
        point, *others = minimise(programme, INNER)
        found = _fitted(problem, programme, starts, point)
        if best is None or found[0].gap.gap < best[0].gap.gap:
            best = found
        reached = relative_gap(problem, best[0].gap)
        stop = report(problem.data, best[0].gap.primal, reached, best[0].coef[0].size)
        if reached <= tol or stop:
            status = INTERRUPTED if reached > tol else ""
            break
        sums, first = np.add.reduceat(found[1], places), np.isin(places, starts, assume_unique=True)
        cut = np.union1d(starts, places[1 + _cuts(programme, point, sums, first)])
        if cut.size == starts.size:
            # what is left is rounding: the certificate tells which of the last points it has hurt least
            best = min([best, *(_fitted(problem, programme, starts, other) for other in others)], key=_gap)
            if relative_gap(problem, best[0].gap) <= tol:
                status = ""
                break
            if problem.data.y.size * best[0].coef[0].size <= DENSE:
                return _finished(problem, best[0], tol, max_iter, n_iter)
            status = "rounding stopped the solver: no violated feature is left to add; raise tol or alpha"
            break
        starts = cut
    assert best is not None
    return replace(_with_fewer_units(problem, *best, tol), n_iter=n_iter, status=status)


def _fitted(problem: Problem, programme: Programme, starts: Places, point: Chains) -> Certified:
    """Return the fit of a point with its certificate, its dual point, and what it was made of."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SwitchDictionary)
    lam, levels = _dual_point(problem, point, starts), cleaned(programme, point)
    solution = certified(problem, *_units(dictionary, programme, starts, levels), lam=lam)
    return solution, lam, (programme, starts, levels)


def _gap(found: Certified) -> float:
    return found[0].gap.gap


def _finished(problem: Problem, best: Solution, tol: float, max_iter: int, n_iter: int) -> Solution:
    """Let the exact active-set method go on where the interior point method is stopped by rounding."""
    exact = coordinate_descent.solve(problem, tol=tol, max_iter=max_iter, start=best)
    return replace(exact, n_iter=n_iter + exact.n_iter)


def _with_fewer_units(problem: Problem, solution: Solution, lam: Array, last: Thinning, tol: float) -> Solution:
    """Return the same fit with about as many units as it has steps, unless rounding makes it worse than ``tol``."""
    dictionary, (programme, starts, levels) = problem.dictionaries[0], last
    assert isinstance(dictionary, SwitchDictionary)
    rows, coef = _units(dictionary, programme, starts, thinned(programme, levels))
    tails = np.append(np.cumsum(lam[::-1])[::-1], 0.0)
    turns = np.where(rows >= 0, tails[rows + 1] * (1.0 - 2.0 * (np.arange(rows.shape[1]) % 2)), 0.0)
    tight = np.abs(dictionary.height * turns.sum(axis=1)) >= (1.0 - 1e-6) * float(problem.betas[0])
    kept = tight | (np.abs(coef) > NEGLIGIBLE * np.abs(coef).sum())
    # by the residuals, which show the least change of the fit
    allowed = max(tol, 2.0 * relative_gap(problem, certified(problem, solution.features[0], solution.coef[0]).gap))
    for units in ((rows[kept], coef[kept]), (rows, coef)):
        if relative_gap(problem, certified(problem, *units).gap) <= allowed:
            return certified(problem, *units, lam=lam)
    return solution


def certified(problem: Problem, rows: Rows, coef: Array, *, lam: Array | None = None) -> Solution:
    """Refit the free directions beside these features and certify the fit, by the dual point ``lam`` if there is one."""
    dictionary = problem.dictionaries[0]
    assert isinstance(dictionary, SwitchDictionary)
    steps = _superposed(dictionary, rows, coef)
    fit = refit(problem, steps)
    if lam is None:
        lam = problem.data.w * (problem.data.y - fit)
    cost = float(problem.betas[0] * np.abs(coef).sum())
    gap = evaluate_gap(problem, fit, cost, lam=lam, paired=float(np.dot(lam, steps)), limit=0)
    intercept, skip = problem.free_coefficients(fit - steps)
    intercept -= dictionary.low * float(coef.sum())
    return Solution((rows,), (coef,), intercept, skip, gap, 1, lam=lam)


def _superposed(dictionary: SwitchDictionary, rows: Rows, coef: Array) -> Array:
    """Return the sum of the features, less their low values, at the points: from its steps, without a matrix."""
    unit, turn = np.nonzero(rows >= 0)
    jumps = np.zeros(dictionary.points.size)
    np.add.at(jumps, rows[unit, turn] + 1, coef[unit] * dictionary.height * (1.0 - 2.0 * (turn % 2)))
    return np.cumsum(jumps)


def _first_starts(problem: Problem, dictionary: SwitchDictionary, places: Places, start: Solution | None) -> Places:
    """Return the stretches of the last fit, or of total-variation denoising with a penalty between those of K switches."""
    from convexnn.kernels.total_variation import denoise

    if start is not None and start.coef[0].size:
        return dictionary.level_starts(start.features[0])
    data = problem.data
    residual = data.y - refit(problem, np.zeros(data.y.size))
    w = np.add.reduceat(data.w, places)
    penalty = float(problem.betas[0]) / dictionary.height / dictionary.switches
    steps = denoise(np.add.reduceat(data.w * residual, places) / w, w, FIRST * penalty)
    if steps.min() < steps.max():
        return places[np.concatenate(([0], np.flatnonzero(np.diff(steps)) + 1))]
    return dictionary.level_starts(price(problem, data.w * residual, limit=1).features[0])


def _merge(problem: Problem, starts: Places) -> Stretches:
    """Merge the points of stretches like ties."""
    data, free = problem.data, problem.free_columns()
    w = np.add.reduceat(data.w, starts)
    y = np.add.reduceat(data.w * data.y, starts) / w
    means = np.add.reduceat(data.w[:, None] * free, starts) / w[:, None]
    sizes = np.diff(np.append(starts, data.y.size))
    inside = free - np.repeat(means, sizes, axis=0)
    weighted = data.w[:, None] * inside
    return Stretches(w, y, means, weighted.T @ inside, weighted.T @ (data.y - np.repeat(y, sizes)))


def _dual_point(problem: Problem, point: Chains, starts: Places) -> Array:
    """Return the weighted residuals at all points."""
    steps = np.repeat(point.steps, np.diff(np.append(starts, problem.data.y.size)))
    return problem.data.w * (problem.data.y - refit(problem, steps))


def _units(
    dictionary: SwitchDictionary, programme: Programme, starts: Places, levels: Array
) -> tuple[Rows, Array]:
    """Write the function as features of least norm."""
    if dictionary.switches == dictionary.gaps.size:
        return name_units(dictionary, starts, [(1.0, *layers(levels @ SIGNS))])
    heights = programme.heights(levels)
    parts = [(SIGNS[j], *split(levels[:, j], heights[j], dictionary.switches)) for j in range(2)]
    return name_units(dictionary, starts, parts)


def name_units(
    dictionary: SwitchDictionary, starts: Places, parts: list[tuple[float, list[list[int]], list[float]]]
) -> tuple[Rows, Array]:
    """Return features and coefficients of signed parts of (rows, masses); units that begin high become their complement."""
    found: dict[tuple[int, ...], float] = {}
    for sign, rows, masses in parts:
        for row, mass in zip(rows, masses, strict=True):
            high = row[0] == 0
            name = tuple(row[high:])
            found[name] = found.get(name, 0.0) + (-sign if high else sign) * mass / dictionary.height
    features = np.full((len(found), dictionary.switches), -1, dtype=np.int64)
    for feature, name in zip(features, found, strict=True):
        feature[: len(name)] = starts[list(name)] - 1
    return features, np.array(list(found.values()))


def _cuts(programme: Programme, point: Chains, sums: Array, first: NDArray[np.bool_]) -> Places:
    """Return the boundaries where switches are worth most, one for each run of those that are worth more than they cost."""
    from convexnn.kernels.sweeps import excursions
    from convexnn.kernels.switches import priced_switches

    found = []
    for sign, fall in zip(SIGNS, point.prices[4], strict=True):
        cost = programme.penalty - programme.budget * fall
        worth = priced_switches(sign * sums, first, fall, programme.last > 0.0)
        found += [excursions(np.maximum(curve - cost, 0.0), 1e-13 * programme.penalty) for curve in worth]
    return np.unique(np.concatenate(found))
