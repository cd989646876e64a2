"""A module that another imports, and uses in few of its functions, is left for its first use."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


class _Deferred(ModuleType):
    """Stands where a module would: imports that module as soon as anything is asked of it."""

    _lock = threading.Lock()

    def __getattr__(self, name: str) -> object:
        self.leave()
        return getattr(import_module(self.__name__), name)

    def leave(self) -> None:
        """Leave the place to the module itself."""
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]


@contextmanager
def deferred(name: str) -> Iterator[None]:
    """Put off the import of a module by others in this context, unless something is asked of it meanwhile.

    After it nothing is different from a process in which nobody has imported the module yet. That is for modules
    like ``scipy.stats``, which whoever writes ``import scipy.stats`` reaches through ``scipy``, and scipy imports them
    when they are first asked for; of whose submodules nothing is imported meanwhile; and where no other thread runs, which
    might get hold of what stands in.
    """
    stand_in = _Deferred(name)
    if threading.active_count() == 1:
        sys.modules.setdefault(name, stand_in)
    try:
        yield
    finally:
        stand_in.leave()
