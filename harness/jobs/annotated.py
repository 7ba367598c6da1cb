"""The annotations a job works on: read once in a process, and those that the job is known by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.data.dataset import Labels
from harness.data.open import open_dataset
from harness.errors import FramelightError
from harness.identity import digest
from harness.splits import REPORTED, TRAINING

KEPT = 4
"""Tasks whose annotations a process keeps."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """Labels of both splits of a task; members: the sequences of the reported one, labelled or not."""

    temporal: bool
    training: Labels
    reported: Labels
    members: tuple[str, ...]


@lru_cache(maxsize=KEPT)
def annotated(root: Path, task: str, labels: str) -> Annotated:
    """What `root` holds for a task; labels: the digest its annotations had when the recipe started.

    FramelightError when they have another by now: a record must not name labels that it was not made with.
    """
    dataset = open_dataset(root)
    found = Annotated(dataset.temporal, dataset.labels(task, TRAINING), dataset.labels(task, REPORTED),
                      dataset.members(task, REPORTED))
    if digest([dataset.labels_digest(task, split) for split in (TRAINING, REPORTED)]) != labels:
        raise FramelightError(f"{root}: the annotations of task {task} changed while the recipe ran; run it again")
    return found
