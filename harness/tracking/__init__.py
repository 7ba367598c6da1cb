"""Experiment tracking with MLflow.

Runs are written through the MLflow client. A store's own database is read without importing MLflow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.location import Location, TrackingUnavailableError, locate
from harness.tracking.records import Record
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.tracking.serialization import RunTags
    from harness.tracking.tracker import Tracker

__all__ = ["Location", "TrackingUnavailableError", "locate", "open_tracker", "remote_job_files", "tracked_records"]


def open_tracker(store: Store, experiment: str | None = None) -> Tracker:
    """Open a tracker on the store's database or on a tracking server; imports MLflow.

    A new database gets its schema here, so call this before starting worker processes.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.
    experiment : str, optional
        Name of an MLflow experiment. Default: the one of runs.

    Returns
    -------
    Tracker
        Writes to the location.

    Raises
    ------
    FramelightError
        If the server does not answer, or the store is not writable.
    InputError
        If MLflow cannot track to the URI.
    """
    location = locate(store)
    from harness.tracking.tracker import Tracker

    return Tracker(location, experiment=experiment)


def tracked_records(store: Store) -> list[Record]:
    """Read the records of all finished and failed jobs that are tracked at the store's location.

    Nothing is written.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.

    Returns
    -------
    list of Record
        Records without curve, environment and duration; empty if nothing was tracked.

    Raises
    ------
    FramelightError
        If the server does not answer, or if a record has another schema.
    """
    from harness.tracking.reader import read_records

    location = locate(store)

    def fetch_runs() -> RunTags:
        from harness.tracking.tracker import Tracker

        return Tracker(location, reading_only=True).tagged_runs()

    return read_records(location, fetch_runs)


def remote_job_files(store: Store) -> Callable[[str, str, Path], bool] | None:
    """Return a function that downloads the tracked files of jobs.

    Parameters
    ----------
    store : Store
        The store, with its tracking URI if it has one.

    Returns
    -------
    callable or None
        Called with a job id, a file name and the path to write to; returns False if there is no such file. The first
        call imports MLflow and raises FramelightError if the server does not answer. None for the store's own
        database, which has no more files than the folders of the store.
    """
    location = locate(store)
    if location.uri == locate(store.untracked).uri:
        return None
    from harness.tracking.remote_jobs import RemoteJobFiles

    return RemoteJobFiles(location)
