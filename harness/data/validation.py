"""Validation of a dataset before a run, in a subprocess that reads the labels and returns only messages.

The process that performs model selection therefore never reads the labels of the reported split.
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


def validate_dataset(protocol: Protocol, root: Path, tasks: Sequence[str], seeds: Sequence[int] = (0,)) -> None:
    """Validate the training and reported splits of the tasks of a run.

    Logs warnings, for example about labels that are not used, or about units of the two splits that come from the same
    video, such as `video1_left` and `video1_right`.

    Parameters
    ----------
    protocol : Protocol
    root : Path
        Folder of the dataset.
    tasks : sequence of str
    seeds : sequence of int, default=(0,)
        Seeds of the jobs; if the seed of the protocol is `per-seed`, each job has a different selection split.

    Raises
    ------
    InputError
        If a split is missing or malformed, lacks crops or valid labels, has expression labels of one class only, or
        shares a unit with the other split. Also if the training split cannot be divided as the protocol requires.
    FramelightError
        If the subprocess fails.
    """
    settings = json.dumps(dataclasses.asdict(protocol)), json.dumps(list(seeds))
    process = run_module_in_subprocess("harness.data.validation_checks", root, *settings, *tasks)
    if process.returncode:
        cause = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise FramelightError(
            f"{root}: the validation of the labels failed with {cause}; check the folder with `framelight data check`"
        )
    result = json.loads(process.stdout)
    for warning in dict.fromkeys(result["warnings"]):  # tasks that share labels have the same warnings
        logger.warning(warning)
    if "error" in result:
        raise (InputError if result["exit_code"] == InputError.exit_code else FramelightError)(result["error"])
