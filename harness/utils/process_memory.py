"""Memory of this process, as the system reports it."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_bytes(peak: bool = False) -> int:
    """Return the resident memory of this process in bytes.

    Parameters
    ----------
    peak : bool, default=False
        Return the largest value since the process was started instead of the current one. macOS and BSD report only the
        largest value.

    Raises
    ------
    RuntimeError
        If the memory is not reported, as on Windows without the package psutil.

    Examples
    --------
    >>> 0 < resident_bytes() <= resident_bytes(peak=True)
    True
    """
    if (reported := _read_status("VmHWM:" if peak else "VmRSS:")) is not None:
        return reported
    try:
        import resource
    except ImportError:
        return _windows_bytes(peak)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # other systems count in KiB


def _read_status(name: str) -> int | None:
    """Return a value of Linux's process status in bytes; None on other systems, and in sandboxes that leave it out."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _windows_bytes(peak: bool) -> int:
    try:
        import psutil
    except ImportError as error:
        raise RuntimeError("on this system memory is measured with psutil: pip install psutil") from error
    memory = psutil.Process().memory_info()
    return int(memory.peak_wset if peak else memory.rss)
