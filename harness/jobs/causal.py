"""Causal replay of a finished job: its saved predictions are smoothed by causal filters, without training.

The replay is a job with the same configuration, except that its filters are causal and its gaps are forward-filled. Its
filter is selected on the selection split, and the replay is scored like any other job. Its files are in
`artifacts/causal/<id of the finished job>/`.
"""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.file_hashes import find_altered_files
from harness.jobs.frozen_selection import verify_predictions
from harness.jobs.job import Job, parse_configuration
from harness.jobs.job_folder import JobFolder
from harness.smoothing.candidates import SmoothingGrid
from harness.smoothing.kernels import CAUSAL, MAX_RADIUS, SmoothingParams
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.store import Store

CAUSAL_GAPS = "held"
RERUN_HINT = "run its recipe again with --force"


@dataclass(frozen=True, kw_only=True)
class _ReplayJob(Job):
    """Job that replays the predictions of the job with id `run`."""

    run: str = ""

    @property
    def folder(self) -> Path:
        return replay_folder(self.store, self.run).path


def replay_folder(store: Store, job_id: str) -> JobFolder:
    """Return the folder of the causal replay of a job."""
    return JobFolder(store.causal_replay(job_id))


def load_filter(store: Store, job_id: str) -> SmoothingParams | None:
    """Load the causal filter of a job.

    Parameters
    ----------
    store : Store
        Store of the replay.
    job_id : str
        Id of the job.

    Returns
    -------
    SmoothingParams or None
        None if there is no replay, if it was altered, or if the predictions of the job have changed since.
    """
    record = _read_record(store, job_id)
    if record is None or not _is_current(store, job_id):
        return None
    return SmoothingParams(record.kernel, record.radius, CAUSAL_GAPS, record.thresholds)


def load_record(store: Store, record: Record) -> Record | None:
    """Load the record of the causal replay of a job.

    Parameters
    ----------
    store : Store
        Store of the replay.
    record : Record
        Record of the job.

    Returns
    -------
    Record or None
        None if there is no replay, if it was altered, or if the predictions of the job have changed since.

    Raises
    ------
    FramelightError
        If another version of Framelight wrote `record`.
    """
    replay = _read_record(store, record.job_id)
    if replay is None or replay.job_id != _make_job(store, record, Path(), "").job_id:
        return None
    return replay if _is_current(store, record.job_id) else None


def run_replay(store: Store, record: Record, root: Path, labels: str) -> Record:
    """Run the causal replay of a job and write it to the store.

    Parameters
    ----------
    store : Store
        Store of the job.
    record : Record
        Record of the job.
    root : Path
        Dataset of the job.
    labels : str
        Digest of the annotations of the task in the dataset.

    Returns
    -------
    Record
        Record of the replay.

    Raises
    ------
    FramelightError
        If the predictions of the job are missing or modified, or another version of Framelight wrote `record`.
    """
    from harness.jobs.execute import run_job

    job = _make_job(store, record, root, labels)
    verify_predictions(store.job(record.job_id), record.job_id, RERUN_HINT)
    if not job.predictions.is_dir():
        raise FramelightError(
            f"{job.predictions}, with the predictions of run {record.job_id}, is missing; {RERUN_HINT}"
        )
    shutil.rmtree(job.folder, ignore_errors=True)
    return run_job(job)


def causal_search_space(smoothing: SmoothingGrid) -> SmoothingGrid:
    """Return the filters that a causal replay selects from.

    Parameters
    ----------
    smoothing : SmoothingGrid
        Filters of the run.

    Returns
    -------
    SmoothingGrid
        Causal kernels with the same radii. If the run has a fixed radius r, the radii are 0 to 2r (at most
        MAX_RADIUS), since a causal window of radius 2r has as many frames as a centered window of radius r.
    """
    smallest, largest = smoothing.smallest, smoothing.largest
    if smallest == largest:
        smallest, largest = 0, min(2 * largest, MAX_RADIUS)
    return SmoothingGrid(CAUSAL, smallest, largest, CAUSAL_GAPS)


def _make_job(store: Store, record: Record, root: Path, labels: str) -> Job:
    configuration = parse_configuration(record)
    causal = dataclasses.replace(configuration, smoothing=causal_search_space(configuration.smoothing))
    return _ReplayJob(
        **record.display_labels(),
        configuration=causal,
        seed=record.seed,
        backbone_parameters=_count_backbone_parameters(store, record),
        data=root,
        labels=labels,
        store=store,
        entry=configuration.entry,
        run=record.job_id,
    )


def _count_backbone_parameters(store: Store, record: Record) -> int:
    """Count the parameters of the backbone, or of the whole model if the training summary cannot be read."""
    try:
        return record.parameters - JobFolder(store.job(record.job_id)).read_training()["parameters"]
    except (OSError, ValueError, KeyError, TypeError):
        return record.parameters


def _is_current(store: Store, job_id: str) -> bool:
    """Whether the replay of a job used the current predictions of the job, and was not altered since."""
    replay = replay_folder(store, job_id)
    used = _predictions_hash(replay)
    is_same = used is not None and used == _predictions_hash(JobFolder(store.job(job_id)))
    return is_same and not find_altered_files(replay.path)


def _read_record(store: Store, job_id: str) -> Record | None:
    try:
        return replay_folder(store, job_id).read_record()
    except FramelightError:
        return None


def _predictions_hash(files: JobFolder) -> str | None:
    """Return the hash of the predictions in the selection record of a job."""
    try:
        return files.read_choice().get("predictions")
    except (OSError, ValueError, AttributeError):
        return None
