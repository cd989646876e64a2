"""One BLAS thread while a network is trained: the last bits of sums depend on how many threads share them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import scipy.linalg  # noqa: F401  # its BLAS has to be there when the libraries are listed
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_changed: list[tuple[Any, int]] = []  # libraries, and the number of threads that each gets back


@cache
def _libraries() -> list[Any]:
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread in this context.

    The setting is the process's: of fits at the same time the first one makes it, and the last one takes it back.
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _changed[:] = [(library, count) for library in _libraries() if (count := library.num_threads) != 1]
            for library, _ in _changed:
                library.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for library, count in _changed:
                    library.set_num_threads(count)


def _forget_other_threads() -> None:
    """In a forked process only the forking thread lives on; the fits of others are not there to end."""
    global _lock, _users
    _lock, _users = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
