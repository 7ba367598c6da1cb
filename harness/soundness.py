"""Data are judged before any work is done on them, by a process that reads the labels and gives back only messages.

So the process that selects never holds the labels of the reported split.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import FramelightError, InputError
from harness.recipes.recipe import Protocol

HOME = Path(__file__).resolve().parents[1]


def require_sound(protocol: Protocol, root: Path, tasks: Sequence[str], say: Callable[[str], None]) -> None:
    """InputError for a split that is missing, malformed, poor, shares a unit with the other, or cannot be divided.

    `say` is told of units that differ and yet come from one video, such as `_left` and `_right` of it.
    """
    places = [str(HOME), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.soundness_checks", str(root), json.dumps(dataclasses.asdict(protocol)),
         *tasks],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FramelightError(f"{root}: the check of its labels ended with {cause}; look at the folder with "
                              "`framelight data check`")
    found = json.loads(done.stdout)
    for warning in found["warnings"]:
        say(warning)
    if "error" in found:
        raise (InputError if found["exit_code"] == InputError.exit_code else FramelightError)(found["error"])
