"""Data are judged before any work is done on them, by a process that reads the labels and gives back only messages.

So the process that selects never holds the labels of the reported split.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.data.protocol import Protocol
from harness.utils.errors import FramelightError, InputError
from harness.utils.parallel import run_module


def validate_dataset(protocol: Protocol, root: Path, tasks: Sequence[str], say: Callable[[str], None]) -> None:
    """InputError for a split that is missing, malformed, poor, shares a unit with the other, or cannot be divided.

    `say` is told of units that differ and yet come from one video, such as `_left` and `_right` of it.
    """
    done = run_module("harness.data.validation_checks", root, json.dumps(dataclasses.asdict(protocol)), *tasks)
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FramelightError(f"{root}: the check of its labels ended with {cause}; look at the folder with "
                              "`framelight data check`")
    found = json.loads(done.stdout)
    for warning in found["warnings"]:
        say(warning)
    if "error" in found:
        raise (InputError if found["exit_code"] == InputError.exit_code else FramelightError)(found["error"])
