"""Memory of this process, as Linux reports it."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_bytes(peak: bool = False) -> int:
    """Return the resident memory of this process in bytes.

    Parameters
    ----------
    peak : bool, default=False
        Return the largest value since the process was started instead of the current one.

    Raises
    ------
    RuntimeError
        If the system does not report it, as outside Linux.

    Examples
    --------
    >>> 0 < resident_bytes() <= resident_bytes(peak=True)
    True
    """
    name = "VmHWM:" if peak else "VmRSS:"
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not report resident memory ({STATUS})")
