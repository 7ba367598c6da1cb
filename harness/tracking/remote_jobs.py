"""Download files of jobs from a tracking server or a database outside the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.location import Location
from harness.tracking.record_json import to_json
from harness.tracking.serialization import RunTags, record_of_job

if TYPE_CHECKING:
    from harness.tracking.tracker import Tracker


class RemoteJobFiles:
    """Downloads files of jobs from a tracking location; the list of runs is fetched once, at the first call.

    Parameters
    ----------
    location : Location
        The tracking location.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._tracker: Tracker | None = None
        self._runs: dict[str, str] = {}

    def __call__(self, job_id: str, name: str, path: Path) -> bool:
        """Download a file of a job to `path`; return False if the file is not tracked or too large."""
        if self._tracker is None:
            from harness.tracking.tracker import Tracker

            self._tracker = Tracker(self._location, reading_only=True)
            self._runs = _choose_runs(self._tracker.tagged_runs())
        return job_id in self._runs and self._tracker.download_file(self._runs[job_id], name, path)


def _choose_runs(runs: RunTags) -> dict[str, str]:
    """Return the run of each finished job; if a job has several runs, the run whose record the leaderboard shows."""
    chosen: dict[str, tuple[str, str]] = {}
    for run, status, tags in runs:
        record = record_of_job(tags) if status == "FINISHED" else None
        if record is not None:
            candidate = (to_json(record), run)
            chosen[record.job_id] = min(chosen.get(record.job_id, candidate), candidate)
    return {job_id: run for job_id, (_, run) in chosen.items()}
