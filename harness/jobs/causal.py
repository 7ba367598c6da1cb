"""A finished job's kept predictions smoothed anew from the past alone. Nothing is trained.

It is the job of the same configuration with the causal kernels and gaps that are held: chosen on the selection split,
frozen and scored as every other. What it leaves lies in `artifacts/causal/<job id of the run>/`.
"""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.frozen_selection import verify_predictions
from harness.jobs.job import Configuration, Job, parse_configuration
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
    """run: the id of the job whose predictions are replayed."""

    run: str = ""

    @property
    def folder(self) -> Path:
        return replay_folder(self.store, self.run).path


def replay_folder(store: Store, job_id: str) -> JobFolder:
    """What the causal replay of a job left."""
    return JobFolder(store.causal / job_id)


def load_filter(store: Store, job_id: str) -> SmoothingParams | None:
    """The causal filter chosen from a job's predictions, None where none was from those that are there now."""
    found = _read_record(store, job_id)
    if found is None or not _is_current(store, job_id):
        return None
    return SmoothingParams(found.kernel, found.radius, CAUSAL_GAPS, found.thresholds)


def load_record(store: Store, record: Record) -> Record | None:
    """What the causal replay of a job came to, None where there is none yet, or one of other predictions.

    FramelightError for a record of another version.
    """
    found = _read_record(store, record.job_id)
    if found is None or found.job_id != _make_job(store, record, Path(), "").job_id:
        return None
    return found if _is_current(store, record.job_id) else None


def run_replay(store: Store, record: Record, root: Path, labels: str) -> Record:
    """The causal replay of a job, kept in the store.

    root: the data set it was made on; labels: the digest of the task's annotations there. FramelightError where the
    job's predictions are not in the store any more, were altered, or are of another version.
    """
    from harness.jobs.execute import run_job

    job = _make_job(store, record, root, labels)
    verify_predictions(store.job(record.job_id), record.job_id, RERUN_HINT)
    if not job.predictions.is_dir():
        raise FramelightError(
            f"{job.predictions} is gone, where run {record.job_id} kept its predictions; {RERUN_HINT}"
        )
    shutil.rmtree(job.folder, ignore_errors=True)
    return run_job(job)


def causal_search_space(smoothing: SmoothingGrid) -> SmoothingGrid:
    """The causal kernels at the radii that the run had to choose from; where its radius was given, at all up to twice
    as many frames: as many as its window of both sides holds.
    """
    smallest, largest = smoothing.smallest, smoothing.largest
    if smallest == largest:
        smallest, largest = 0, min(2 * largest, MAX_RADIUS)
    return SmoothingGrid(CAUSAL, smallest, largest, CAUSAL_GAPS)


def _make_job(store: Store, record: Record, root: Path, labels: str) -> Job:
    own: Configuration = parse_configuration(record)
    causal = dataclasses.replace(own, smoothing=causal_search_space(own.smoothing))
    return _ReplayJob(
        **record.display_labels(),
        configuration=causal,
        seed=record.seed,
        backbone_parameters=_count_backbone_parameters(store, record),
        data=root,
        labels=labels,
        store=store,
        entry=own.entry,
        run=record.job_id,
    )


def _count_backbone_parameters(store: Store, record: Record) -> int:
    """Without those of the head, which its training tells."""
    try:
        return record.parameters - JobFolder(store.job(record.job_id)).read_training()["parameters"]
    except (OSError, ValueError, KeyError, TypeError):
        return record.parameters


def _is_current(store: Store, job_id: str) -> bool:
    """Whether a replay is of the predictions that the job has now."""
    return _predictions_hash(replay_folder(store, job_id)) == _predictions_hash(JobFolder(store.job(job_id)))


def _read_record(store: Store, job_id: str) -> Record | None:
    try:
        return replay_folder(store, job_id).read_record()
    except FramelightError:
        return None


def _predictions_hash(files: JobFolder) -> str | None:
    """The hash of the predictions that a job's choice was frozen with."""
    try:
        return files.read_choice().get("predictions")
    except (OSError, ValueError, AttributeError):
        return None
