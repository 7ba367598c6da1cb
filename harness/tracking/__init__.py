"""Runs tracked in MLflow: written through one door, read without it where that is possible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.records import Record
from harness.tracking.location import Location, TrackingLost, locate

if TYPE_CHECKING:
    from harness.tracking.entries import Tagged
    from harness.tracking.mlflow_tracker import Tracker

__all__ = ["Location", "TrackingLost", "locate", "open_tracker", "tracked_records"]


def open_tracker(store: Path, tracking_uri: str | None = None) -> Tracker:
    """A tracker on the store's database or on a server; imports MLflow.

    The schema of a new database is made here, so open it before anything fans out. Raises FramelightError at once
    when a server does not answer or the store cannot be written, InputError for a URI MLflow cannot track in.
    """
    location = locate(store, tracking_uri)
    from harness.tracking.mlflow_tracker import Tracker

    return Tracker(location)


def tracked_records(store: Path, tracking_uri: str | None = None) -> list[Record]:
    """Light records (no curve, environment, duration) of all finished and failed jobs tracked there.

    A store in which nothing was tracked yet gives []; nothing is written. Raises FramelightError when a server does
    not answer and when a record has another schema.
    """
    from harness.tracking.reading import read_records

    location = locate(store, tracking_uri)

    def ask() -> Tagged:
        from harness.tracking.mlflow_tracker import Tracker

        return Tracker(location, reading_only=True).tagged_runs()

    return read_records(location, ask)
