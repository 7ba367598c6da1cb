"""Data are judged before any work is done on them, by a process that reads the labels and gives back only messages.

So the process that selects never holds the labels of the reported split.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from harness.data.protocol import Protocol
from harness.utils.errors import FramelightError, InputError
from harness.utils.parallel import run_module_in_subprocess

logger = logging.getLogger(__name__)


def validate_dataset(protocol: Protocol, root: Path, tasks: Sequence[str]) -> None:
    """InputError for a split that is missing, malformed, poor, shares a unit with the other, or cannot be divided.

    Logs units that differ and yet come from one video, such as its `_left` and `_right`.
    """
    done = run_module_in_subprocess(
        "harness.data.validation_checks", root, json.dumps(dataclasses.asdict(protocol)), *tasks
    )
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FramelightError(
            f"{root}: the check of its labels ended with {cause}; look at the folder with `framelight data check`"
        )
    found = json.loads(done.stdout)
    for warning in found["warnings"]:
        logger.warning(warning)
    if "error" in found:
        raise (InputError if found["exit_code"] == InputError.exit_code else FramelightError)(found["error"])
