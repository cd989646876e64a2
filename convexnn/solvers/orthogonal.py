"""The active-set method on an orthonormal basis of the support: for columns that differ by less than a Gram matrix can hold.

A Gram matrix has the squares of distances between columns, and loses those below 1e-8 to rounding; inputs that agree but
for 1e-6 have columns much nearer. The columns themselves, orthonormalised, hold distances of 1e-14. What the support leaves
of the targets is then found without large numbers that cancel, and so is a dual point on which its correlations are the
signs of z. A column that enters costs a pass over the rows and all columns: this is for few of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr_delete, solve_triangular

from convexnn.solvers.active_set import EPSILON, ActiveSet, descend

Array = NDArray[np.float64]
DEPENDENT = 64.0 * EPSILON  # the distance from the span of the support, relative to the norm
NOISE = 0.5 * EPSILON  # of a product with the dual point, relative to the norms; more left violations of 1e-6 at tiny alpha
SETTLED = 4.0 * EPSILON


def solve_lasso(
    columns: Array, gram: Array, target: Array, start: Array, positive: NDArray[np.bool_] | None = None
) -> Array:
    """Return the minimiser of |target - columns @ z|^2 / 2 + sum |z|, as the function of this name in active_set.py."""
    active = OrthogonalSet(columns, gram, target, start, positive=positive)
    begun, before = active.z.copy(), active.objective()[0]
    active.z = found = descend(active)
    # of an optimum, steps of rounding size are all that is left
    return found if active.objective()[0] <= before else begun


def dual_point(residual: Array, columns: Array, signs: Array) -> Array:
    """Return the dual point nearest to the residuals whose correlations with independent columns are the signs."""
    basis, triangle = np.linalg.qr(columns)
    return _meeting(residual, basis, triangle, signs)


def _meeting(residual: Array, basis: Array, triangle: Array, signs: Array) -> Array:
    """Return residuals moved along an orthonormal basis to wanted correlations with basis @ triangle."""
    wanted = solve_triangular(triangle, signs, trans="T")
    for _ in range(2):
        residual = residual + basis @ (wanted - basis.T @ residual)
    return residual


class OrthogonalSet(ActiveSet):
    """An active set that keeps its support as ``basis`` @ ``triangle``."""

    basis: Array
    triangle: Array
    least = np.inf  # the objective, of all entries so far

    def settle(self) -> None:
        """Minimise over the support by steps as far as the signs allow, until rounding is all that is left."""
        last = np.inf
        while self.size:
            signs = self.signs[self.support]
            wanted = solve_triangular(self.triangle, signs, trans="T")
            step = solve_triangular(self.triangle, self.basis.T @ self._residual() - wanted)
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
            lam = _meeting(lam, self.basis, self.triangle, self.signs[self.support])
        return self.columns.T @ lam, NOISE * np.linalg.norm(lam) * self.norms

    def _factorise(self, places: NDArray[np.int64]) -> None:
        self.basis, self.triangle = np.zeros((self.target.size, 0)), np.zeros((0, 0))
        self._factorise_one_by_one(places)

    def _express(self, column: int) -> tuple[Array, Array, float]:
        """Return the coefficients of a column in the support, those in the basis and what is left, and its square."""
        left, row = self.columns[:, column], np.zeros(self.size)
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
