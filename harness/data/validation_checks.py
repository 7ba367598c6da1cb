"""Checks of a dataset before a run: its training and reported splits are disjoint and have valid labels and crops.

The reported split is the split on which the final scores are computed. `harness.data.validation` runs this module in a
subprocess, which reads the labels of the reported split and prints only messages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backbones.errors import join_first
from harness.data.dataset import Dataset, Labels
from harness.data.problems import require_no_errors
from harness.data.protocol import Protocol
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED, TRAINING, make_splits
from harness.metrics.tasks import EXPRESSIONS, get_task
from harness.utils.errors import FramelightError, InputError


def check_labels_nonempty(labels: Labels, task: str, where: str) -> None:
    """Check that a split has labels.

    Parameters
    ----------
    labels : Labels
    task : str
    where : str
        Name of the split in messages, such as `train split of /data/rendered`.

    Raises
    ------
    InputError
        If there is no row, an output of the task has no valid label, or all valid expression labels are the same.
    """
    if not len(labels):
        raise InputError(
            f"{where}: the split is empty: no annotated frame of task '{task}'; check it with `framelight data check`"
        )
    for output in get_task(task).outputs:
        valid = output.valid(labels.targets[output.name])
        if not valid.any():
            raise InputError(
                f"{where}: none of the {len(labels):,} rows of the split has a valid "
                f"{output.name} label; check it with `framelight data check`"
            )
        if output.name == "expr" and len(classes := np.unique(labels.targets["expr"][valid])) == 1:
            raise InputError(
                f"{where}: only one class, {EXPRESSIONS[classes[0]]}, among its {valid.sum():,} valid "
                "expression labels; add labels of at least one more class"
            )


MAX_EXAMPLES = 3


def check_splits(
    protocol: Protocol, dataset: Dataset, task: str, warn: Callable[[str], None], seeds: Sequence[int] = (0,)
) -> None:
    """Check the training and reported splits of a task.

    Parameters
    ----------
    protocol : Protocol
    dataset : Dataset
    task : str
    warn : callable
        Called with a message if labels are not used, or if units in the two splits come from the same video, such as
        `video1_left` and `video1_right`.
    seeds : sequence of int, default=(0,)
        Seeds of the jobs.

    Raises
    ------
    InputError
        If a split is missing, lacks crops or valid labels, has expression labels of one class only, or shares a unit
        with the other split. Also if the training split cannot be divided as the protocol requires, or if
        `Dataset.find_errors` yields an error.
    """
    if task not in dataset.tasks():
        require_no_errors(dataset.find_errors(task))
        available = ", ".join(dataset.tasks()) or "none"
        raise InputError(f"{dataset.root}: no annotations for task '{task}'; available: {available}")
    labels = {}
    for split in (TRAINING, REPORTED):
        if split not in dataset.splits(task):
            require_no_errors(dataset.find_errors(task))
            raise InputError(
                f"{dataset.root}: no {split} split for task '{task}'; check the folder with `framelight data check`"
            )
        labels[split] = dataset.labels(task, split)
        for warning in labels[split].warnings:
            warn(f"{warning.location()}: {warning.message}")
        check_labels_nonempty(labels[split], task, f"{split} split of {dataset.root}")
        if not _has_crop(dataset, task, labels[split]):
            raise InputError(
                f"{dataset.root}: none of the labeled rows of the {split} split of task '{task}' has a "
                "crop; add the crops, or check their names with `framelight data check`"
            )
    _require_disjoint(dataset, task, labels[TRAINING], labels[REPORTED], warn)
    require_no_errors(dataset.find_errors(task))
    if protocol.name == "published":
        return
    for resolved in dict.fromkeys(map(protocol.for_seed, seeds)):
        for division in make_splits(resolved, get_task(task), labels[TRAINING]):
            check_labels_nonempty(division.fit, task, f"{TRAINING} split of {dataset.root} without the held-out videos")
            _require_usable_selection(resolved, dataset, task, division.selection)


def _require_disjoint(
    dataset: Dataset, task: str, training: Labels, reported: Labels, warn: Callable[[str], None]
) -> None:
    noun = "video" if dataset.temporal else "subject"
    shared = sorted(set(training.units) & set(reported.units))
    if shared:
        names = join_first((f"'{name}'" for name in shared), 1)
        raise InputError(
            f"{dataset.root}: {noun} {names} {'are' if len(shared) > 1 else 'is'} in both {TRAINING} and {REPORTED} "
            f"of task '{task}', so scored data would be trained on; remove it from one of them "
            "(`framelight data check` shows where it is named)"
        )
    groups = sorted(set(training.groups) & set(reported.groups))
    if groups:
        warn(
            f"{dataset.root}: parts of the same {noun} are in both {TRAINING} and {REPORTED} of task '{task}': "
            f"{join_first(groups, MAX_EXAMPLES)}"
        )


def _require_usable_selection(protocol: Protocol, dataset: Dataset, task: str, selection: Labels) -> None:
    """Check that some selection rows have crops and valid labels; otherwise all candidates would score the same."""
    missing = [
        f"no valid {output.name} label of task '{task}' among its {len(selection):,} rows"
        for output in get_task(task).outputs
        if not output.valid(selection.targets[output.name]).any()
    ]
    if not missing and not _has_crop(dataset, task, selection):
        missing = [f"no crop for any of its {len(selection):,} rows of task '{task}'"]
    for reason in missing:
        remedy = (
            f"fewer than {protocol.folds} protocol.folds"
            if protocol.folds
            else f"a larger protocol.fraction than {protocol.fraction:g}"
        )
        raise InputError(
            f"{dataset.root}: the held-out part of the {TRAINING} split has {reason}; hold out "
            f"another part with --set protocol.seed={protocol.division_seed(0) + 1} or {remedy}"
        )


def _has_crop(dataset: Dataset, task: str, labels: Labels) -> bool:
    """Return whether any valid row has a crop; stops listing folders at the first crop."""
    labels = labels.take(np.logical_or.reduce(list(get_task(task).valid(labels.targets).values())))
    sequences = dataset.sequences
    return any(
        np.isin(labels.frame[labels.sequence == number], sequences[labels.sequences[number]].frames).any()
        for number in np.unique(labels.sequence)
    )


def main(root: str, protocol: str, seeds: str, *tasks: str) -> None:
    """Check a dataset and print the result as JSON.

    The keys are `warnings`, and `error` and `exit_code` if a check fails.

    Parameters
    ----------
    root : str
    protocol : str
        Fields of the protocol as JSON.
    seeds : str
        Seeds of the jobs as a JSON list.
    *tasks : str
    """
    result: dict[str, Any] = {"warnings": []}
    try:
        dataset = open_dataset(Path(root))
        result["warnings"] += dataset.notices()
        for task in tasks:
            check_splits(Protocol(**json.loads(protocol)), dataset, task, result["warnings"].append, json.loads(seeds))
    except FramelightError as error:
        result |= {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(result))  # noqa: T201 - parsed by validate_dataset


if __name__ == "__main__":
    main(*sys.argv[1:])
