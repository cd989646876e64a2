"""The values of a piecewise-linear function at many points, in any order."""

from __future__ import annotations

from convexnn.kernels import compiled


@compiled
def evaluate(x, breakpoints, anchors, values, slopes, firsts, low, scale, out):
    """Write values[i] + slopes[i] * (x - anchors[i]) with i the number of breakpoints up to x.

    A bucket int((x - low) * scale) says that i lies between ``firsts[bucket]`` and ``firsts[bucket + 1]``: rounding does
    not matter, because the buckets of the breakpoints were found by the same formula, which is monotone. Sorted points stay
    on the piece of the point before.
    """
    last = firsts.size - 2
    piece = 0
    begin, end = breakpoints[0], breakpoints[0]
    for n in range(x.size):
        v = x[n]
        if not (begin <= v and v < end):
            place = (v - low) * scale
            bucket = 0 if not place > 0.0 else (last if place >= last else int(place))
            piece = firsts[bucket]
            length = firsts[bucket + 1] - piece
            while length > 0:
                # selections, not branches, which would be guessed wrong half the time
                half = length >> 1
                up = breakpoints[piece + half] <= v
                length = length - half - 1 if up else half
                piece = piece + half + 1 if up else piece
            begin = breakpoints[piece - 1] if piece > 0 else -1e308
            end = breakpoints[piece] if piece < breakpoints.size else 1e308
        out[n] = values[piece] + slopes[piece] * (v - anchors[piece])
