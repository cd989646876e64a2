"""Peak resident memory of a stretch of code in this process."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
METHOD = "peak resident set"


def _status(key: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def reset_peak() -> int:
    """Forget the peak so far where the system can (Linux), and return the bytes resident now."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5")
    return _status("VmRSS") if STATUS.exists() else peak()


def peak() -> int:
    """Return the peak in bytes since the reset (elsewhere than on Linux: since the process began)."""
    if STATUS.exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
