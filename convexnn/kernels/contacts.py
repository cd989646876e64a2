"""Where the priced curve of a spline fit meets its band as beta falls."""

from __future__ import annotations

from convexnn.kernels import compiled


@compiled
def contacts(x, y, w, knots, signs, fits, forces, tied_left, tied_right, bands, beta, idle, times, sides, turning):
    """Write for every point the beta at which F meets its band there, 0 where it does not, and which bound: 1 or -1.

    Of two rows each: ``fits`` (values at the knots), ``forces`` (F at kinks downwards, at kinks upwards, at the first point
    and at the last) and ``bands`` (low and high) hold the numbers at ``beta`` and their derivatives by it. F is the
    curve of :func:`convexnn.kernels.blocks.price_segments`, anchored at the knots. A distance that changes by no more than
    ``idle`` is constant. ``turning`` takes the derivative of the fit.
    """
    times[:] = 0.0
    size = knots.size
    low, high, low_rate, high_rate = bands[0, 0], bands[0, 1], bands[1, 0], bands[1, 1]
    there = 2
    for k in range(size - 1):
        left, right = knots[k], knots[k + 1]
        here, there = there, 3 if k == size - 2 else int(signs[k + 1] > 0)
        length = x[right] - x[left]
        value, change = fits[0, k], fits[1, k]
        slope, tilt = (fits[0, k + 1] - value) / length, (fits[1, k + 1] - change) / length
        moment = total = moved = sum_moved = 0.0
        for n in range(left + 1, right):
            t = x[n] - x[left]
            turning[n] = change + tilt * t
            pull, drift = w[n] * (y[n] - value - slope * t), -w[n] * turning[n]
            moment += pull * (x[right] - x[n])
            moved += drift * (x[right] - x[n])
            total += pull
            sum_moved += drift
        turning[left] = change
        f, g = forces[0, here], forces[1, here]
        rate, drift_rate = (forces[0, there] - f - moment) / length, (forces[1, there] - g - moved) / length
        first = left + 1
        if k == 0 and tied_left:
            rate, drift_rate = w[left] * (y[left] - value), -w[left] * change
            f = forces[0, there] - rate * length - moment
            g = forces[1, there] - drift_rate * length - moved
            first = left
        elif k == size - 2 and tied_right:
            rate = -total - w[right] * (y[right] - fits[0, k + 1])
            drift_rate = -sum_moved + w[right] * fits[1, k + 1]
        last = right + 1 if k == size - 2 and tied_right else right
        for n in range(first, last):
            if n > left:
                step = x[n] - x[n - 1]
                f += rate * step
                g += drift_rate * step
                if n < right:
                    rate += w[n] * (y[n] - value - slope * (x[n] - x[left]))
                    drift_rate -= w[n] * turning[n]
            if high_rate - g > idle:
                times[n], sides[n] = beta - max(high - f, 0.0) / (high_rate - g), 1
            if g - low_rate > idle:
                other = beta - max(f - low, 0.0) / (g - low_rate)
                if other > times[n]:
                    times[n], sides[n] = other, -1
    turning[knots[-1]] = fits[1, size - 1]
