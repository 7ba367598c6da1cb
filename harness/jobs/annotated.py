"""The annotations a job works on: read once in a process, and those that the job is known by."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

from harness.data.dataset import Dataset, Labels
from harness.data.open import open_dataset
from harness.errors import FramelightError
from harness.splits import REPORTED, TRAINING, annotations_digest

KEPT = 4
"""Tasks whose annotations a process keeps."""


class Annotated:
    """The annotations of one task. The reported split's labels are read when they are first asked for."""

    def __init__(self, dataset: Dataset, task: str) -> None:
        self._dataset, self._task = dataset, task
        self.temporal = dataset.temporal
        self.training = dataset.labels(task, TRAINING)
        self.members = dataset.members(task, REPORTED)
        """Sequences of the reported split, labelled or not."""

    @cached_property
    def reported(self) -> Labels:
        return self._dataset.labels(self._task, REPORTED)


@lru_cache(maxsize=KEPT)
def annotated(root: Path, task: str, labels: str) -> Annotated:
    """What `root` holds for a task; labels: the digest its annotations had when the recipe started.

    FramelightError when they have another by now: a record must not name labels that it was not made with.
    """
    dataset = open_dataset(root)
    found = Annotated(dataset, task)
    if annotations_digest(dataset, task) != labels:
        raise FramelightError(f"{root}: the annotations of task {task} changed while the recipe ran; run it again")
    return found
