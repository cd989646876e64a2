"""The Lasso of a working set, solved exactly by a primal active-set method.

min over z: |target - columns @ z|^2 / 2 + sum |z|, or the same in another metric. Columns may depend on each other,
exactly or nearly, as reflection features do. The support is kept independent and z optimal on it: the correlations of its
columns are the signs of z. A column g = columns[:, S] @ v + rest with a larger correlation enters along the one line on
which that stays so: z_g grows and z_S gives way by v. A coefficient that reaches zero on the way leaves the support. A
column that depends on the support has rest = 0, hence no curvature along its line, and goes on until one leaves: it needs
no rule of its own. The objective falls with every entry; a correlation that exceeds 1 by less than it can be wrong by is
no reason to enter. What updates add to these errors is counted: where no column is left that exceeds 1 without doubt, the
correlations are computed anew. Rounds of this go on while the objective, of the rows, falls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky

Array = NDArray[np.float64]
ROUNDS = 100
ENTRIES = 20
REFINEMENTS = 2
# Squared distances from the span of the support, relative to squared norms. Below the first the Gram matrix has lost the
# distance in rounding, and it is computed from the rows; below the second refinement with the Gram matrix could fail, and
# the column counts as one of the span.
DOUBTFUL, ZERO = 1e-9, 1e-13
EPSILON = float(np.finfo(np.float64).eps)
NOISE = 1e-13
DRIFT = 0.1


def solve_lasso(
    columns: Array,
    gram: Array,
    target: Array,
    start: Array,
    metric: Array | None = None,
    positive: NDArray[np.bool_] | None = None,
) -> Array:
    """Return the minimiser of f @ metric @ f / 2 - target @ f + sum |z| for f = columns @ z.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        The working set.
    gram : ndarray of shape (n_columns, n_columns)
        ``columns.T @ metric @ columns``.
    target : ndarray of shape (n_rows,)
        What is fitted, times the metric.
    start : ndarray of shape (n_columns,)
        Coefficients to begin with.
    metric : ndarray of shape (n_rows, n_rows), default=None
        A positive semidefinite matrix, None for the identity.
    positive : ndarray of bool of shape (n_columns,), default=None
        Which coefficients may not be negative; none of them by default.

    Returns
    -------
    ndarray of shape (n_columns,)
        The optimal coefficients.
    """
    return descend(ActiveSet(columns, gram, target, start, metric, positive))


def descend(active: ActiveSet) -> Array:
    """Let columns enter and leave until the objective, of the rows, does not fall any more; return the coefficients."""
    best, least = active.z.copy(), np.inf
    for _ in range(ROUNDS):
        # updates of the correlations drift: every round begins with those of the rows
        active.settle()
        value, rounding = active.objective()
        if value > least + rounding:
            break
        best, least = active.z.copy(), min(value, least)
        if not active.enter_all():
            break
    return best


class ActiveSet:
    """Coefficients z, their support with a Cholesky factor of its Gram matrix, and the correlations of all columns."""

    def __init__(
        self,
        columns: Array,
        gram: Array,
        target: Array,
        start: Array,
        metric: Array | None = None,
        positive: NDArray[np.bool_] | None = None,
    ) -> None:
        self.columns, self.gram, self.target, self.metric = columns, gram, target, metric
        self.positive = np.zeros(start.size, dtype=bool) if positive is None else positive
        self.z = start.copy()
        self.signs = np.sign(start)
        self.squares, self.norms = np.ascontiguousarray(np.diagonal(gram)), np.linalg.norm(columns, axis=0)
        self.factor = np.zeros((start.size + 1, start.size + 1))
        self._order = np.empty(start.size + 1, dtype=np.int64)
        self.size = 0
        self.correlations, self.noise = self._from_rows()
        self._factorise(np.flatnonzero(start))

    @property
    def support(self) -> NDArray[np.int64]:
        """The columns in the order of the factor."""
        return self._order[: self.size]

    def objective(self) -> tuple[float, float]:
        """Return the objective, and by how much rounding may change it."""
        fit, penalty = self.columns @ self.z, float(np.abs(self.z).sum())
        rest = self.target - self._measured(fit)
        if self.metric is None:
            half = 0.5 * float(np.dot(rest, rest))
            return half + penalty, NOISE * (half + penalty)
        half = -0.5 * float(np.dot(fit, self.target + rest))
        return half + penalty, NOISE * (abs(half) + penalty)

    def settle(self) -> None:
        """Minimise over the support by Newton steps, each as far as the signs allow, until rounding is all that is left."""
        last = np.inf
        while True:
            self.correlations, self.noise = self._from_rows()
            slope = self.correlations[self.support] - self.signs[self.support]
            worst = np.max(np.abs(slope) / self.noise[self.support], initial=0.0)
            if worst <= 1.0 or worst > 0.5 * last:
                return
            last = worst
            while slope.size:
                step = self._solve(slope)
                length, place = self._reach(-step)
                self.z[self.support] += min(length, 1.0) * step
                if length >= 1.0:
                    break
                slope = np.delete(slope, place) * (1.0 - length)
                self._drop(place)
                last = np.inf

    def enter_all(self) -> int:
        """Let columns enter, the one of largest correlation first, until none exceeds 1; return how many did."""
        hopeless = np.zeros(self.z.size, dtype=bool)
        doubtful = np.maximum(2.0 * self.noise, DRIFT)
        for entries in range(ENTRIES * self.z.size):
            excess = np.where(self.positive, self.correlations, np.abs(self.correlations)) - 1.0 - self.noise
            excess[self.support] = 0.0
            excess[hopeless] = 0.0
            column = int(np.argmax(excess))
            if excess[column] <= 0.0:
                return entries
            before = self.z.copy()
            hopeless[column] = not self._enter(column)
            if not self._follow(before) or (self.noise > doubtful).any():
                return entries + 1  # the support may be off its optimum, from which alone a line leads down
        return ENTRIES * self.z.size

    def _follow(self, before: Array) -> bool:
        """Update the correlations for what coefficients have changed since ``before``, and what may be wrong with them.

        Return whether more may enter.
        """
        moved, sizes = np.flatnonzero(self.z != before), np.sqrt(self.squares)
        steps = self.z[moved] - before[moved]
        self.correlations -= steps @ self.gram[moved]
        # no entry of the Gram matrix exceeds the product of its columns' sizes
        self.noise += EPSILON * float(np.abs(steps) @ sizes[moved]) * sizes
        return True

    def _enter(self, column: int) -> bool:
        """Move along the line of a column, past every coefficient that reaches zero, until its correlation is 1."""
        sign, gain = np.sign(self.correlations[column]), abs(self.correlations[column]) - 1.0
        while True:
            combination, row, rest = self._express(column)
            whole = gain / rest if rest > 0.0 else np.inf
            length, place = self._reach(sign * combination)
            step = min(whole, length)
            if step == np.inf:
                return False  # the penalty cannot fall for ever: the gain is rounding
            self.z[self.support] -= step * sign * combination
            self.z[column] += step * sign
            if whole <= length:
                self.signs[column] = sign
                self._append(column, row, rest)
                return True
            gain -= step * rest
            self._drop(place)

    def _from_rows(self) -> tuple[Array, Array]:
        """Return the correlations, and by how much rounding of the residuals may change each."""
        used = np.flatnonzero(self.z)
        part, z = self.columns[:, used], self.z[used]
        sizes = np.abs(part) @ np.abs(z)
        terms = np.abs(self.target) + (sizes if self.metric is None else np.abs(self.metric) @ sizes)
        correlations = self.columns.T @ (self.target - self._measured(part @ z))
        return correlations, EPSILON * (np.linalg.norm(terms) * self.norms + 1.0)

    def _measured(self, rows: Array) -> Array:
        return rows if self.metric is None else self.metric @ rows

    def _factorise(self, places: NDArray[np.int64]) -> None:
        """Build the factor of a support; what depends on the columns before it is left out."""
        try:
            factor = cholesky(self.gram[np.ix_(places, places)], lower=True)
        except LinAlgError:
            factor = np.zeros((places.size, places.size))
        if (np.diagonal(factor) ** 2 > DOUBTFUL * self.squares[places]).all():
            self.size = places.size
            self.factor[: self.size, : self.size] = factor
            self._order[: self.size] = places
            return
        self._factorise_one_by_one(places)

    def _factorise_one_by_one(self, places: NDArray[np.int64]) -> None:
        for column in places:
            _, row, rest = self._express(column)
            if rest > 0.0:
                self._append(column, row, rest)
            else:
                self.z[column] = 0.0

    def _express(self, column: int) -> tuple[Array, Array, float]:
        """Return the coefficients of a column in the support, its row of the factor, and its squared distance."""
        from convexnn.kernels.cholesky import backward_solve, forward_solve

        row = self.gram[column, self.support]
        forward_solve(self.factor, self.size, row)
        combination, square = row.copy(), self.squares[column]
        backward_solve(self.factor, self.size, combination)
        rest = square - float(np.dot(row, row))
        if rest <= DOUBTFUL * square:
            part = self.columns[:, self.support]
            for _ in range(REFINEMENTS):
                combination += self._solve(part.T @ self._measured(self.columns[:, column] - part @ combination))
            row = combination @ self.factor[: self.size, : self.size]
            left = self.columns[:, column] - part @ combination
            rest = float(np.dot(left, self._measured(left)))
            rest = rest if rest > ZERO * square else 0.0
        return combination, row, rest

    def _solve(self, rhs: Array) -> Array:
        """Solve with the Gram matrix of the support."""
        from convexnn.kernels.cholesky import backward_solve, forward_solve

        out = rhs.copy()
        forward_solve(self.factor, self.size, out)
        backward_solve(self.factor, self.size, out)
        return out

    def _reach(self, fall: Array) -> tuple[float, int]:
        """Return how far z may move by -fall before a coefficient is zero, and which one: (inf, -1) where none will be."""
        signs = self.signs[self.support]
        speed, ways = fall * signs, np.full(self.size + 1, np.inf)
        np.divide(np.maximum(self.z[self.support] * signs, 0.0), speed, out=ways[:-1], where=speed > 0.0)
        place = int(np.argmin(ways))
        return float(ways[place]), place if ways[place] < np.inf else -1

    def _append(self, column: int, row: Array, rest: float) -> None:
        self._grow(row, rest)
        self._order[self.size] = column
        self.size += 1

    def _grow(self, row: Array, rest: float) -> None:
        """Add to the factor what ``_express`` said of a column."""
        self.factor[self.size, : self.size] = row
        self.factor[self.size, self.size] = np.sqrt(rest)

    def _shrink(self, place: int) -> None:
        """Take a column of the support out of the factor."""
        from convexnn.kernels.cholesky import remove_row

        remove_row(self.factor, self.size, place)

    def _drop(self, place: int) -> None:
        self._shrink(place)
        self.z[self._order[place]] = 0.0
        self._order[place : self.size - 1] = self._order[place + 1 : self.size]
        self.size -= 1
