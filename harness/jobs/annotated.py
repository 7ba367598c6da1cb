"""The annotations a job may know before its choice is frozen, and those that it is known by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.data.dataset import Dataset, Labels
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED, TRAINING, annotations_digest
from harness.utils.errors import FramelightError

KEPT = 4
"""Tasks whose training labels a process keeps."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """The labels of the training split, and of the reported split the names of its sequences, labelled or not."""

    training: Labels
    reported: tuple[str, ...]
    temporal: bool


@lru_cache(maxsize=KEPT)
def annotated(root: Path, task: str, labels: str) -> Annotated:
    """What `root` holds for a task; labels: the digest its annotations had when the recipe started.

    FramelightError when they have another by now: a record must not name labels that it was not made with.
    """
    dataset = open_dataset(root)
    found = Annotated(dataset.labels(task, TRAINING), dataset.members(task, REPORTED), dataset.temporal)
    require_unchanged(dataset, task, labels)
    return found


def require_unchanged(dataset: Dataset, task: str, labels: str) -> None:
    if annotations_digest(dataset, task) != labels:
        raise FramelightError(f"{dataset.root}: the annotations of task {task} changed while the recipe ran; "
                              "run it again")
