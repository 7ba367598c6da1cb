"""What is tracked at a location: records and job ids, by the fast way for sqlite, else through MLflow."""

from __future__ import annotations

from collections.abc import Callable

from harness.records import Record
from harness.tracking.entries import JOB, Tagged, record_of
from harness.tracking.location import Location
from harness.tracking.sqlite_reader import tagged_runs

Ask = Callable[[], Tagged]
"""Gives the runs through MLflow's own search; called only where its tables cannot be read without it."""


def runs(location: Location, ask: Ask) -> Tagged:
    """(run id, MLflow status, tags) of every live run that Framelight logged there."""
    if location.database is not None:
        if not location.database.exists():
            return []
        found = tagged_runs(location.database)
        if found is not None:
            return found
    return ask()


def read_records(location: Location, ask: Ask) -> list[Record]:
    """Light records of the jobs that ended there; a pruned trial is no result and is left out."""
    ended = [(run, tags) for run, status, tags in runs(location, ask) if status in ("FINISHED", "FAILED")]
    read = [record_of(tags, f"run {run} at {location.uri}") for run, tags in ended]
    return [record for record in read if record is not None]


def finished_jobs(location: Location, ask: Ask) -> set[str]:
    return {tags[JOB] for _, status, tags in runs(location, ask) if status in ("FINISHED", "KILLED") and JOB in tags}
