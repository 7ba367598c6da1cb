"""Read tracked records and job ids: from a sqlite file by SQL, which is fast, otherwise through MLflow."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from harness.tracking.location import Location
from harness.tracking.records import Record
from harness.tracking.serialization import RunTags, record_from_tags, record_of_job
from harness.tracking.waiting_connection import connect_options
from harness.utils.escaping import escape_text

logger = logging.getLogger(__name__)

MAX_FAULTS_SHOWN = 3
"""Maximum number of unreadable records that a warning names."""
MAX_FAULT_LENGTH = 240
"""Maximum number of characters of the text about each named record."""
_REQUIRED_COLUMNS = {
    "runs": {"run_uuid", "status", "lifecycle_stage", "experiment_id", "end_time"},
    "tags": {"run_uuid", "key", "value"},
    "experiments": {"experiment_id", "lifecycle_stage"},
}
_TAGGED_RUNS_QUERY = """
SELECT runs.run_uuid, runs.status, runs.end_time, tags.key, tags.value FROM tags
JOIN runs ON runs.run_uuid = tags.run_uuid
JOIN experiments ON experiments.experiment_id = runs.experiment_id
WHERE tags.key >= 'framelight.' AND tags.key < 'framelight/'
  AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
"""


def query_tagged_runs(database: Path) -> RunTags | None:
    """Read the active runs from MLflow's sqlite tables.

    Parameters
    ----------
    database : Path
        The sqlite file.

    Returns
    -------
    list of (run id, MLflow status, dict of tags) or None
        Runs in the order in which they ended, with their tags that begin with `framelight.`; None if the tables cannot
        be read or have other columns.

    Raises
    ------
    DatabaseLockedError
        If another process keeps the file locked for minutes.
    """
    uri = f"file:{quote(os.fsencode(database))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, **connect_options(database))) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            if not all(_has_columns(connection, table, columns) for table, columns in _REQUIRED_COLUMNS.items()):
                return None
            runs: dict[str, tuple[str, str, dict[str, str]]] = {}
            ends: dict[str, tuple[int, str]] = {}
            for run, status, end, key, value in connection.execute(_TAGGED_RUNS_QUERY):
                runs.setdefault(run, (run, status, {}))[2][key] = value
                ends[run] = (end if isinstance(end, int) else 0, run)
            return sorted(runs.values(), key=lambda tagged: ends[tagged[0]])
    except sqlite3.Error:
        return None


def _has_columns(connection: sqlite3.Connection, table: str, columns: set[str]) -> bool:
    return columns <= {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


FetchRuns = Callable[[], RunTags]
"""Searches the runs through MLflow; called only if they cannot be read by SQL."""


def read_runs(location: Location, fetch_runs: FetchRuns) -> RunTags:
    """Return (run id, MLflow status, tags) of each run that Framelight logged at a location, the newest last."""
    if location.database is not None:
        if not location.database.exists():
            return []
        runs = query_tagged_runs(location.database)
        if runs is not None:
            return runs
    return fetch_runs()


def read_records(location: Location, fetch_runs: FetchRuns) -> list[Record]:
    """Return the records of all finished and failed jobs at a location, the newest last.

    The records lack the fields that `Record.light` removes. Records that cannot be read are left out, with one warning.
    """
    records, faults = [], []
    for run, status, tags in read_runs(location, fetch_runs):
        if status not in ("FINISHED", "FAILED"):
            continue
        try:
            record = record_from_tags(tags)
        except ValueError as error:
            faults.append(f"run {run}: {error}")
        else:
            records += [] if record is None else [record]
    warn_unreadable(faults, f"tracked {{}} at {location}")
    return records


def warn_unreadable(faults: Sequence[str], what: str) -> None:
    """Log one warning for records that are left out.

    Parameters
    ----------
    faults : sequence of str
        Name of each record, and what is wrong with it. If there are none, nothing is logged.
    what : str
        Where the records are; `{}` is replaced by `record` or `records`, as in ``tracked {} at URI``.
    """
    if not faults:
        return
    noun, verb = ("record", "is") if len(faults) == 1 else ("records", "are")
    shown = "; ".join(escape_text(fault)[:MAX_FAULT_LENGTH] for fault in faults[:MAX_FAULTS_SHOWN])
    hidden = f"; and {len(faults) - MAX_FAULTS_SHOWN:,} more" if len(faults) > MAX_FAULTS_SHOWN else ""
    logger.warning(f"{len(faults):,} {what.format(noun)} cannot be read and {verb} left out: {shown}{hidden}")


def finished_job_ids(location: Location, fetch_runs: FetchRuns) -> set[str]:
    """Return the ids of all finished and pruned jobs at a location whose records can be read."""
    runs = read_runs(location, fetch_runs)
    records = [record_of_job(tags) for _, status, tags in runs if status in ("FINISHED", "KILLED")]
    return {record.job_id for record in records if record is not None}
