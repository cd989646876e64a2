"""Many points are evaluated by a table of buckets: the same numbers, to the last bit, as by bisection."""

from fractions import Fraction

import numpy as np
import pytest

from convexnn.extended import EXTENDED
from convexnn.model import Model
from convexnn.piecewise import MANY, PiecewiseLinear


def points_about(breakpoints, rng):
    beside = [np.nextafter(breakpoints, side) for side in (-np.inf, np.inf)]
    far = [breakpoints[0] - 1.0, breakpoints[-1] + 1.0, -1e300, 1e300]
    inside = rng.uniform(breakpoints[0], breakpoints[-1], MANY)
    return np.concatenate((breakpoints, *beside, far, inside))


@pytest.mark.parametrize("order", ["unsorted", "sorted"])
@pytest.mark.parametrize("count", [1, 2, 7, 500, 20_000])
@pytest.mark.parametrize(
    "place",
    [
        lambda u: u,
        lambda u: 1e9 + u,
        lambda u: np.tan(3.1 * (u - 0.5)),
        lambda u: 1e-300 * u,
        lambda u: 1e-310 * u,
        lambda u: np.concatenate((1.0 + 1e-15 * np.arange(u.size // 2), 2.0 + u)),
    ],
    ids=["uniform", "offset", "heavy tails", "tiny", "subnormal", "crowded"],
)
def test_many_points_are_the_same_as_few(place, count, order, rng):
    breakpoints = np.unique(place(rng.random(count)))
    anchors = np.concatenate((breakpoints[:1], breakpoints))
    f = PiecewiseLinear(breakpoints, anchors, rng.normal(size=anchors.size), rng.normal(size=anchors.size))
    x = points_about(breakpoints, rng)
    x = np.sort(x) if order == "sorted" else rng.permutation(x)
    assert x.size >= MANY
    piece = np.searchsorted(breakpoints, x, side="right")
    np.testing.assert_array_equal(f(x), f.values[piece] + f.slopes[piece] * (x - f.anchors[piece]))


def test_shape_and_missing_values_are_kept():
    f = PiecewiseLinear(np.array([0.0]), np.zeros(2), np.zeros(2), np.array([0.0, 1.0]))
    x = np.full((MANY, 2), np.nan)
    x[0] = -1.0, 2.0
    np.testing.assert_array_equal(f(x)[0], [0.0, 2.0])
    assert np.isnan(f(x)[1:]).all()


@pytest.mark.parametrize("jumps", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_scipys_polynomial_is_the_same_function(offset, count, jumps, rng):
    breakpoints = offset + np.unique(rng.integers(-50, 50, size=count)).astype(float)
    anchors = np.concatenate((breakpoints[:1], breakpoints)) if count else np.array([offset])
    slopes = rng.normal(size=anchors.size)
    rises = np.concatenate(([0.0, 0.0], slopes[1:-1] * np.diff(breakpoints)))[: anchors.size]
    f = PiecewiseLinear(breakpoints, anchors, np.cumsum(rises) + jumps * rng.normal(size=anchors.size), slopes)
    x = offset + np.concatenate((np.arange(-120.0, 120.0, 0.5), [-1e4, 1e4]))
    np.testing.assert_allclose(f.to_ppoly()(x), f(x), rtol=1e-9, atol=1e-9)
    inner = f.to_ppoly().x[1:-1]
    np.testing.assert_array_equal(inner, breakpoints)


def rational(f, x):
    """Return the value at x of a function of doubles, without rounding."""
    piece = int(np.searchsorted(f.breakpoints, x, side="right"))
    anchor, value, slope = (Fraction(float(part[piece])) for part in (f.anchors, f.values, f.slopes))
    return value + slope * (Fraction(float(x)) - anchor)


def cancelling(points):
    """Return two steep functions whose sum is of order one at two clusters of points."""
    f = PiecewiseLinear(np.empty(0), np.zeros(1), np.zeros(1), np.array([1e9]))
    at = points[:1] + 1e-10
    g = PiecewiseLinear(at, np.append(at, at), np.full(2, -1e9 * at[0]), np.array([-1e9, -1e9 + 1.0]))
    return [f, g]


class OfTargets(Model):
    scale = 1.0


def test_what_steep_functions_leave_is_accurate(rng):
    points = np.sort(np.concatenate([rng.random(5), 2.0 + rng.random(5)]) * 1e-9 + np.repeat([0.0, 2.0], 5))
    pieces = cancelling(points)
    model = OfTargets(None, pieces, 0.25, np.empty(0), [])
    exact = [float(sum(rational(f, x) for f in pieces) + Fraction(1, 4)) for x in points]
    np.testing.assert_allclose(model.predict(np.column_stack([points, points])), exact, rtol=0, atol=1e-9)


def test_anchors_move_to_where_a_piece_is_small(rng):
    points = np.sort(rng.random(30)) * 1e-9 + np.repeat([0.0, 2.0], 15)
    values, slopes = np.array([2e9, 2e9], EXTENDED), np.array([1e9, 0.0], EXTENDED)
    f = PiecewiseLinear(np.array([2.0]), np.array([2.0, 2.0]), values, slopes)
    moved = f.anchored(points).rounded()
    assert moved.anchors[0] == points[0] and moved.anchors[1] == 2.0
    atol = 1e-9 if EXTENDED is np.longdouble else 1e-6
    np.testing.assert_allclose(moved(points), [float(rational(f, x)) for x in points], rtol=1e-15, atol=atol)
    np.testing.assert_array_equal(f.anchored(points[:0]).anchors, f.anchors)
