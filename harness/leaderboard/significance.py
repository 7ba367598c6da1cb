"""Confidence intervals and paired tests of leaderboard rows, cached in the store.

A job saves its sufficient statistics per unit in its folder. Those of jobs that only a tracking server has are
downloaded to the cache, `Store.significance`. Results are files there, named by a hash of all that they depend on.
numpy is imported only if a result is not in the cache.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from harness.jobs.job_folder import STATISTICS, JobFolder
from harness.jobs.job_statistics import RERUN_HINT, JobStatistics, load, reorder
from harness.leaderboard.repetitions import pair_jobs, training_indices
from harness.leaderboard.row_types import INTERVAL_METHOD
from harness.leaderboard.significance_results import BoardComparison, PairedDifference, ScoreInterval
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import write_json
from harness.utils.hashing import content_hash
from harness.utils.json_checks import Predicate, is_number, list_of, mapping_of, optional
from harness.utils.json_text import read_json
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

logger = logging.getLogger(__name__)

REVISION = 9
"""Increase when the computation of intervals or paired tests changes, to invalidate cached results."""
_IS_OPTIONAL_NUMBER = optional(is_number)
RESULTS: tuple[dict[str, Predicate], ...] = (
    {"low": is_number, "high": is_number, "corrected": is_number, "few_units": mapping_of(is_number)},
    dict.fromkeys(("value", "low", "high", "p", "detectable"), _IS_OPTIONAL_NUMBER),
    {"p": list_of(is_number), "detectable": list_of(_IS_OPTIONAL_NUMBER), "luck": is_number},
    {},
)
"""Checks of a cached interval, difference and board, and of a result that does not exist; others are recomputed."""
PATIENCE_S = 2.0
"""Seconds of computation after which it is logged."""
MAX_CACHED_FILES = 32
"""Files of statistics held in memory, for the best row and the one that it is compared with."""

FetchFile = Callable[[str, str, Path], bool]
"""Downloads a file of a job (job id, file name) to a path; returns False if there is none."""


class SignificanceCache:
    """Confidence intervals and paired tests of the runs of a store, cached on disk.

    Results depend on the statistics alone, not on the store or the process.

    Parameters
    ----------
    store : Store
        The store of the runs.
    fetch : callable, optional
        Downloads the statistics of jobs that are not in the store; see `FetchFile`.
    paths : mapping of str to Path, optional
        Files of statistics that belong to no job of the store, by the job id of their records.
    """

    def __init__(self, store: Store, fetch: FetchFile | None = None, paths: Mapping[str, Path] | None = None) -> None:
        self._store = store
        self._extra_paths = dict(paths or {})
        self._fetch, self._elapsed, self._is_unreachable, self._reported = fetch, 0.0, False, False
        self._paths: dict[str, tuple[Path, str] | None] = {}
        self._loaded = lru_cache(MAX_CACHED_FILES)(load)

    def interval(self, jobs: Sequence[Record]) -> ScoreInterval | None:
        """Compute the 95% confidence interval of the mean score, over units and seeds.

        Parameters
        ----------
        jobs : sequence of Record
            The finished jobs of a configuration, one for each seed.

        Returns
        -------
        ScoreInterval or None
            None if the statistics of some seed are missing, or there is only one unit.
        """
        files, trainings = self._find_statistics(jobs), _trainings([(job, job) for job in jobs])
        if not files:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.effective_units import few_units
            from harness.metrics.intervals import confidence_interval

            statistics = self._load_aligned(files, jobs[0])
            if statistics is None:
                return {}
            interval = confidence_interval(statistics, jobs[0].metric, groups=trainings)
            if interval.low is None:
                return {}
            return {**vars(interval), "few_units": few_units(statistics)}

        key = ["interval", INTERVAL_METHOD, jobs[0].metric, [digest for _, digest in files], trainings]
        result = self._compute_or_warn(key, compute)
        return ScoreInterval(**result) if result else None

    def difference(self, first: Sequence[Record], second: Sequence[Record]) -> PairedDifference | None:
        """Compute the paired difference of two configurations, seed by seed.

        Parameters
        ----------
        first, second : sequence of Record
            The finished jobs of each configuration, one for each seed.

        Returns
        -------
        PairedDifference or None
            None if no seed is in both, nothing was scored, statistics are missing, or units or rows differ.
        """
        paired = pair_jobs(first, second)
        pairs, trainings = [job for pair in paired for job in pair], _trainings(paired)
        scored = {(job.task, job.metric, job.annotated, job.scored) for job in pairs}
        if len(scored) != 1 or not pairs[0].scored:
            return None
        files = self._find_statistics(pairs)
        if not files:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.paired_tests import paired_permutation_test

            statistics = self._load_same_rows(files, pairs[0])
            if statistics is None:
                return {}
            sides = statistics[::2], statistics[1::2]
            test = paired_permutation_test(*sides, pairs[0].metric, groups=trainings)
            return {
                "value": float(test.difference),
                "low": _finite_or_none(test.low),
                "high": _finite_or_none(test.high),
                "p": _finite_or_none(test.p),
                "detectable": _finite_or_none(test.detectable),
            }

        result = self._compute_or_warn(["difference", pairs[0].metric, [key for _, key in files], trainings], compute)
        return PairedDifference(**result, seeds=tuple(sorted({job.seed for job in pairs}))) if result else None

    def best_comparison(self, groups: Sequence[Sequence[Record]]) -> BoardComparison | None:
        """Compare configurations with the best of them.

        Parameters
        ----------
        groups : sequence of sequence of Record
            The finished jobs of each configuration, of one metric, one for each seed.

        Returns
        -------
        BoardComparison or None
            None if statistics are missing, or units or rows differ.
        """
        jobs = [job for group in groups for job in group]
        files = self._find_statistics(jobs)
        if not files:
            return None
        ends = list(accumulate(len(group) for group in groups))
        parts = [slice(end - len(group), end) for group, end in zip(groups, ends)]
        trainings = [_trainings([(job, job) for job in group]) for group in groups]

        def compute() -> dict[str, Any]:
            from harness.metrics.best_comparisons import compare_with_best

            statistics = self._load_same_rows(files, jobs[0])
            if statistics is None:
                return {}
            result = compare_with_best([statistics[part] for part in parts], jobs[0].metric, groups=trainings)
            detectable = [None] * len(groups) if result.detectable is None else result.detectable.tolist()
            return {
                "p": result.p.tolist(),
                "detectable": [_finite_or_none(value) for value in detectable],
                "luck": result.luck,
            }

        keys = [[key for _, key in files[part]] for part in parts]
        result = self._compute_or_warn(["best", jobs[0].metric, keys, trainings], compute)
        return BoardComparison(tuple(result["p"]), tuple(result["detectable"]), result["luck"]) if result else None

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
            If they are neither in the store nor on the tracking server.
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

    def find_statistics(self, job: Record) -> tuple[Path, str] | None:
        """Return the file of a finished job's statistics and its SHA-256; None if it is missing or damaged."""
        return next(iter(self._find_statistics([job])), None)

    def load(self, path: Path) -> JobStatistics:
        """Load a file of statistics, or return it from memory; raise FramelightError if it cannot be read."""
        return self._loaded(path)

    def _find_statistics(self, jobs: Sequence[Record]) -> list[tuple[Path, str]]:
        """Return the file of each job and its SHA-256; empty if one is missing."""
        files = []
        for job in jobs:
            if job.job_id not in self._paths:
                self._paths[job.job_id] = self._find_job_statistics(job.job_id)
            file = self._paths[job.job_id]
            if file is not None:
                files.append(file)
        return files if len(files) == len(jobs) else []

    def _find_job_statistics(self, job_id: str) -> tuple[Path, str] | None:
        """Return the file of a job and its SHA-256; after a failed download, only local files are used."""
        try:
            is_missing = self._is_unreachable and not self._local_path(job_id).is_file()
            path = None if is_missing else self._get_or_fetch(job_id)
        except FramelightError as error:
            self._is_unreachable = True
            logger.warning(f"intervals and tests of runs whose statistics are not in this store are missing: {error}")
            return None
        if path is not None and not is_zipfile(path):
            self._warn_missing_result(f"{path}: cannot read a job's statistics; {RERUN_HINT}")
            return None
        with suppress(OSError):
            return (path, hashlib.sha256(path.read_bytes()).hexdigest()) if path else None
        return None

    def _get_or_fetch(self, job_id: str) -> Path | None:
        """Return the file of a job's statistics, downloaded if only the server has it; None if there is none."""
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

    def _load_aligned(self, files: Sequence[tuple[Path, str]], job: Record) -> list[SufficientStatistics] | None:
        """Load statistics for the metric of a job, with their units in the same order; None if units differ."""
        from harness.metrics.pooled_scores import score

        loaded = [self._loaded(path, job.task) for path, _ in files]
        if job.metric not in score(loaded[0][1]).metrics:
            raise FramelightError(f"{files[0][0]}: no statistics of {job.metric}; {RERUN_HINT}")
        units = sorted(loaded[0][0])
        if any(sorted(names) != units for names, _ in loaded):
            return None
        return [reorder(names, statistics, units) for names, statistics in loaded]

    def _load_same_rows(self, files: Sequence[tuple[Path, str]], job: Record) -> list[SufficientStatistics] | None:
        """Load statistics as `_load_aligned` does; None also if the numbers of rows of some unit differ."""
        statistics = self._load_aligned(files, job)
        if statistics is None or any((each.rows() != statistics[0].rows()).any() for each in statistics):
            return None
        return statistics

    def _compute_or_warn(self, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result; empty, with a warning, if statistics cannot be read."""
        try:
            return self._get_or_compute(key, compute)
        except FramelightError as error:
            self._warn_missing_result(str(error))
            return {}

    def _warn_missing_result(self, message: str) -> None:
        logger.warning(f"a row has no confidence interval and no test: {message}")

    def _get_or_compute(self, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self._store.significance / f"{content_hash([REVISION, *key], 24)}.json"
        with suppress(OSError, ValueError):
            cached = read_json(path)
            if isinstance(cached, dict) and any(_is_valid(cached, checks) for checks in RESULTS):
                return cached
        began = time.perf_counter()
        result = compute()
        self._add_elapsed(time.perf_counter() - began)
        with suppress(FramelightError):  # a read-only store gives boards too
            write_json(path, result)
        return result

    def _add_elapsed(self, seconds: float) -> None:
        self._elapsed += seconds
        if not self._reported and self._elapsed > PATIENCE_S:
            logger.info("computing confidence intervals and paired tests; results are cached in the store")
            self._reported = True


def _trainings(pairs: Sequence[tuple[Record, Record]]) -> list[int] | None:
    """Return the number of the training of each pair, see `training_indices`; None if no backbone has several."""
    has_several = any(job.training is not None for pair in pairs for job in pair)
    return training_indices(pairs) if has_several else None


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _is_valid(result: dict[str, Any], checks: Mapping[str, Predicate]) -> bool:
    return result.keys() == checks.keys() and all(check(result[name]) for name, check in checks.items())
