"""Runs tracked in MLflow: written through one door, read without it where that is possible."""

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

    def fetch_runs() -> RunTags:
        from harness.tracking.tracker import Tracker

        return Tracker(location, reading_only=True).tagged_runs()

    return read_records(location, fetch_runs)


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
