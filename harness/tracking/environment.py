"""Provenance of a result: code, package versions and machine."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from backbones.processors import available_processors

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The folder with harness/, backbones/ and experiments/."""

CODE_PATTERNS = ("harness/*.py", "backbones/*.py", "experiments/*.py")
GIT_LOCATION_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Environment variables that git sets inside hooks. They would select another repository."""

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
    """Describe the code and the machine of this process.

    Parameters
    ----------
    folder : Path, optional
        Folder of the code. Default: the folder of Framelight itself.

    Returns
    -------
    dict of JSON types
        `git_commit`, `git_dirty`, `python`, `packages`, `system`, `host`, `processor`, `cores` and `accelerator`.
        The first two are None if no repository tracks the code. The code is dirty if a tracked file was changed, or if
        a Python file of harness/, backbones/ or experiments/ is not tracked. If the working directory is in another
        repository, `cwd_git_commit` is its commit.
    """
    commit, dirty = _project_git_state() if folder is None else _git_state(Path(folder))
    top, head = _git_head(Path())
    other_repository = head and (commit is None or top != _git_head(Path(folder or PROJECT_ROOT))[0])
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        **({"cwd_git_commit": head} if other_repository else {}),
        **_machine_info(),
    }


@functools.cache
def _project_git_state() -> tuple[str | None, bool | None]:
    """Return the git state of this code at the first call; files that change later do not change the loaded code."""
    return _git_state(PROJECT_ROOT)


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    _, commit = _git_head(folder)
    if commit is None or not _run_git(folder, "ls-files", "--", "*.py"):
        return None, None
    changed = _run_git(folder, "status", "--porcelain=v2", "--untracked-files=no", "--", ".")
    return commit, bool(changed or _run_git(folder, "ls-files", "--others", "--exclude-standard", "--", *CODE_PATTERNS))


def _git_head(folder: Path) -> tuple[str | None, str | None]:
    """Return the top folder and the commit of the repository that contains `folder`; (None, None) without a commit."""
    lines = (_run_git(folder, "rev-parse", "--show-toplevel", "--verify", "HEAD") or "").splitlines()
    return (lines[0], lines[1]) if len(lines) == 2 else (None, None)


def _run_git(folder: Path, *command: str) -> str | None:
    """Return the output of git; None if it fails or is not installed."""
    variables = {name: value for name, value in os.environ.items() if name not in GIT_LOCATION_VARIABLES}
    try:
        process = subprocess.run(
            ["git", "-C", str(folder), *command],
            capture_output=True,
            text=True,
            timeout=10,
            env={**variables, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout if process.returncode == 0 else None


@functools.cache
def _machine_info() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := package_version(name))},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": platform.node(),
        "processor": _processor_name(),
        "cores": available_processors(),
        "accelerator": _gpu_name(),
    }


@functools.cache
def package_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
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
    """Return the name of the first GPU, if torch is already imported."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None
