"""Runs tracked in MLflow: written through one door, read without it where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.location import Location, TrackingUnavailableError, locate
from harness.tracking.records import Record
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.tracking.serialization import RunTags
    from harness.tracking.tracker import Tracker

__all__ = [
    "Location",
    "TrackingUnavailableError",
    "locate",
    "mlflow_runs",
    "open_tracker",
    "remote_job_files",
    "tracked_records",
]


def open_tracker(store: Store, experiment: str | None = None) -> Tracker:
    """A tracker on the store's database or on a server; imports MLflow. experiment: another than that of runs.

    The schema of a new database is made here, so open it before anything fans out. Raises FramelightError at once
    when a server does not answer or the store cannot be written, InputError for a URI MLflow cannot track in.
    """
    location = locate(store)
    from harness.tracking.tracker import Tracker

    return Tracker(location, experiment=experiment)


def tracked_records(store: Store) -> list[Record]:
    """Light records (no curve, environment, duration) of all finished and failed jobs tracked there.

    A store in which nothing was tracked yet gives []; nothing is written. Raises FramelightError when a server does
    not answer and when a record has another schema.
    """
    from harness.tracking.reader import read_records

    location = locate(store)
    return read_records(location, lambda: _fetch_runs(location))


def remote_job_files(store: Store) -> Callable[[str, str, Path], bool] | None:
    """Writes a file that was tracked of a job (its id, the file's name) to a path, False where there is none.

    None for the store's own database: what the store's folders lack, it has not. MLflow is imported at the first
    call, which raises FramelightError when a server does not answer.
    """
    location = locate(store)
    if location.uri == locate(store.untracked).uri:
        return None
    from harness.tracking.remote_jobs import RemoteJobFiles

    return RemoteJobFiles(location)


def mlflow_runs(store: Store, job_ids: Collection[str]) -> tuple[dict[str, str], str]:
    """Return MLflow's run id of each job that is tracked, and the tracking URI.

    Raises
    ------
    FramelightError
        Where a tracking server does not answer.
    """
    from harness.tracking.reader import read_runs
    from harness.tracking.serialization import JOB_TAG

    location = locate(store)
    runs = read_runs(location, lambda: _fetch_runs(location))
    return {tags[JOB_TAG]: run for run, _, tags in runs if tags.get(JOB_TAG) in job_ids}, location.uri


def _fetch_runs(location: Location) -> RunTags:
    from harness.tracking.tracker import Tracker

    return Tracker(location, reading_only=True).tagged_runs()
