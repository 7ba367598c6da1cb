"""Processors that this process may use, which can be fewer than the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
"""Root of the file system; tests replace it."""


def available_processors() -> int:
    """Return the number of processors that this process may use, at least 1.

    This is the number of processors that it may run on (`taskset`, cpusets of SLURM and containers). If control groups
    limit its processor time to fewer processors (`docker run --cpus`, CPU limits of Kubernetes), it is that limit,
    rounded up.

    Examples
    --------
    >>> 1 <= available_processors() <= os.cpu_count()
    True
    """
    return max(1, min([allowed_processors(), *(math.ceil(quota) for quota in _cpu_quotas())]))


def allowed_processors() -> int:
    """Return the number of processors this process may run on, or the total of the machine if that is unknown."""
    count = getattr(os, "process_cpu_count", None)  # from Python 3.13 on
    try:
        return (count() if count else len(os.sched_getaffinity(0))) or 1
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _cpu_quotas() -> Iterator[float]:
    """For each control group of this process that limits processor time, yield the limit in processors."""
    for mount, root, controllers in _cgroup_mounts():
        group = _cgroup_path(controllers)
        if group is None:
            continue
        inside = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()
        for part in (inside, *inside.parents):
            folder = mount / part
            quota = _read_numbers(folder / "cpu.max") if not controllers else _read_quota(folder)
            if len(quota) == 2 and quota[0] > 0 and quota[1] > 0:
                yield quota[0] / quota[1]


def _cgroup_mounts() -> Iterator[tuple[Path, PurePosixPath, bool]]:
    """Yield (mount point, root, whether version 1) of each mounted control group hierarchy that can limit CPU time."""
    for line in _read_lines(ROOT / "proc/self/mountinfo"):
        fields, _, kind = (part.split() for part in line.partition(" - "))
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" or (kind[0] == "cgroup" and "cpu" in kind[2].split(",")):
            yield ROOT / fields[4].lstrip("/"), PurePosixPath(fields[3]), kind[0] == "cgroup"


def _cgroup_path(version_1: bool) -> PurePosixPath | None:
    """Return this process's control group in the version 1 hierarchy of `cpu` or in the version 2 hierarchy."""
    for line in _read_lines(ROOT / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if ("cpu" in controllers.split(",")) if version_1 else not controllers:
            return PurePosixPath(path)
    return None


def _read_quota(folder: Path) -> list[float]:
    """Return quota and period of a version 1 control group; a quota of -1 means no limit."""
    return [number for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us") for number in _read_numbers(folder / name)]


def _read_numbers(path: Path) -> list[float]:
    """Return the numbers in a file, or [] if the file is missing or contains anything else, such as `max`."""
    try:
        return [float(word) for line in _read_lines(path) for word in line.split()]
    except ValueError:
        return []


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
