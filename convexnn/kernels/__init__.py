"""Compiled loops: numbers and arrays only. Imported inside the first fit, because numba is slow to import."""

from __future__ import annotations

import gc
import threading

from numba import njit
from numba.core import event
from numba.extending import register_jitable

# nobody calls them from C, nor nested ones from outside: the wrappers for that would take a tenth of the first fit
compiled = njit(cache=True, nogil=True, no_cfunc_wrapper=True)
nested = register_jitable(no_cpython_wrapper=True, no_cfunc_wrapper=True)


class _Rest(event.Listener):
    """The garbage collector rests while these loops are compiled: it would take a seventh of the time, to find nothing."""

    def __init__(self):
        self.lock, self.depth, self.enabled = threading.Lock(), 0, False

    def on_start(self, compiling):
        if self._is_ours(compiling):
            with self.lock:
                if self.depth == 0:
                    self.enabled = gc.isenabled()
                    gc.disable()
                self.depth += 1

    def on_end(self, compiling):
        if self._is_ours(compiling):
            with self.lock:
                self.depth -= 1
                if self.depth == 0 and self.enabled:
                    gc.enable()

    @staticmethod
    def _is_ours(compiling) -> bool:
        return compiling.data["dispatcher"].py_func.__module__.startswith(__name__)


event.register("numba:compile", _Rest())
