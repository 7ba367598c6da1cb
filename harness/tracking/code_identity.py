"""Identity of the code that made a result: hashes of the sources of Framelight and of the recipe.

Run ids do not depend on the code, so a store stays valid after an update of Framelight. Leaderboards mark runs that
were made by other code than most runs of their board.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.tracking.environment import PROJECT_ROOT, package_version

DIGEST_LENGTH = 12


@dataclass(frozen=True)
class CodeIdentity:
    """Hashes of the code that runs a job, 12 hexadecimal digits each.

    Attributes
    ----------
    version : str
        Version of Framelight; empty if it is not installed.
    harness, backbones : str
        Hashes of the Python files of the packages.
    recipe : str
        Hash of the recipe's file and of the modules that it imports from its folder or from `experiments`; empty for a
        recipe that was passed as a Python object, whose code is not known.
    recipe_runs_code : bool
        Whether the recipe does more than describe an experiment, see `harness.runner.recipe_code`; True if this is not
        known.
    """

    version: str
    harness: str
    backbones: str
    recipe: str
    recipe_runs_code: bool

    def to_dict(self, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields, and from `environment` the git commit and whether the code differs from the commit."""
        commit = {"commit": environment.get("git_commit"), "dirty": environment.get("git_dirty")}
        return {**dataclasses.asdict(self), **commit}


@functools.cache
def package_digest(package: str) -> str:
    """Hash the Python files of `harness` or `backbones`, once per process; this takes about 10 ms.

    Files that change afterwards do not change the code that the process has loaded.
    """
    root = PROJECT_ROOT / package
    return hash_files({path.relative_to(root).as_posix(): path for path in root.rglob("*.py")})


def hash_files(files: Mapping[str, Path]) -> str:
    """Hash the names and the content of files, in the order of their names."""
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:DIGEST_LENGTH]


def identify_code(recipe: str = "", recipe_runs_code: bool = True) -> CodeIdentity:
    """Return the identity of the code of this process.

    Parameters
    ----------
    recipe : str, default=""
        Hash of the recipe's files, see `CodeIdentity`.
    recipe_runs_code : bool, default=True
        See `CodeIdentity`.
    """
    return CodeIdentity(
        package_version("framelight") or "",
        package_digest("harness"),
        package_digest("backbones"),
        recipe,
        recipe_runs_code,
    )


def code_key(code: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return a key that is equal for results of the same code; None if the code was not recorded.

    Recipes that only describe experiments are not compared, as their settings are in the configuration of each run.
    """
    if not code:
        return None
    recipe = (code.get("recipe") or "unknown") if code.get("recipe_runs_code", True) else ""
    return str(code.get("harness")), str(code.get("backbones")), str(recipe)


def describe_code(code: Mapping[str, Any]) -> str:
    """Describe recorded code in one line, for `framelight show`."""
    if not code:
        return "not recorded (made by an earlier version of Framelight)"
    commit = str(code.get("commit") or "")[:DIGEST_LENGTH]
    recipe = code.get("recipe") or "passed as a Python object"
    runs_code = code.get("recipe") and code.get("recipe_runs_code", True)
    parts = [
        f"framelight {code.get('version') or '(not installed)'}",
        *([f"commit {commit}{' with changes' if code.get('dirty') else ''}"] if commit else []),
        *(f"{package} {code.get(package)}" for package in ("harness", "backbones")),
        f"recipe {recipe}{' (does more than describe an experiment)' if runs_code else ''}",
    ]
    return ", ".join(parts)
