"""The best vectors of +-1 with a bounded number of switches, against group sums of the dual vector."""

import heapq

import numpy as np

from convexnn.kernels import compiled


@compiled
def switch_tables(sums, budget):
    """Return forward and backward tables (groups, budget + 1, 2) of the dynamic programme.

    ``forward[r, k, s]`` is the best sum over groups 0 ... r of level * sum with at most k switches and level 2 s - 1 in
    group r; ``backward`` is the same over groups r ... last.
    """
    groups = sums.size
    forward = np.empty((groups, budget + 1, 2))
    backward = np.empty((groups, budget + 1, 2))
    for k in range(budget + 1):
        for s in range(2):
            forward[0, k, s] = (2 * s - 1) * sums[0]
            backward[groups - 1, k, s] = (2 * s - 1) * sums[groups - 1]
    for step in range(1, groups):
        r = groups - 1 - step
        for s in range(2):
            gain = (2 * s - 1) * sums[step]
            loss = (2 * s - 1) * sums[r]
            forward[step, 0, s] = forward[step - 1, 0, s] + gain
            backward[r, 0, s] = backward[r + 1, 0, s] + loss
            for k in range(1, budget + 1):
                forward[step, k, s] = max(forward[step - 1, k, s], forward[step - 1, k - 1, 1 - s]) + gain
                backward[r, k, s] = max(backward[r + 1, k, s], backward[r + 1, k - 1, 1 - s]) + loss
    return forward, backward


@compiled
def best_through(forward, backward, budget):
    """Return, for each boundary between groups, the best sum with a switch there, its left budget and left level."""
    groups = forward.shape[0]
    value = np.full(groups - 1, -np.inf)
    left = np.zeros(groups - 1, dtype=np.int64)
    level = np.zeros(groups - 1, dtype=np.int64)
    for r in range(groups - 1):
        for k in range(budget):
            for s in range(2):
                total = forward[r, k, s] + backward[r + 1, budget - 1 - k, 1 - s]
                if total > value[r]:
                    value[r] = total
                    left[r] = k
                    level[r] = s
    return value, left, level


@compiled
def switches_through(boundary, left, level, forward, backward, budget):
    """Return the boundaries of the best vector with a switch at ``boundary``, padded with -1."""
    groups = forward.shape[0]
    found = np.full(budget, -1, dtype=np.int64)
    count = 0
    k, s = left, level
    for r in range(boundary, 0, -1):
        # The tables were filled by the very same comparison, so that it can be repeated instead of stored.
        if k > 0 and forward[r - 1, k - 1, 1 - s] > forward[r - 1, k, s]:
            found[count] = r - 1
            count += 1
            k -= 1
            s = 1 - s
    found[:count] = found[:count][::-1].copy()
    found[count] = boundary
    count += 1
    k, s = budget - 1 - left, 1 - level
    for r in range(boundary + 1, groups - 1):
        if k > 0 and backward[r + 1, k - 1, 1 - s] > backward[r + 1, k, s]:
            found[count] = r
            count += 1
            k -= 1
            s = 1 - s
    return found


@compiled
def merge_runs(sums, budget, first, last):
    """Return the groups' levels of the best +-1 vector that starts at ``first`` and ends at ``last``.

    It has at most ``budget`` switches, those at the outer ends included. The levels follow the signs of the sums until
    there are too many switches; then the lightest inner run flips, again and again, and joins its neighbours. This is
    optimal because what each flip costs never falls. O(R log R), for budgets too large for the tables.
    """
    groups = sums.size
    level = np.where(sums > 0.0, 1, -1)
    # Run 0 and the last run reach beyond the data, where the level is prescribed: they can never flip.
    weight = np.empty(groups + 2)
    start = np.empty(groups + 3, dtype=np.int64)
    runs = 1
    weight[0] = np.inf
    start[0] = 0
    current = first
    for r in range(groups):
        if level[r] != current:
            current = level[r]
            weight[runs] = 0.0
            start[runs] = r
            runs += 1
        weight[runs - 1] += abs(sums[r])
    if current != last:
        weight[runs] = 0.0
        start[runs] = groups
        runs += 1
    weight[runs - 1] = np.inf
    start[runs] = groups
    before = np.arange(-1, runs - 1)
    after = np.arange(1, runs + 1)
    alive = np.ones(runs, dtype=np.bool_)
    heap = [(weight[r], r) for r in range(runs)]
    heapq.heapify(heap)
    switches = runs - 1
    while switches > budget and switches >= 2:
        lightest, r = heapq.heappop(heap)
        if not alive[r] or lightest != weight[r]:
            continue
        p, n = before[r], after[r]
        weight[p] += weight[n] - lightest
        alive[r] = False
        alive[n] = False
        after[p] = after[n]
        if after[n] < runs:
            before[after[n]] = p
        heapq.heappush(heap, (weight[p], p))
        switches -= 2
    current = first
    r = 0
    while r < runs:
        begin = start[r]
        end = start[after[r]] if after[r] < runs else groups
        for g in range(begin, end):
            level[g] = current
        current = -current
        r = after[r]
    return level


@compiled
def priced_switches(sums, first, fall, closed):
    """Return what patterns of zeros and ones that begin with 0 are worth: the best with each step up and down.

    A pattern is worth the sum where it is one, minus ``fall`` for every step down, the one after the end included if
    ``closed``. It steps between stretches, whose first groups are marked in ``first``, and anywhere inside one stretch. For
    each boundary inside a stretch: the best of the patterns that rise there and of those that fall there.
    """
    groups = sums.size
    low, high = np.zeros(groups), np.zeros(groups)
    # what the best suffix after the stretch is worth, without steps inside stretches, after either level
    after_low, after_high, total = 0.0, -fall if closed else 0.0, 0.0
    for r in range(groups - 1, -1, -1):
        if r == groups - 1 or first[r + 1]:
            after_low, after_high = max(after_low, after_high + total), max(after_high + total, after_low - fall)
            if r == groups - 1:
                after_low, after_high = 0.0, -fall if closed else 0.0
            total = 0.0
            low[r], high[r] = after_low, sums[r] + after_high
        else:
            low[r] = max(low[r + 1], high[r + 1])
            high[r] = sums[r] + max(high[r + 1], low[r + 1] - fall)
        total += sums[r]
    rises, falls = np.full(groups - 1, -np.inf), np.full(groups - 1, -np.inf)
    before_low, before_high, total = 0.0, 0.0, 0.0
    below, above = 0.0, 0.0
    for r in range(groups - 1):
        if first[r]:
            before_low, before_high = max(before_low, before_high + total - fall), max(before_high + total, before_low)
            total = 0.0
            below, above = before_low, before_high + sums[r]
        else:
            below, above = max(below, above - fall), sums[r] + max(above, below)
        total += sums[r]
        if not first[r + 1]:
            rises[r] = below + high[r + 1]
            falls[r] = above - fall + low[r + 1]
    return rises, falls
