"""Download files of jobs that were logged to a tracking server from other stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.location import Location
from harness.tracking.serialization import JOB_TAG
from harness.utils.names import is_id

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
        """Download a file of a job to `path`; return False if there is no such file."""
        if self._tracker is None:
            from harness.tracking.tracker import Tracker

            self._tracker = Tracker(self._location, reading_only=True)
            self._runs = {
                tags[JOB_TAG]: run
                for run, status, tags in self._tracker.tagged_runs()
                if status == "FINISHED" and is_id(tags.get(JOB_TAG))
            }
        return job_id in self._runs and self._tracker.download_file(self._runs[job_id], name, path)
