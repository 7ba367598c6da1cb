"""Where a result was computed: code, packages, machine."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("framelight", "bottleneck", "mlflow", "numpy", "optuna", "pandas", "pillow", "pytorch-lightning",
            "safetensors", "scikit-learn", "scipy", "simplejpeg", "timm", "torch", "torchvision")


def environment(folder: Path | None = None) -> dict[str, Any]:
    """JSON types: git commit and dirty flag of `folder` (the working directory), Python, packages, machine.

    git_commit and git_dirty are None outside a git checkout. Untracked files do not make a tree dirty: the store
    often lies in it.
    """
    commit, dirty = _git(Path(folder or Path.cwd()))
    return {"git_commit": commit, "git_dirty": dirty, **_machine()}


def _git(folder: Path) -> tuple[str | None, bool | None]:
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    lines = done.stdout.splitlines()
    commits = [line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")]
    if done.returncode or not commits or commits[0] == "(initial)":
        return None, None
    return commits[0], any(not line.startswith("#") for line in lines)


@functools.cache
def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": platform.node(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "accelerator": _accelerator(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _accelerator() -> str | None:
    """Name of the first GPU, asked only of a torch that is already loaded."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None
