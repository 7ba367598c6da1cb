"""Lock files for file systems that do not support file locks."""

from __future__ import annotations

import os
from contextlib import suppress

from filelock import SoftFileLock
from filelock._identity import host_name, owner_is_stale, process_start_token
from filelock._soft import _parse_lock_holder, _read_lock_file
from filelock._util import break_lock_file, write_all


def machine_name() -> str:
    """Return the host name and the PID namespace, within which a process id is unique.

    Containers can share a host name, but each has its own process ids. A running process of one container therefore
    looks to another container as if it had ended.
    """
    try:
        return f"{host_name()}/pid:{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116
    except OSError:  # a system without such namespaces
        return host_name()


class MarkerLock(SoftFileLock):
    """Lock file that names the process and the machine of its holder; see `harness.utils.locks.ProcessLock`."""

    def _try_break_stale_lock(self) -> None:
        with suppress(OSError, ValueError):
            text, mtime, inode = _read_lock_file(self.lock_file)
            holder = _parse_lock_holder(text)
            if holder is not None and holder[1] == machine_name() and owner_is_stale(holder[0], host_name(), holder[2]):
                break_lock_file(self.lock_file, mtime, inode)
                return
        super()._try_break_stale_lock()  # removes a lock file that is damaged or of an earlier version

    @staticmethod
    def _write_lock_info(fd: int) -> None:
        start = process_start_token(os.getpid())
        lines = [str(os.getpid()), machine_name(), *([] if start is None else [str(start)])]
        write_all(fd, "".join(f"{line}\n" for line in lines).encode())
