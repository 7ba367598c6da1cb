"""Whether labels are enough to train or score on."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Labels
from harness.metrics.tasks import EXPRESSIONS
from harness.metrics.tasks import task as find_task
from harness.utils.errors import InputError


def require_usable(labels: Labels, task: str, where: str) -> None:
    """InputError for no row, no valid row of an output of the task, or one expression alone.

    task: its name; where: what the message calls the split, such as `train split of /data/rendered`.
    """
    if not len(labels):
        raise InputError(f"{where}: the split is empty: no annotated frame of task '{task}'; "
                         "look at it with `framelight data check`")
    for output in find_task(task).outputs:
        valid = output.valid(labels.targets[output.name])
        if not valid.any():
            raise InputError(f"{where}: the split is empty: none of its {len(labels):,} rows has a valid "
                             f"{output.name} label; look at it with `framelight data check`")
        classes = np.unique(labels.targets["expr"][valid]) if output.name == "expr" else ()
        if len(classes) == 1:
            raise InputError(f"{where}: only one class, {EXPRESSIONS[classes[0]]}, among its {valid.sum():,} valid "
                             "expression labels; at least two are needed")
