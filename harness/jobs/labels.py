"""Access to the labels of the training split, and guarded access to those of the reported split (validation)."""

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
"""Number of tasks whose training labels a process caches."""


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """Labels that a job may use before its selection is written.

    Attributes
    ----------
    training : Labels
        Labels of the training split.
    reported : tuple of str
        Names of all sequences of the reported split.
    temporal : bool
        Whether the dataset has videos rather than still images.
    """

    training: Labels
    reported: tuple[str, ...]
    temporal: bool


@lru_cache(maxsize=CACHE_SIZE)
def load_training_labels(root: Path, task: str, labels: str) -> TrainingLabels:
    """Load the labels of the training split.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    task : str
        Name of the task.
    labels : str
        Digest of the annotations when the recipe started.

    Raises
    ------
    FramelightError
        If the annotations changed since the recipe started.
    """
    dataset = open_dataset(root)
    training = dataset.labels(task, TRAINING)
    training_labels = TrainingLabels(training, dataset.sequence_names(task, REPORTED), dataset.temporal)
    check_labels_unchanged(dataset, task, labels)
    return training_labels


def check_labels_unchanged(dataset: Dataset, task: str, labels: str) -> None:
    """Raise FramelightError if the annotations of a task do not have the digest `labels`."""
    if labels_fingerprint(dataset, task) != labels:
        raise FramelightError(
            f"{dataset.root}: the annotations of task {task} changed while the recipe ran; run it again"
        )


def load_reported_labels(folder: Path, job_id: str, root: Path, task: str) -> Labels:
    """Load the labels of the reported split for a finished job.

    Parameters
    ----------
    folder : Path
        Folder of the job.
    job_id : str
        Id of the job.
    root : Path
        Folder of the dataset.
    task : str
        Name of the task.

    Raises
    ------
    FramelightError
        If the selection of the job cannot be read, or its predictions are missing or modified.
    """
    verify_predictions(folder, job_id, "run its recipe again with --force")
    return open_dataset(root).labels(task, REPORTED)


class ReportedLabels:
    """Guard of the labels of the reported split.

    Code that trains or selects gets neither this object nor the folder of the dataset.

    Parameters
    ----------
    job : Job
        The job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self, selection: SelectionRecord) -> Labels:
        """Return the labels; raise FramelightError if the selection of the job is not on disk."""
        if selection.job_id != self._job.job_id or not selection.is_valid():
            raise FramelightError(
                f"{selection.path}: the labels of the reported split cannot be read before the selection of job "
                f"{self._job.job_id} is written there"
            )
        return self._read()

    def open_for_selection(self) -> Labels:
        """Return the labels for use in selection; raise FramelightError unless the protocol is `published`."""
        protocol = self._job.configuration.protocol.name
        if protocol != "published":
            raise FramelightError(
                f"job {self._job.job_id}: the protocol {protocol} does not allow selection on the labels of the "
                "reported split"
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
                f"{error.filename}: cannot read the annotations ({error.strerror}); run the recipe again"
            ) from error
        return labels
