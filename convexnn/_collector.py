"""The garbage collector rests while modules are loaded or loops compiled: it would search what all stays in use."""

from __future__ import annotations

import gc
import os
import threading


class Rest:
    """A context in which the garbage collector is off; on again, if it was, when the last of several at a time ends.

    What was made meanwhile is then of the oldest generation, which is rarely searched.
    """

    def __init__(self) -> None:
        self._lock, self._depth, self._enabled = threading.Lock(), 0, False

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._enabled = gc.isenabled()
                gc.disable()
            self._depth += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._depth = max(self._depth - 1, 0)
            if self._depth == 0 and self._enabled:
                if gc.get_freeze_count() == 0:  # else somebody's objects would come back
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()

    def end(self) -> None:
        """End at once: in a forked process the threads that rested are not there to end it."""
        self._lock = threading.Lock()
        if self._depth:
            self._depth = 1
            self.__exit__()


resting = Rest()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=resting.end)
