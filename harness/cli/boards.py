"""Leaderboards as text, for the commands that print them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from harness import records
from harness.leaderboard import render, rows
from harness.records import Record
from harness.tracking import tracked_records

WIDEST = 140


def show(store: Path, tracking_uri: str | None, task: str | None = None, format: str = "table", plain: bool = False,
         boards: set[tuple[str, str]] | None = None, from_store: bool = False) -> str:
    """The boards of the tracked runs; `boards` narrows them to some (task, data digest).

    from_store: read the records of this store, where the tracking server cannot be asked. plain: no terminal.
    """
    found = _kept(store) if from_store else tracked_records(store, tracking_uri)
    if boards is not None:
        found = [record for record in found if (record.task, record.data_digest) in boards]
    terminal = sys.stdout.isatty() and not plain
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST) if terminal else 100
    return render(rows(found, task), format, width, bold=terminal).rstrip("\n")


def _kept(store: Path) -> list[Record]:
    paths = (store / "artifacts" / "jobs").glob("*/record.json")
    return [records.read(path) for path in sorted(paths) if not path.parent.name.startswith(".")]
