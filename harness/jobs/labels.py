"""The annotations a job may know before its choice is frozen, and those that it is known by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.data.dataset import Dataset, Labels
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED, TRAINING, labels_fingerprint
from harness.jobs.frozen_selection import SelectionRecord, verify_predictions
from harness.jobs.job import Job
from harness.utils.errors import FramelightError

CACHE_SIZE = 4
"""Tasks whose training labels a process keeps."""


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """The labels of the training split, and of the reported split the names of its sequences, labelled or not."""

    training: Labels
    reported: tuple[str, ...]
    temporal: bool


@lru_cache(maxsize=CACHE_SIZE)
def load_training_labels(root: Path, task: str, labels: str) -> TrainingLabels:
    """What `root` holds for a task; labels: the digest its annotations had when the recipe started.

    FramelightError when they have another by now: a record must not name labels that it was not made with.
    """
    dataset = open_dataset(root)
    found = TrainingLabels(dataset.labels(task, TRAINING), dataset.sequence_names(task, REPORTED), dataset.temporal)
    check_labels_unchanged(dataset, task, labels)
    return found


def check_labels_unchanged(dataset: Dataset, task: str, labels: str) -> None:
    if labels_fingerprint(dataset, task) != labels:
        raise FramelightError(
            f"{dataset.root}: the annotations of task {task} changed while the recipe ran; run it again"
        )


def load_reported_labels(folder: Path, job_id: str, root: Path, task: str) -> Labels:
    """The reported split's labels in `root`, for a job that was scored on them.

    folder: of the job; FramelightError where its frozen choice is not there.
    """
    verify_predictions(folder, job_id, "run its recipe again with --force")
    return open_dataset(root).labels(task, REPORTED)


class ReportedLabels:
    """The reported split's labels of one job. Code that trains or chooses is given neither this nor the data's place."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self, frozen: SelectionRecord) -> Labels:
        """The labels, once the job's choice lies on disk; FramelightError where it does not."""
        if frozen.job_id != self._job.job_id or not frozen.is_valid():
            raise FramelightError(
                f"{frozen.path}: the labels of the reported split stay shut until the choice of job "
                f"{self._job.job_id} is frozen there"
            )
        return self._read()

    def open_for_selection(self) -> Labels:
        """The labels, to choose on them as the protocol `published` does; FramelightError for any other protocol."""
        protocol = self._job.configuration.protocol.name
        if protocol != "published":
            raise FramelightError(
                f"job {self._job.job_id}: the protocol {protocol} must not choose on the labels of the reported split"
            )
        return self._read()

    def _read(self) -> Labels:
        job = self._job
        try:
            dataset = open_dataset(job.data)
            labels = dataset.labels(job.configuration.task, REPORTED)
            check_labels_unchanged(dataset, job.configuration.task, job.labels)
        except OSError as error:
            raise FramelightError(
                f"{error.filename}: the annotations cannot be read any more ({error.strerror}); run the recipe again"
            ) from error
        return labels
