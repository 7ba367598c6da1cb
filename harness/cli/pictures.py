"""Where the pictures of the best runs lie, for the end of `framelight run`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.leaderboard import rows
from harness.tracking.records import Record


def best_pictures(store: Path, records: Iterable[Record]) -> list[str]:
    """A line for each board whose best run has pictures in this store; baselines and published figures have none."""
    found: dict[tuple[str, str, str], str] = {}
    for row in rows(records):
        board = (row["task"], row["data_digest"], row["protocol"])
        if row["kind"] == "run" and row["value"] is not None and board not in found:
            found[board] = row["run_id"]
    return [f"  {task}, {protocol}: {folder}" for (task, _, protocol), run in found.items()
            for folder in _drawn(store, run)]


def _drawn(store: Path, run: str) -> Iterator[Path]:
    """The folder of the first of a run's seeds that has one: one seed of a run is drawn."""
    from harness.jobs.figures import FOLDER

    yield from sorted((store / "artifacts" / "jobs").glob(f"{run}-s*/{FOLDER}"))[:1]
