"""What is tracked at a location: records and job ids, by the fast way for sqlite, else through MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from harness.tracking.location import Location
from harness.tracking.records import Record
from harness.tracking.serialization import JOB_TAG, RunTags, record_from_tags

_REQUIRED_COLUMNS = {
    "runs": {"run_uuid", "status", "lifecycle_stage", "experiment_id"},
    "tags": {"run_uuid", "key", "value"},
    "experiments": {"experiment_id", "lifecycle_stage"},
}
_TAGGED_RUNS_QUERY = """
SELECT runs.run_uuid, runs.status, tags.key, tags.value FROM tags
JOIN runs ON runs.run_uuid = tags.run_uuid
JOIN experiments ON experiments.experiment_id = runs.experiment_id
WHERE tags.key >= 'framelight.' AND tags.key < 'framelight/'
  AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
"""


def query_tagged_runs(database: Path) -> RunTags | None:
    """(run id, MLflow status, tags that begin with `framelight.`) of every live run; None when it cannot tell."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=30)) as connection:
            if not all(_has_columns(connection, table, columns) for table, columns in _REQUIRED_COLUMNS.items()):
                return None
            found: dict[str, tuple[str, str, dict[str, str]]] = {}
            for run, status, key, value in connection.execute(_TAGGED_RUNS_QUERY):
                found.setdefault(run, (run, status, {}))[2][key] = value
            return list(found.values())
    except sqlite3.Error:
        return None


def _has_columns(connection: sqlite3.Connection, table: str, columns: set[str]) -> bool:
    return columns <= {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


FetchRuns = Callable[[], RunTags]
"""Gives the runs through MLflow's own search; called only where its tables cannot be read without it."""


def read_runs(location: Location, ask: FetchRuns) -> RunTags:
    """(run id, MLflow status, tags) of every live run that Framelight logged there."""
    if location.database is not None:
        if not location.database.exists():
            return []
        found = query_tagged_runs(location.database)
        if found is not None:
            return found
    return ask()


def read_records(location: Location, ask: FetchRuns) -> list[Record]:
    """Light records of the jobs that ended there; a pruned trial is no result and is left out."""
    ended = [(run, tags) for run, status, tags in read_runs(location, ask) if status in ("FINISHED", "FAILED")]
    read = [record_from_tags(tags, f"run {run} at {location.uri}") for run, tags in ended]
    return [record for record in read if record is not None]


def finished_job_ids(location: Location, ask: FetchRuns) -> set[str]:
    return {
        tags[JOB_TAG]
        for _, status, tags in read_runs(location, ask)
        if status in ("FINISHED", "KILLED") and JOB_TAG in tags
    }
