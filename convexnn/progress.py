"""Progress: one line a round for those who ask, bars over many fits, and Ctrl-C that ends a fit with the best so far.

A solver says after every round how far it is, and hears whether to stop; who listens is set around it, so that no solver
knows about it, and inside another solver nothing is heard of the steps.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from convexnn.canonical import CanonicalData

T = TypeVar("T")
INTERRUPTED = "interrupted; the network is the best one found until then"


@dataclass
class Interrupt:
    """Whether Ctrl-C has been pressed, and whether a solver has heard of it."""

    pressed: bool = False
    obeyed: bool = False


@dataclass
class Watch:
    """Who listens to the rounds on these data.

    Attributes
    ----------
    data : CanonicalData
        The rows of the fit; rounds of other problems, which are steps inside a round, are not shown.
    verbose : bool
        Whether to write a line for every round.
    interrupt : Interrupt
        That of the outermost watch, where one is inside another: a path that looks for an alpha is inside a fit.
    """

    data: CanonicalData
    verbose: bool
    interrupt: Interrupt
    rounds: int = 0
    start: float = field(default_factory=time.perf_counter)


_watch: ContextVar[Watch | None] = ContextVar("convexnn_watch", default=None)


def report(data: CanonicalData, primal: float, gap: float, active: int) -> bool:
    """Say that a round is done and return whether to stop.

    ``primal`` is the objective in canonical units, ``gap`` relative, ``active`` the number of active features.
    """
    watch = _watch.get()
    if watch is None:
        return False
    if watch.verbose and data is watch.data:
        watch.rounds += 1
        if watch.rounds == 1:
            sys.stdout.write(f"{'round':>6}{'objective':>17}{'gap':>11}{'active':>8}{'seconds':>10}\n")
        objective = (primal + data.constant) * data.objective_scale
        seconds = time.perf_counter() - watch.start
        sys.stdout.write(f"{watch.rounds:>6}{objective:>17.9g}{gap:>11.2e}{active:>8}{seconds:>10.2f}\n")
        sys.stdout.flush()
    watch.interrupt.obeyed |= watch.interrupt.pressed
    return watch.interrupt.pressed


def interrupted() -> bool:
    """Return whether Ctrl-C has been pressed while someone listens."""
    watch = _watch.get()
    return watch is not None and watch.interrupt.pressed


@contextmanager
def watching(data: CanonicalData, verbose: int = 0) -> Iterator[Watch]:
    """Listen to the solvers inside; a first Ctrl-C asks them to stop, a second one is a KeyboardInterrupt as ever."""
    outer = _watch.get()
    watch = Watch(data, verbose > 0, Interrupt() if outer is None else outer.interrupt)
    token = _watch.set(watch)
    # only the main thread may catch signals, and a handler of someone else's stays
    catch = threading.current_thread() is threading.main_thread()

    def stop(*_: Any) -> None:
        watch.interrupt.pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if catch and (before := signal.signal(signal.SIGINT, stop)) is not signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
        catch = False
    try:
        yield watch
    finally:
        if catch:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _watch.reset(token)


def bar(items: Iterable[T], total: int, label: str, verbose: int) -> Iterator[T]:
    """Yield the items and show how many are done: by tqdm where it is installed, else a line for each."""
    if verbose <= 0:
        yield from items
        return
    try:
        from tqdm import tqdm
    except ImportError:
        start = time.perf_counter()
        for done, item in enumerate(items, start=1):
            yield item
            sys.stdout.write(f"{label} {done}/{total}, {time.perf_counter() - start:.1f} s\n")
            sys.stdout.flush()
        return
    yield from tqdm(items, total=total, desc=label)


def long_sweep(items: Sequence[T], label: str) -> Iterable[T]:
    """Return the items, under a bar if the rounds are listened to, tqdm is installed, and they take more than a second."""
    watch = _watch.get()
    if watch is None or not watch.verbose:
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=label, leave=False, delay=1.0)
