"""Memory of activations kept by the process while torch computes on the CPU.

glibc maps and unmaps every large block, and the kernel clears each page again: measured, that costs torch a fifth to a
third of its forward passes here. While a hold is alive the heap keeps what was freed; afterwards what is free goes back
to the system. Elsewhere than on glibc nothing happens.
"""

from __future__ import annotations

import ctypes
import threading
import weakref

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
RETAIN_OPTIONS = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 256 * 2**20}
DEFAULT_OPTIONS = {
    M_MMAP_MAX: 65536,
    M_MMAP_THRESHOLD: 32 * 2**20,
    M_TRIM_THRESHOLD: 64 * 2**20,
    M_TOP_PAD: 128 * 2**10,
}
"""Of mallopt(3). The thresholds are those that glibc's own rise to as blocks are freed. Once told anything it moves
them no more: from where they begin, every block of a megabyte would be mapped and cleared anew ever after."""

_lock = threading.RLock()
_holders = 0


def retain_freed_memory(holder: object) -> None:
    """Freed memory is kept from now until `holder`, and every other holder, is gone."""
    global _holders
    with _lock:
        if _holders == 0 and not _set_malloc_options(RETAIN_OPTIONS):
            return
        _holders += 1
        weakref.finalize(holder, _remove_holder)


def _remove_holder() -> None:
    global _holders
    with _lock:
        _holders -= 1
        if _holders == 0:
            _set_malloc_options(DEFAULT_OPTIONS)
            ctypes.CDLL(None).malloc_trim(0)


def _set_malloc_options(options: dict[int, int]) -> bool:
    """False where the C library does not know mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(option, value) for option, value in options.items()])
