"""Compiled loops: numbers and arrays only. Imported inside the first fit, because numba is slow to import."""

from __future__ import annotations

from convexnn._collector import resting

with resting:
    from numba import njit
    from numba.core import event
    from numba.extending import register_jitable

# nobody calls them from C, nor nested ones from outside: the wrappers for that would take a tenth of the first fit
compiled = njit(cache=True, nogil=True, no_cfunc_wrapper=True)
nested = register_jitable(no_cpython_wrapper=True, no_cfunc_wrapper=True)


class _Compiling(event.Listener):
    """The garbage collector rests while these loops are compiled: it would take a seventh of the time, to find nothing."""

    def on_start(self, compiling):
        if self._is_ours(compiling):
            resting.__enter__()

    def on_end(self, compiling):
        if self._is_ours(compiling):
            resting.__exit__()

    @staticmethod
    def _is_ours(compiling) -> bool:
        return compiling.data["dispatcher"].py_func.__module__.startswith(__name__)


event.register("numba:compile", _Compiling())
