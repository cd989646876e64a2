"""What every dictionary must satisfy, checked with plain loops that share no code with the package."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial import KDTree

ACTIVATIONS = {
    "relu": lambda u, _: np.maximum(u, 0.0),
    "leaky_relu": lambda u, kappa: np.where(u >= 0, u, kappa * u),
    "abs": lambda u, _: np.abs(u),
    "sign": lambda u, _: np.where(u >= 0, 1.0, -1.0),
    "threshold": lambda u, _: np.where(u >= 0, 1.0, 0.0),
}


@st.composite
def problems(draw, smallest=2, largest=9):
    """Sorted distinct points (random, equally spaced integers, clustered) and a dual vector that sums to zero."""
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(smallest, largest))
    kind = draw(st.sampled_from(["random", "integers", "gaps", "clustered"]))
    skip = draw(st.booleans())
    rng = np.random.default_rng(seed)
    if kind == "random":
        points = np.sort(rng.random(count))
    elif kind == "integers":
        points = np.arange(count) / count - 0.5
    elif kind == "gaps":
        points = np.cumsum(rng.integers(1, 4, count)) / 8.0
    else:
        points = np.sort(rng.choice([0.0, 0.7, 1.0], count) + 1e-3 * rng.random(count))
    lam = centred(rng.standard_normal(count), points, skip and count > 2)
    return points, lam


def centred(lam, points, skip=False):
    """Remove the mean, and the line too for a network with a skip connection."""
    basis = np.column_stack([np.ones_like(points), points]) if skip else np.ones((points.size, 1))
    q = np.linalg.qr(basis)[0]
    for _ in range(2):
        lam = lam - q @ (q.T @ lam)
    return lam


def forward(units, x, activation, slope=0.01):
    """Run k sub-networks at x with plain loops; returns (len(x), k)."""
    sigma = ACTIVATIONS[activation]
    out = np.empty((len(x), units.weights[0].shape[0]))
    for k in range(out.shape[1]):
        h = np.asarray(x, dtype=float)[:, None]
        for weight, bias in zip(units.weights, units.biases, strict=True):
            h = sigma(h @ weight[k] + bias[k], slope)
        assert h.shape[1] == 1
        out[:, k] = h[:, 0]
    return out


def pieces_at(pieces, x):
    """Evaluate Pieces as its docstring says, with plain loops; returns (len(x), k)."""
    count = pieces.breakpoints.shape[0]
    out = np.empty((len(x), count))
    for k in range(count):
        knots = pieces.breakpoints[k]
        assert np.all(np.diff(knots) >= 0)
        for n, t in enumerate(x):
            piece = int(np.sum(knots <= t))
            anchor = knots[max(piece - 1, 0)]
            out[n, k] = pieces.values[k, piece] + pieces.slopes[k, piece] * (t - anchor)
    return out


def scale_of(points, lam):
    """The size that rounding errors of a correlation are measured against."""
    return float(np.sum(np.abs(lam)) * max(np.ptp(points), 1e-300))


def check_batch(dictionary, lam, scale, limit=7, shares=(0.0, 0.3, 0.9)):
    """Batches are distinct, bounded, above the bound, ordered, and their correlations are lam @ g."""
    top = dictionary.price(lam, np.inf, limit)
    assert len(top.features) == 0 and len(top.correlations) == 0
    for share in shares:
        bound = share * top.maximum + 1e-12 * scale
        priced = dictionary.price(lam, bound, limit)
        np.testing.assert_allclose(priced.maximum, top.maximum, rtol=1e-12, atol=1e-14 * scale)
        size = np.abs(priced.correlations)
        assert len(priced.features) <= limit
        assert len(np.unique(priced.features, axis=0)) == len(priced.features)
        assert np.all(size > bound) and np.all(np.diff(size) <= 0)
        values = dictionary.evaluate(priced.features, dictionary.points)
        np.testing.assert_allclose(priced.correlations, lam @ values, rtol=1e-11, atol=1e-12 * scale)
        alone = np.abs(dictionary.price(lam, bound, 1).correlations)
        if top.maximum > bound:
            for best in (size[:1], alone):
                np.testing.assert_allclose(best, [top.maximum], rtol=1e-12, atol=1e-14 * scale)
    return dictionary.price(lam, 0.0, 10**6)


def check_tight(dictionary, lam, values, scale, share=0.8):
    """`tight` lists, once each, the features of a library above a bound, up to a constant and their sign, and no others."""
    size = np.abs(lam @ values)
    bound = max(share * size.max(), 1e-9 * scale)
    rows = dictionary.tight(lam, bound)
    for unit in (1024.0, 1.0 / 1024.0):  # both in another unit
        np.testing.assert_array_equal(dictionary.tight(unit * lam, unit * bound), rows)
    found = dictionary.evaluate(rows, dictionary.points)
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert np.all(np.abs(lam @ found) >= bound * (1 - 1e-9))
    found, wanted = ((v - v[:1]) * np.sign(lam @ v) for v in (found, values[:, size >= bound * (1 + 1e-9)]))
    assert KDTree(found.T).query(wanted.T, p=np.inf)[0].max() <= 1e-9 * np.ptp(wanted)


def check_forms(dictionary, features, activation, slope=0.01):
    """Features, their sub-networks and their pieces are one function, also outside the data and on scaled points."""
    assert len(features)
    span = np.ptp(dictionary.points)
    inside = np.sort(np.random.default_rng(0).uniform(-1.5, 2.5, 60)) * span + dictionary.points[0]
    for points, x in [(None, np.concatenate([inside, dictionary.points])), (dictionary.points * 8 - 4, inside * 8 - 4)]:
        values = dictionary.evaluate(features, x, points)
        atol = 1e-11 * max(1.0, span) * 8
        np.testing.assert_allclose(forward(dictionary.units(features, points), x, activation, slope), values, atol=atol)
        np.testing.assert_allclose(pieces_at(dictionary.pieces(features, points), x), values, atol=atol)
    origins = dictionary.origins(features)
    assert [len(o) for o in origins] == [dictionary.pieces(features).breakpoints.shape[1]] * len(features)
    assert {kind for o in origins for kind, _ in o} <= {"data", "reflection", "midpoint", "composite"}


def check_origins(dictionary, features):
    """The breakpoints are where their origins say: training points, reflections of one across another, midpoints."""
    points = dictionary.points
    where = {
        "reflection": lambda n, across: 2 * points[across] - points[n],
        "midpoint": lambda i, j: (points[i] + points[j]) / 2,
    }
    knots = dictionary.pieces(features).breakpoints
    for row, described in zip(knots, dictionary.origins(features), strict=True):
        for knot, (kind, indices) in zip(row, described, strict=True):
            if kind == "data":
                assert knot == points[indices[0]]
            elif kind != "composite":
                np.testing.assert_allclose(knot, where[kind](*indices), atol=1e-12 * max(1.0, np.ptp(points)))


def check_names(dictionary, features):
    """Breakpoints of folds are called by the first name that they have: training point, reflection, midpoint, composite."""
    points = dictionary.points
    knots = dictionary.pieces(features).breakpoints
    for feature, row, described in zip(features, knots, dictionary.origins(features), strict=True):
        named = points[np.unique(feature[1:][feature[1:] >= 0])]
        pairs = [(s, t) for s in named for t in named if s != t]
        known = {
            "data": points,
            "reflection": np.array([2 * t - s for s, t in pairs]),
            "midpoint": np.array([(s + t) / 2 for s, t in pairs]),
        }
        for knot, (kind, _) in zip(row, described, strict=True):
            names = [name for name, places in known.items() if np.any(np.abs(places - knot) <= 1e-13 * np.ptp(points))]
            assert kind == (names + ["composite"])[0]
