"""Experiment tracking with MLflow.

Runs are written through the MLflow client. Sqlite files are read by SQL, without importing MLflow, if their tables have
the expected columns.
"""

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
    """Open a tracker on the store's database or on a tracking server; imports MLflow.

    A new database gets its schema here, so call this before starting worker processes.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.
    experiment : str, optional
        Name of an MLflow experiment. Default: the experiment of Framelight's runs.

    Returns
    -------
    Tracker
        Tracker that writes to the location.

    Raises
    ------
    FramelightError
        If the server does not answer, the store is not writable, or the experiment was deleted in MLflow.
    InputError
        If MLflow cannot track to the URI.
    """
    location = locate(store)
    from harness.tracking.tracker import Tracker

    return Tracker(location, experiment=experiment)


def tracked_records(store: Store) -> list[Record]:
    """Read the records of all finished and failed jobs that are tracked at the store's location.

    Nothing is written. Records that cannot be read are left out, with a warning.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.

    Returns
    -------
    list of Record
        Records without curve, environment and duration, the newest last; empty if there are no runs.

    Raises
    ------
    FramelightError
        If the server does not answer.
    """
    from harness.tracking.reader import read_records

    location = locate(store)
    return read_records(location, lambda: _fetch_runs(location))


def remote_job_files(store: Store) -> Callable[[str, str, Path], bool] | None:
    """Return a function that downloads the tracked files of jobs.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.

    Returns
    -------
    callable or None
        Called with a job id, a file name and the path to write to; returns False if the file is not tracked or too
        large. The first call imports MLflow and raises FramelightError if the server does not answer. The result is
        None if the store's own database is the tracking location, since all files of its jobs are in the store.
    """
    location = locate(store)
    if location.uri == locate(store.untracked).uri:
        return None
    from harness.tracking.remote_jobs import RemoteJobFiles

    return RemoteJobFiles(location)


def mlflow_runs(store: Store, job_ids: Collection[str]) -> tuple[dict[str, str], str]:
    """Return the MLflow run ids of the tracked jobs among `job_ids`, by job id, and the tracking location.

    Raises
    ------
    FramelightError
        If a tracking server does not answer.
    """
    from harness.tracking.reader import read_runs
    from harness.tracking.serialization import JOB_TAG

    location = locate(store)
    runs = read_runs(location, lambda: _fetch_runs(location))
    return {tags[JOB_TAG]: run for run, _, tags in runs if tags.get(JOB_TAG) in job_ids}, str(location)


def _fetch_runs(location: Location) -> RunTags:
    from harness.tracking.tracker import Tracker

    return Tracker(location, reading_only=True).tagged_runs()
