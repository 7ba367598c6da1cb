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

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds harness/, backbones/ and experiments/."""

CODE_PATTERNS = ("harness/*.py", "backbones/*.py", "experiments/*.py")
GIT_LOCATION_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Set inside git's own hooks; they would answer for another repository."""

PACKAGES = (
    "framelight",
    "bottleneck",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "pillow",
    "pytorch-lightning",
    "safetensors",
    "scikit-learn",
    "scipy",
    "simplejpeg",
    "timm",
    "torch",
    "torchvision",
)


def environment(folder: Path | None = None) -> dict[str, Any]:
    """JSON types: git commit and dirty flag of the code in `folder` (Framelight's own), Python, packages, machine.

    git_commit and git_dirty are None where no repository tracks that code. A tree is dirty when a tracked file was
    changed or a Python file of harness/, backbones/ or experiments/ is not tracked. cwd_git_commit is there only when
    the working directory lies in another repository.
    """
    commit, dirty = _project_git_state() if folder is None else _git_state(Path(folder))
    top, head = _git_head(Path())
    elsewhere = head and (commit is None or top != _git_head(Path(folder or PROJECT_ROOT))[0])
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        **({"cwd_git_commit": head} if elsewhere else {}),
        **_machine_info(),
    }


@functools.cache
def _project_git_state() -> tuple[str | None, bool | None]:
    """Asked once: what a process has loaded does not change when its files do."""
    return _git_state(PROJECT_ROOT)


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    _, commit = _git_head(folder)
    if commit is None or not _run_git(folder, "ls-files", "--", "*.py"):
        return None, None
    changed = _run_git(folder, "status", "--porcelain=v2", "--untracked-files=no", "--", ".")
    return commit, bool(changed or _run_git(folder, "ls-files", "--others", "--exclude-standard", "--", *CODE_PATTERNS))


def _git_head(folder: Path) -> tuple[str | None, str | None]:
    """Top folder and commit of the repository that `folder` lies in; None where there is none, or no commit yet."""
    lines = (_run_git(folder, "rev-parse", "--show-toplevel", "--verify", "HEAD") or "").splitlines()
    return (lines[0], lines[1]) if len(lines) == 2 else (None, None)


def _run_git(folder: Path, *command: str) -> str | None:
    """What git prints; None when it fails or is not there."""
    around = {name: value for name, value in os.environ.items() if name not in GIT_LOCATION_VARIABLES}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command],
            capture_output=True,
            text=True,
            timeout=10,
            env={**around, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


@functools.cache
def _machine_info() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _package_version(name))},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": platform.node(),
        "processor": _processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "accelerator": _gpu_name(),
    }


def _package_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_name() -> str | None:
    """Name of the first GPU, asked only of a torch that is already loaded."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None
