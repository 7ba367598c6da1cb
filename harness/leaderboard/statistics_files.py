"""Files of the sufficient statistics that jobs saved, downloaded if only the tracking server has them.

A job saves its statistics per unit (video or subject) in its folder. Downloaded statistics are in the cache,
`Store.significance`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from harness.jobs.job_folder import STATISTICS, JobFolder
from harness.jobs.job_statistics import RERUN_HINT, JobStatistics, load, reorder
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

logger = logging.getLogger(__name__)

MAX_CACHED_FILES = 32
"""Maximum number of statistics files in memory: enough for the best row and a row that is compared with it."""

FetchFile = Callable[[str, str, Path], bool]
"""Called with a job id, a file name and a path; downloads the file of the job to the path. False if there is none."""


class StatisticsFiles:
    """Finds and loads the statistics of jobs.

    Parameters
    ----------
    store : Store
        The store of the runs.
    fetch : callable, optional
        Downloads the statistics of jobs that are not in the store; see `FetchFile`.
    paths : mapping of str to Path, optional
        Files of statistics outside the folders of jobs, such as those of exported models, by the job id of the records
        that they belong to.
    """

    def __init__(self, store: Store, fetch: FetchFile | None = None, paths: Mapping[str, Path] | None = None) -> None:
        self._store = store
        self._extra_paths = dict(paths or {})
        self._fetch, self._is_unreachable = fetch, False
        self._paths: dict[str, tuple[Path, str] | None] = {}
        self._loaded = lru_cache(MAX_CACHED_FILES)(load)

    def statistics(self, job: Record) -> JobStatistics:
        """Load the statistics of a finished job.

        Parameters
        ----------
        job : Record
            The job.

        Returns
        -------
        JobStatistics
            Names of the units, and their statistics.

        Raises
        ------
        InputError
            If the statistics are neither in the store nor on the tracking server.
        FramelightError
            If the file cannot be read, or the tracking server does not answer.
        """
        path = self._get_or_fetch(job.job_id)
        if path is None:
            where = f"this store ({self._job_path(job.job_id)})"
            raise InputError(
                f"job {job.job_id} is tracked, but its statistics are not in {where}"
                f"{' nor on the tracking server' if self._fetch is not None else ''}; "
                "name the store of the job with --store, or run its recipe again"
            )
        return self._loaded(path, job.task)

    def load(self, path: Path) -> JobStatistics:
        """Load a file of statistics, or return it from memory; raise FramelightError if it cannot be read."""
        return self._loaded(path)

    def find(self, jobs: Sequence[Record]) -> list[tuple[Path, str]]:
        """Return the statistics file of each job with its SHA-256; an empty list if any file is missing or damaged."""
        files = []
        for job in jobs:
            if job.job_id not in self._paths:
                self._paths[job.job_id] = self._find_job_statistics(job.job_id)
            file = self._paths[job.job_id]
            if file is not None:
                files.append(file)
        return files if len(files) == len(jobs) else []

    def refetch(self, job: Record) -> tuple[Path, str] | None:
        """Download the statistics of a tracked job again, for a job whose score does not follow from the file in use.

        Parameters
        ----------
        job : Record
            The job.

        Returns
        -------
        tuple of (Path, str) or None
            The downloaded file and its SHA-256; None if this fails. If the tracking server has no such file, an earlier
            download is deleted.
        """
        path, file = self._store.fetched_statistics(job.job_id), None
        with suppress(FramelightError, OSError):
            if self._fetch is None:
                return None
            if self._fetch(job.job_id, STATISTICS, path):
                file = (path, hashlib.sha256(path.read_bytes()).hexdigest()) if is_zipfile(path) else None
            else:
                path.unlink(missing_ok=True)
        self._loaded.cache_clear()
        if self._local_path(job.job_id) == path:
            self._paths[job.job_id] = file
        return file

    def load_aligned(self, files: Sequence[tuple[Path, str]], job: Record) -> list[SufficientStatistics] | None:
        """Load statistics for the metric of a job, with their units in the same order; None if units differ."""
        from harness.metrics.pooled_scores import score

        loaded = [self._loaded(path, job.task) for path, _ in files]
        if job.metric not in score(loaded[0][1]).metrics:
            raise FramelightError(f"{files[0][0]}: no statistics of {job.metric}; {RERUN_HINT}")
        units = sorted(loaded[0][0])
        if any(sorted(names) != units for names, _ in loaded):
            return None
        return [reorder(names, statistics, units) for names, statistics in loaded]

    def load_same_rows(self, files: Sequence[tuple[Path, str]], job: Record) -> list[SufficientStatistics] | None:
        """Load statistics as `load_aligned` does; None also if the numbers of rows of some unit differ."""
        statistics = self.load_aligned(files, job)
        if statistics is None or any((each.rows() != statistics[0].rows()).any() for each in statistics):
            return None
        return statistics

    def _find_job_statistics(self, job_id: str) -> tuple[Path, str] | None:
        """Return the statistics file of a job and its SHA-256, or None if it is missing or damaged.

        After the tracking server failed to answer, no more files are downloaded.
        """
        try:
            is_missing = self._is_unreachable and not self._local_path(job_id).is_file()
            path = None if is_missing else self._get_or_fetch(job_id)
        except FramelightError as error:
            self._is_unreachable = True
            logger.warning(f"runs whose statistics are not in this store have no interval and no test: {error}")
            return None
        if path is not None and not is_zipfile(path):
            warn_missing_result(f"{path}: cannot read a job's statistics; {RERUN_HINT}")
            return None
        with suppress(OSError):
            return (path, hashlib.sha256(path.read_bytes()).hexdigest()) if path else None
        return None

    def _get_or_fetch(self, job_id: str) -> Path | None:
        """Return the file of a job's statistics, downloaded if only the server has it; None if there is no file."""
        path = self._local_path(job_id)
        return path if path.is_file() or (self._fetch is not None and self._fetch(job_id, STATISTICS, path)) else None

    def _job_path(self, job_id: str) -> Path:
        return JobFolder(self._store.job(job_id)).statistics

    def _local_path(self, job_id: str) -> Path:
        """Return the path of a job's statistics in the store, or of the downloaded file."""
        if job_id in self._extra_paths:
            return self._extra_paths[job_id]
        path = self._job_path(job_id)
        return path if path.is_file() else self._store.fetched_statistics(job_id)


def warn_missing_result(message: str) -> None:
    """Log that a row has no interval and no test."""
    logger.warning(f"a row has no confidence interval and no test: {message}")
