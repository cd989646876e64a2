"""The active-set method on an orthonormal basis of the support: for columns that differ by less than a Gram matrix can hold.

A Gram matrix has the squares of distances between columns, and loses those below 1e-8 to rounding; inputs that agree but
for 1e-6 have columns much nearer. The columns themselves, orthonormalised, hold distances of 1e-14. What the support leaves
of the targets is then found without large numbers that cancel, and so is a dual point on which its correlations are the
signs of z. A column that enters costs a pass over the rows and all columns: this is for few of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, qr_delete, solve_triangular

from convexnn.solvers.active_set import EPSILON, ActiveSet, descend

Array = NDArray[np.float64]
DEPENDENT = 64.0 * EPSILON  # the distance from the span of the support, relative to the norm
ROUNDED = 1e-11  # of a correlation: columns that exceed 1 by less would enter and leave for no gain
REFINEMENTS = 8
TINY = float(np.finfo(np.float64).tiny)
SETTLED = 4.0 * EPSILON
SLIGHT = 5e-13  # of the objective, by which rounding of z may raise it where features that depend on each other change


def solve_lasso(
    columns: Array, gram: Array, target: Array, start: Array, positive: NDArray[np.bool_] | None = None
) -> Array:
    """Return the minimiser of |target - columns @ z|^2 / 2 + sum |z|, as the function of this name in active_set.py."""
    active = OrthogonalSet(columns, gram, target, start, positive=positive)
    begun, before = active.z.copy(), active.objective()[0]
    active.z = found = descend(active)
    # of an optimum, steps of rounding size are all that is left
    value, rounding = active.objective()
    return found if value <= before + rounding else begun


def dual_point(residual: Array, columns: Array, signs: Array) -> Array:
    """Return the dual point nearest to the residuals whose correlations with independent columns are the signs."""
    norms = np.maximum(np.linalg.norm(columns.astype(np.float64), axis=0), TINY)
    basis, triangle, order = qr(columns.astype(np.float64) / norms, mode="economic", pivoting=True)
    order = order[: np.count_nonzero(np.abs(np.diagonal(triangle)) > DEPENDENT)]
    rank, columns = order.size, columns[:, order] / norms[order]
    return _meeting(residual, columns, basis[:, :rank], triangle[:rank, :rank], signs[order] / norms[order])


def _meeting(residual: Array, columns: Array, basis: Array, triangle: Array, signs: Array) -> Array:
    """Return residuals moved along a basis, of columns up to rounding, until their correlations with these are the signs."""
    wanted = solve_triangular(triangle, signs, trans="T")
    lam = residual + basis @ (wanted - basis.T @ residual.astype(np.float64))
    noise, last = 16.0 * np.finfo(columns.dtype).eps * np.linalg.norm(columns.astype(np.float64), axis=0), np.inf
    for _ in range(REFINEMENTS):
        missed = (signs - columns.T @ lam).astype(np.float64)
        worst = float(np.max(np.abs(missed) / noise, initial=0.0) / np.linalg.norm(lam))
        if worst <= 1.0 or worst > 0.5 * last:
            break
        lam, last = lam + basis @ solve_triangular(triangle, missed, trans="T"), worst
    return lam


class OrthogonalSet(ActiveSet):
    """An active set that keeps its support as ``basis`` @ ``triangle``."""

    basis: Array
    triangle: Array
    least = np.inf  # the objective, of all entries so far

    def objective(self) -> tuple[float, float]:
        """Return the objective, and by how much rounding may change it."""
        value = super().objective()[0]
        return value, SLIGHT * value

    def settle(self) -> None:
        """Minimise over the support by steps as far as the signs allow, until rounding is all that is left."""
        last = np.inf
        while self.size:
            signs = self.signs[self.support]
            wanted = solve_triangular(self.triangle, signs, trans="T")
            step = solve_triangular(self.triangle, self.basis.T @ self._residual().astype(np.float64) - wanted)
            length, place = self._reach(-step)
            self.z[self.support] += min(length, 1.0) * step
            if length < 1.0:
                self._drop(place)
                last = np.inf
                continue
            moved = float(np.abs(step).max() / np.abs(self.z[self.support]).max())
            if moved <= SETTLED or moved > 0.5 * last:
                break
            last = moved
        self.correlations, self.noise = self._from_rows()

    def _follow(self, before: Array) -> bool:
        self.settle()
        value, last = self.objective()[0], self.least
        self.least = min(value, last)
        return value < last  # else columns come and go in a circle, of rounding

    def _residual(self) -> Array:
        used = np.flatnonzero(self.z)
        return self.target - self.columns[:, used] @ self.z[used]

    def _from_rows(self) -> tuple[Array, Array]:
        lam = self._residual()
        if self.size:
            lam = _meeting(lam, self.columns[:, self.support], self.basis, self.triangle, self.signs[self.support])
        noise = 0.5 * np.finfo(lam.dtype).eps * np.linalg.norm(lam) * self.norms + ROUNDED
        return (self.columns.T @ lam).astype(np.float64), noise.astype(np.float64)

    def _factorise(self, places: NDArray[np.int64]) -> None:
        self.basis, self.triangle = np.zeros((self.target.size, 0)), np.zeros((0, 0))
        self._factorise_one_by_one(places)

    def _express(self, column: int) -> tuple[Array, Array, float]:
        """Return the coefficients of a column in the support, those in the basis and what is left, and its square."""
        left, row = self.columns[:, column].astype(np.float64), np.zeros(self.size)
        for _ in range(3):
            part = self.basis.T @ left
            left, row = left - self.basis @ part, row + part
        distance = float(np.linalg.norm(left))
        if distance <= DEPENDENT * self.norms[column]:
            distance = 0.0
        combination = solve_triangular(self.triangle, row) if self.size else row
        return combination, np.append(row, left), distance * distance

    def _grow(self, row: Array, rest: float) -> None:
        distance = np.sqrt(rest)
        triangle = np.zeros((self.size + 1, self.size + 1))
        triangle[: self.size, : self.size] = self.triangle
        triangle[:, self.size] = np.append(row[: self.size], distance)
        self.basis, self.triangle = np.column_stack((self.basis, row[self.size :] / distance)), triangle

    def _shrink(self, place: int) -> None:
        rank = self.size - 1
        if rank:  # of as many columns as rows the whole basis comes back
            basis, triangle = qr_delete(self.basis, self.triangle, place, which="col")
            self.basis, self.triangle = basis[:, :rank], triangle[:rank]
        else:
            self.basis, self.triangle = self.basis[:, :0], self.triangle[:0, :0]
