"""What is asked of data before any work is done on it: both splits, disjoint, and labels and crops on every side.

`harness.data.validation` runs this module in a subprocess, which reads the labels of the reported split and returns
messages only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.data.protocol import Protocol
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED, TRAINING, make_splits
from harness.metrics.tasks import EXPRESSIONS, get_task
from harness.utils.errors import FramelightError, InputError


def check_labels_nonempty(labels: Labels, task: str, where: str) -> None:
    """InputError for no row, no valid row of an output of the task, or one expression alone.

    task: its name; where: what the message calls the split, such as `train split of /data/rendered`.
    """
    if not len(labels):
        raise InputError(
            f"{where}: the split is empty: no annotated frame of task '{task}'; look at it with `framelight data check`"
        )
    for output in get_task(task).outputs:
        valid = output.valid(labels.targets[output.name])
        if not valid.any():
            raise InputError(
                f"{where}: the split is empty: none of its {len(labels):,} rows has a valid "
                f"{output.name} label; look at it with `framelight data check`"
            )
        classes = np.unique(labels.targets["expr"][valid]) if output.name == "expr" else ()
        if len(classes) == 1:
            raise InputError(
                f"{where}: only one class, {EXPRESSIONS[classes[0]]}, among its {valid.sum():,} valid "
                "expression labels; at least two are needed"
            )


MAX_EXAMPLES = 3


def check_splits(protocol: Protocol, dataset: Dataset, task: str, warn: Callable[[str], None]) -> None:
    """InputError for a split that is missing, poor or shares a unit with the other, or cannot be divided.

    `warn` is called for units that differ and yet come from one video, such as its `_left` and `_right`.
    """
    if task not in dataset.tasks():
        have = ", ".join(dataset.tasks()) or "none"
        raise InputError(f"{dataset.root}: no annotations for task '{task}'; it has {have}")
    found = {}
    for split in (TRAINING, REPORTED):
        if split not in dataset.splits(task):
            raise InputError(
                f"{dataset.root}: no {split} split for task '{task}'; look at it with `framelight data check`"
            )
        found[split] = dataset.labels(task, split)
        check_labels_nonempty(found[split], task, f"{split} split of {dataset.root}")
        if not _has_crop(dataset, task, found[split]):
            raise InputError(
                f"{dataset.root}: none of the labelled rows of the {split} split of task '{task}' has a "
                "crop, so nothing can be read from them; put the crops there, or look with `framelight "
                "data check` at how they are named"
            )
    _require_disjoint(dataset, task, found[TRAINING], found[REPORTED], warn)
    if protocol.name == "published":
        return
    for division in make_splits(protocol, get_task(task), found[TRAINING]):
        check_labels_nonempty(division.fit, task, f"{TRAINING} split of {dataset.root}, without the videos held out")
        _require_usable_selection(protocol, dataset, task, division.selection)


def _require_disjoint(
    dataset: Dataset, task: str, training: Labels, reported: Labels, warn: Callable[[str], None]
) -> None:
    noun = "video" if dataset.temporal else "subject"
    shared = sorted(set(training.units) & set(reported.units))
    if shared:
        others = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise InputError(
            f"{dataset.root}: {noun} '{shared[0]}'{others} in both {TRAINING} and {REPORTED} of task "
            f"'{task}', so what is scored would have been trained on; take it out of one "
            "(`framelight data check` says where it is named)"
        )
    groups = sorted(set(training.groups) & set(reported.groups))
    if groups:
        rest = f" and {len(groups) - MAX_EXAMPLES} more" if len(groups) > MAX_EXAMPLES else ""
        warn(
            f"{dataset.root}: parts of one {noun} are in both {TRAINING} and {REPORTED} of task '{task}': "
            f"{', '.join(groups[:MAX_EXAMPLES])}{rest}"
        )


def _require_usable_selection(protocol: Protocol, dataset: Dataset, task: str, selection: Labels) -> None:
    """A crop, and a valid label for each output: without one, every epoch and window would look alike."""
    lacking = [
        f"no valid {output.name} label of task '{task}' among its {len(selection):,} rows"
        for output in get_task(task).outputs
        if not output.valid(selection.targets[output.name]).any()
    ]
    if not lacking and not _has_crop(dataset, task, selection):
        lacking = [f"no crop for any of its {len(selection):,} rows of task '{task}'"]
    for what in lacking:
        remedy = (
            f"fewer than {protocol.folds} protocol.folds"
            if protocol.folds
            else f"a larger protocol.fraction than {protocol.fraction:g}"
        )
        raise InputError(
            f"{dataset.root}: the part of the {TRAINING} split held out for choosing has {what}; hold out "
            f"another with --set protocol.seed={protocol.seed + 1} or {remedy}"
        )


def _has_crop(dataset: Dataset, task: str, labels: Labels) -> bool:
    """Whether any valid row has one; folders of crops are listed until it is found."""
    labels = labels.take(np.logical_or.reduce(list(get_task(task).valid(labels.targets).values())))
    sequences = dataset.sequences
    return any(
        np.isin(labels.frame[labels.sequence == number], sequences[labels.sequences[number]].frames).any()
        for number in np.unique(labels.sequence)
    )


def main(root: str, protocol: str, *tasks: str) -> None:
    """Print what was found as JSON: `warnings`, and `error` with `exit_code` where the data are refused."""
    found: dict[str, Any] = {"warnings": []}
    try:
        dataset = open_dataset(Path(root))
        for task in tasks:
            check_splits(Protocol(**json.loads(protocol)), dataset, task, found["warnings"].append)
    except FramelightError as error:
        found |= {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
