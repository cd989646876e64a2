"""Ordered breakpoints with two kinds of kink: the dynamic programme behind monotone features.

A leaky ReLU layer multiplies the slope of a monotone feature by kappa on one side of its breakpoint: on the left if it
is rising (+1), on the right if it is falling (-1). With R rising layers in all, the slope after p rising and m falling
breakpoints is kappa^(R - p + m); the correlation is the sum of the slope jumps times the hinge sums F, plus the first
slope times F(x_1).
"""

import numpy as np

from convexnn.kernels import compiled


@compiled
def monotone_tables(hinge, rising, falling, slope):
    """Return forward and backward tables (n + 1, rising + 1, falling + 1) of the best sums of jumps times F.

    ``forward[n, p, m]`` uses breakpoints among the first n candidates, p rising and m falling ones;
    ``backward[n, p, m]`` starts from p and m and places all others among the candidates n, n + 1, ...
    """
    count = hinge.size
    power = slope ** np.arange(rising + falling + 1)
    forward = np.full((count + 1, rising + 1, falling + 1), -np.inf)
    backward = np.full((count + 1, rising + 1, falling + 1), -np.inf)
    forward[0, 0, 0] = 0.0
    backward[count, rising, falling] = 0.0
    for n in range(count):
        for p in range(rising + 1):
            for m in range(falling + 1):
                best = forward[n, p, m]
                here = power[rising - p + m]
                # Several breakpoints may share a place: the states before this one at the same place count too.
                if p > 0:
                    best = max(best, forward[n + 1, p - 1, m] + (here - power[rising - p + 1 + m]) * hinge[n])
                if m > 0:
                    best = max(best, forward[n + 1, p, m - 1] + (here - power[rising - p + m - 1]) * hinge[n])
                forward[n + 1, p, m] = best
    for n in range(count - 1, -1, -1):
        for p in range(rising, -1, -1):
            for m in range(falling, -1, -1):
                best = backward[n + 1, p, m]
                here = power[rising - p + m]
                if p < rising:
                    best = max(best, backward[n, p + 1, m] + (power[rising - p - 1 + m] - here) * hinge[n])
                if m < falling:
                    best = max(best, backward[n, p, m + 1] + (power[rising - p + m + 1] - here) * hinge[n])
                backward[n, p, m] = best
    return forward, backward


@compiled
def monotone_through(forward, backward, hinge, slope):
    """Return, for each candidate, the best sum of a feature with a breakpoint there, and the state after it.

    The state (p, m, kind) is that after a breakpoint of kind 1 (rising) or -1 (falling) at the candidate.
    """
    count = hinge.size
    rising = forward.shape[1] - 1
    falling = forward.shape[2] - 1
    power = slope ** np.arange(rising + falling + 1)
    value = np.full(count, -np.inf)
    state = np.zeros((count, 3), dtype=np.int64)
    for n in range(count):
        for p in range(rising + 1):
            for m in range(falling + 1):
                here = power[rising - p + m]
                for kind in (1, -1):
                    q, k = (p - 1, m) if kind == 1 else (p, m - 1)
                    if q < 0 or k < 0:
                        continue
                    jump = here - power[rising - q + k]
                    total = forward[n + 1, q, k] + jump * hinge[n] + backward[n, p, m]
                    if total > value[n]:
                        value[n] = total
                        state[n, 0] = p
                        state[n, 1] = m
                        state[n, 2] = kind
    return value, state


@compiled
def trace_monotone(place, state, forward, backward, hinge, slope):
    """Return the candidates and kinds of the breakpoints, in order, of the best feature through a candidate."""
    rising = forward.shape[1] - 1
    falling = forward.shape[2] - 1
    power = slope ** np.arange(rising + falling + 1)
    places = np.empty(rising + falling, dtype=np.int64)
    kinds = np.empty(rising + falling, dtype=np.int64)
    p, m = state[0], state[1]
    at = p + m - 1
    places[at] = place
    kinds[at] = state[2]
    q, k = (p - 1, m) if state[2] == 1 else (p, m - 1)
    n = place + 1
    while at > 0:
        # The tables hold the very sums that are compared here, so that equality finds the step that was taken.
        here = power[rising - q + k]
        if forward[n, q, k] == forward[n - 1, q, k]:
            n -= 1
            continue
        at -= 1
        places[at] = n - 1
        if q > 0 and forward[n, q, k] == forward[n, q - 1, k] + (here - power[rising - q + 1 + k]) * hinge[n - 1]:
            kinds[at] = 1
            q -= 1
        else:
            kinds[at] = -1
            k -= 1
    at = p + m
    n = place
    while at < rising + falling:
        if backward[n, p, m] == backward[n + 1, p, m]:
            n += 1
            continue
        here = power[rising - p + m]
        places[at] = n
        if p < rising and backward[n, p, m] == backward[n, p + 1, m] + (power[rising - p - 1 + m] - here) * hinge[n]:
            kinds[at] = 1
            p += 1
        else:
            kinds[at] = -1
            m += 1
        at += 1
    return places, kinds
