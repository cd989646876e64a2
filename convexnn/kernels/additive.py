"""Normal equations of a sum of splines or step functions of several inputs, row by row."""

from __future__ import annotations

import numpy as np

from convexnn.kernels import compiled


@compiled
def gram_of_rows(left, t, width, w, size):
    """Return sum_n w_n d_n d_n' for sparse rows d_n: 1 - t at left and t at the next unknown, for every block.

    ``left`` and ``t`` are (blocks, rows); a block of ``width`` 0 has one entry a row, and t = 0 there. No two blocks share
    an unknown, and those of a block come before those of the next.
    """
    gram = np.zeros((size, size))
    blocks = left.shape[0]
    for n in range(w.size):
        for i in range(blocks):
            a, s = left[i, n], t[i, n]
            b = a + width[i]
            u, v = w[n] * (1.0 - s), w[n] * s
            gram[a, a] += u * (1.0 - s)
            if b != a:
                gram[a, b] += u * s
                gram[b, b] += v * s
            for j in range(i + 1, blocks):
                c, q = left[j, n], t[j, n]
                d = c + width[j]
                gram[a, c] += u * (1.0 - q)
                gram[a, d] += u * q
                gram[b, c] += v * (1.0 - q)
                gram[b, d] += v * q
    for i in range(size):
        for j in range(i):
            gram[i, j] = gram[j, i]
    return gram
