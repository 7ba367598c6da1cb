"""Confidence intervals and paired tests of leaderboard rows, cached in the store.

numpy is imported only if a result is not in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.jobs.job_statistics import JobStatistics
from harness.leaderboard.cached_results import (
    DIFFERENCE,
    INTERVAL,
    RARE,
    WITHOUT_RARE,
    CachedResults,
    Checks,
    board_checks,
)
from harness.leaderboard.repetitions import pair_jobs, training_groups
from harness.leaderboard.row_types import INTERVAL_METHOD
from harness.leaderboard.significance_results import BoardComparison, PairedDifference, ScoreInterval
from harness.leaderboard.statistics_files import FetchFile, StatisticsFiles, warn_missing_result
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.store import Store

REVISION = 11
"""Increase when the computation of intervals or paired tests changes, to invalidate cached results."""


class SignificanceCache:
    """Confidence intervals and paired tests of the runs of a store, cached on disk.

    Results depend only on the statistics of the jobs (sufficient statistics per video or subject), not on the store or
    the process.

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
        self._files, self._results = StatisticsFiles(store, fetch, paths), CachedResults(store)

    def interval(self, jobs: Sequence[Record]) -> ScoreInterval | None:
        """Compute the 95% confidence interval of the mean score, over units and seeds.

        Parameters
        ----------
        jobs : sequence of Record
            The finished jobs of a configuration, one for each training of the backbone and seed.

        Returns
        -------
        ScoreInterval or None
            None if the statistics of some seed are missing or damaged, their units differ, or there is only one unit.
        """
        files, trainings = self._files.find(jobs), training_groups([(job, job) for job in jobs])
        if not files:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.effective_units import few_units
            from harness.metrics.intervals import confidence_interval

            statistics = self._files.load_aligned(files, jobs[0])
            if statistics is None:
                return {}
            interval = confidence_interval(statistics, jobs[0].metric, groups=trainings)
            if interval.low is None:
                return {}
            return {**vars(interval), "few_units": few_units(statistics)}

        key = ["interval", INTERVAL_METHOD, jobs[0].metric, [digest for _, digest in files], trainings]
        result = self._compute_or_warn(key, INTERVAL, compute)
        return ScoreInterval(**result) if result else None

    def rare_classes(self, jobs: Sequence[Record]) -> dict[str, int]:
        """Count the labels of the rare classes of a configuration; see `harness.metrics.rare_classes`.

        Parameters
        ----------
        jobs : sequence of Record
            The finished jobs of a configuration, whose labels are the same.

        Returns
        -------
        dict of str to int
            Numbers of labels by the metric of the class, such as `F1/Fear`; empty if no class is rare, and if
            statistics are missing or damaged.
        """
        files = self._files.find(jobs)
        if not files:
            return {}

        def compute() -> dict[str, Any]:
            from harness.metrics.rare_classes import rare_classes

            statistics = self._files.load_aligned(files[:1], jobs[0])
            return {"rare": rare_classes(statistics[0])} if statistics else {}

        key = [REVISION, "rare", jobs[0].metric, files[0][1]]
        with suppress(FramelightError):  # `interval` warns of unreadable statistics
            return self._results.get_or_compute(key, RARE, compute).get("rare", {})
        return {}

    def score_without(self, jobs: Sequence[Record], classes: Collection[str]) -> float | None:
        """Compute the score without some classes, averaged over jobs; see `harness.metrics.rare_classes`.

        Parameters
        ----------
        jobs : sequence of Record
            The finished jobs of a configuration.
        classes : collection of str
            Classes to leave out, named by their metrics, such as `F1/Fear`.

        Returns
        -------
        float or None
            None if no class is left, and if statistics are missing or damaged.
        """
        files = self._files.find(jobs)
        if not files:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.rare_classes import score_without

            statistics = self._files.load_aligned(files, jobs[0]) or []
            scores = [score_without(each, jobs[0].metric, classes) for each in statistics]
            values = [score for score in scores if score is not None]
            return {"value": fmean(values)} if values else {}

        key = [REVISION, "without", jobs[0].metric, [digest for _, digest in files], sorted(classes)]
        with suppress(FramelightError):
            return self._results.get_or_compute(key, WITHOUT_RARE, compute).get("value")
        return None

    def difference(self, first: Sequence[Record], second: Sequence[Record]) -> PairedDifference | None:
        """Compute the paired difference of two configurations, seed by seed.

        Parameters
        ----------
        first, second : sequence of Record
            The finished jobs of each configuration, one for each training of the backbone and seed.

        Returns
        -------
        PairedDifference or None
            None if the two have no seed in common, nothing was scored, statistics are missing, or units or rows differ.
        """
        paired = pair_jobs(first, second)
        pairs, trainings = [job for pair in paired for job in pair], training_groups(paired)
        scored = {(job.task, job.metric, job.annotated, job.scored) for job in pairs}
        if len(scored) != 1 or not pairs[0].scored:
            return None
        files = self._files.find(pairs)
        if not files:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.paired_tests import paired_permutation_test

            statistics = self._files.load_same_rows(files, pairs[0])
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

        key = ["difference", pairs[0].metric, [digest for _, digest in files], trainings]
        result = self._compute_or_warn(key, DIFFERENCE, compute)
        return PairedDifference(**result, seeds=tuple(sorted({job.seed for job in pairs}))) if result else None

    def best_comparison(self, groups: Sequence[Sequence[Record]]) -> BoardComparison | None:
        """Compare configurations with the best of them.

        Parameters
        ----------
        groups : sequence of sequence of Record
            The finished jobs of each configuration, one for each training of the backbone and seed; all have the same
            metric.

        Returns
        -------
        BoardComparison or None
            None if statistics are missing, or units or rows differ.
        """
        jobs = [job for group in groups for job in group]
        files = self._files.find(jobs)
        if not files:
            return None
        ends = list(accumulate(len(group) for group in groups))
        parts = [slice(end - len(group), end) for group, end in zip(groups, ends)]
        trainings = [training_groups([(job, job) for job in group]) for group in groups]
        runs = [i for i, group in enumerate(groups) if group[0].kind == "run"]

        def compute() -> dict[str, Any]:
            from harness.metrics.best_comparisons import compare_with_best

            statistics = self._files.load_same_rows(files, jobs[0])
            if statistics is None:
                return {}
            rows = [statistics[part] for part in parts]
            result = compare_with_best(rows, jobs[0].metric, groups=trainings, candidates=runs)
            detectable = [None] * len(groups) if result.detectable is None else result.detectable.tolist()
            return {
                "p": result.p.tolist(),
                "detectable": [_finite_or_none(value) for value in detectable],
                "luck": result.luck,
            }

        key = ["best", jobs[0].metric, [[digest for _, digest in files[part]] for part in parts], trainings, runs]
        result = self._compute_or_warn(key, board_checks(len(groups)), compute)
        return BoardComparison(tuple(result["p"]), tuple(result["detectable"]), result["luck"]) if result else None

    def statistics(self, job: Record) -> JobStatistics:
        """Load the statistics of a finished job; see `StatisticsFiles.statistics`."""
        return self._files.statistics(job)

    def find_statistics(self, job: Record) -> tuple[Path, str] | None:
        """Return the file of a finished job's statistics and its SHA-256; None if it is missing or damaged."""
        return next(iter(self._files.find([job])), None)

    def refetch_statistics(self, job: Record) -> tuple[Path, str] | None:
        """Download the statistics of a tracked job again; see `StatisticsFiles.refetch`."""
        return self._files.refetch(job)

    def load(self, path: Path) -> JobStatistics:
        """Load a file of statistics, or return it from memory; raise FramelightError if it cannot be read."""
        return self._files.load(path)

    def _compute_or_warn(self, key: list[Any], checks: Checks, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result; if statistics cannot be read, log a warning and return an empty result."""
        try:
            return self._results.get_or_compute([REVISION, *key], checks, compute)
        except FramelightError as error:
            warn_missing_result(str(error))
            return {}


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
