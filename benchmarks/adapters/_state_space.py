"""The problem in function space as a sparse quadratic programme, in state-space form.

Variables: values f (n), slopes s (n - 1), their changes p - q with p, q >= 0 (n - 2 each), the sum of the outer
slopes c - d with c, d >= 0, t, and for relu the running sum v of p + q (n - 2):

    minimise |f - y|^2 / 2 + beta * cost,
    f[i + 1] = f[i] + h[i] s[i],   s[i + 1] = s[i] + p[i] - q[i],
    c - d = s[0] + s[-1],          v[i] = v[i - 1] + p[i] + q[i],
    relu: cost = t, t >= v[-1], 2 t >= v[-1] + c + d;   abs: (sum(p + q) + c + d) / 2;   relu with skip: sum(p + q).

No 1 / h: with second differences the same solvers fail at n = 1e5. v keeps all rows short. x is scaled to a mean
spacing of one, so that h is of order one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.adapters import Adapter, Fit
from benchmarks.problems import Task

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Programme:
    """min v @ P @ v / 2 + cost @ v, A v = 0, G v <= 0, v[signed] >= 0; and what maps it back to the data."""

    P: sp.csc_matrix
    cost: Array
    A: sp.csc_matrix
    G: sp.csc_matrix
    signed: slice
    y: Array
    gaps: Array
    scale: float
    unit: float
    order: NDArray[np.int64]
    architecture: str


def scaled(x: Array, y: Array) -> tuple[NDArray[np.int64], Array, Array, float, float]:
    """Return the order of x, sorted y, gaps of mean one, their scale, and the unit of slopes and of their changes.

    The unit matters: with 1 / sqrt(n) instead PIQP does not converge for relu at n = 1e5.
    """
    order = np.argsort(x, kind="stable")
    xs = x[order]
    scale = float(np.ptp(xs)) / (x.size - 1)
    return order, y[order], np.diff(xs) / scale, scale, 10.0 / x.size


def stacked(widths: list[int], height: int, *blocks: tuple[int, Any]) -> sp.sparray:
    """Return rows with blocks at the groups of variables of given numbers, zeros elsewhere."""
    given = dict(blocks)
    return sp.hstack([given.get(k, sp.csc_array((height, width))) for k, width in enumerate(widths)])


def build(x: Array, y: Array, alpha: float, architecture: str) -> Programme:
    """Return the programme of a task with distinct x."""
    order, ys, gaps, scale, unit = scaled(x, y)
    n = x.size
    beta = alpha * n / scale * unit
    f, s, p = n, n - 1, n - 2
    running = p if architecture == "relu" else 0
    widths = [f, s, p, p, 2, running, 1]
    begin = np.concatenate(([0], np.cumsum(widths)))

    def rows(height: int, *blocks: tuple[int, Any]) -> sp.sparray:
        return stacked(widths, height, *blocks)

    def shifted(height: int, width: int) -> sp.sparray:
        return sp.eye_array(height, width, k=1) - sp.eye_array(height, width)

    eye = sp.eye_array(p)
    ends = sp.csc_array(([1.0, 1.0], ([0, 0], [0, s - 1])), shape=(1, s))
    equations = [
        rows(s, (0, shifted(s, f)), (1, -sp.diags_array(gaps * unit))),
        rows(p, (1, shifted(p, s)), (2, -eye), (3, eye)),
        rows(1, (1, -ends), (4, sp.csc_array([[1.0, -1.0]]))),
    ]
    cost = np.zeros(begin[-1])
    cost[:f] = -ys
    limits = sp.csc_array((0, begin[-1]))
    if running:
        equations.append(rows(p, (2, -eye), (3, -eye), (5, eye - sp.eye_array(p, k=-1))))
        last = sp.csc_array(([1.0], ([0], [p - 1])), shape=(1, p))
        limits = sp.vstack(
            [
                rows(1, (5, last), (6, sp.csc_array([[-1.0]]))),
                rows(1, (4, sp.csc_array([[0.5, 0.5]])), (5, 0.5 * last), (6, sp.csc_array([[-1.0]]))),
            ]
        )
        cost[-1] = beta
    else:
        kink, outer = (1.0, 0.0) if architecture == "relu_skip" else (0.5, 0.5)
        cost[begin[2] : begin[4]], cost[begin[4] : begin[5]] = beta * kink, beta * outer
    squares = sp.diags_array(np.concatenate((np.ones(f), np.zeros(cost.size - f))))
    return Programme(
        sp.csc_matrix(squares),
        cost,
        sp.csc_matrix(sp.vstack(equations)),
        sp.csc_matrix(limits),
        slice(int(begin[2]), int(begin[5])),
        ys,
        gaps,
        scale,
        unit,
        order,
        architecture,
    )


class StateSpaceAdapter(Adapter):
    """``solve`` returns the vector of all variables. ``form`` is "running" or, for relu only, "two_sided"."""

    accuracies = (1e-6, 1e-8, 1e-10, 1e-12)

    def __init__(self, form: str):
        self.form = form
        self.architectures = ("relu", "relu_skip", "abs") if form == "running" else ("relu",)

    def prepare(self, task: Task, x: Array, y: Array, alpha: float) -> Programme:
        """Build the matrices."""
        from benchmarks.adapters._two_sided import build_two_sided

        if self.form == "two_sided":
            return build_two_sided(x, y, alpha)
        return build(x, y, alpha, task.architecture)

    def finish(self, state: Programme, raw: Any) -> Fit:
        """Integrate the changes of slope, so that values and norm belong to one function; refit what is free."""
        from benchmarks.adapters._two_sided import finish_two_sided

        if self.form == "two_sided":
            return finish_two_sided(state, raw)
        n, long, v = state.y.size, np.longdouble, np.asarray(raw)
        begin = 2 * n - 1
        turns = (v[begin : begin + n - 2] - v[begin + n - 2 : begin + 2 * n - 4]).astype(long)
        s = np.concatenate(([long(v[n])], v[n] + np.cumsum(turns)))
        values = np.concatenate(([long(0)], np.cumsum(state.gaps * s * state.unit)))
        if state.architecture == "relu_skip":
            t = np.concatenate(([long(0)], np.cumsum(state.gaps.astype(long))))
            t -= t.mean()
            values += t * (np.dot(t, state.y - values) / np.dot(t, t))
        values += (state.y - values).mean()
        variation, ends = np.abs(turns).sum(), abs(s[0] + s[-1])
        costs = {
            "relu": max(variation, (variation + ends) / 2),
            "relu_skip": variation,
            "abs": (variation + ends) / 2,
        }
        out = np.empty(n, long)
        out[state.order] = values
        return Fit(out, float(costs[state.architecture] * state.unit / state.scale))
