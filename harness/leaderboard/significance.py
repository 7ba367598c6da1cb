"""What the jobs' own statistics say of a row and of two rows, worked out once and kept in the store.

A job keeps its sufficient statistics per unit in its folder; those of jobs that only a tracking server has are fetched
into the cache, `Store.significance`, where results are files named by the digest of all they follow from.
numpy is imported only when something has not been worked out yet.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from harness.jobs.job_folder import STATISTICS, JobFolder
from harness.jobs.job_statistics import RERUN_HINT, JobStatistics, load, reorder
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import write_json
from harness.utils.hashing import content_hash
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

logger = logging.getLogger(__name__)

REVISION = 6
"""Raised when the arithmetic of intervals or paired tests changes, so that what was kept is not taken for new."""
RESULT_KEYS = ({"low", "high"}, {"value", "low", "high", "p", "detectable"}, set())
"""What a file of results holds: an interval, a difference, or that there is none. Any other is worked out anew."""
PATIENCE_S = 2.0
MAX_CACHED_FILES = 32
"""Files of statistics kept in memory: those of the best row and of the one it is compared with."""

FetchFile = Callable[[str, str, Path], bool]
"""Writes a file of a job (its id, the file's name) to a path; False where it is not to be had."""


@dataclass(frozen=True)
class PairedDifference:
    """First minus second on the units and seeds both have: `value`, its 95 % interval (None where only the test was
    asked for, or there is one unit), two-sided `p` (not adjusted) and the smallest difference that such a pair shows
    with 80 % power, None where units are too few for any; `seeds` those of both.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    seeds: tuple[int, ...]


class SignificanceCache:
    """The evidence of one store. Equal statistics give equal answers, in whatever store and process."""

    def __init__(
        self,
        store: Store,
        fetch: FetchFile | None = None,
        method: str = "studentized",
        places: Mapping[str, Path] | None = None,
    ) -> None:
        """method: of the intervals of scores, one of `harness.metrics.intervals.METHODS`; places: files of statistics
        that belong to no job of the store itself, by the id that records ask for them with.
        """
        self.method = method
        self._store = store
        self._places = dict(places or {})
        self._fetch, self._spent, self._silent, self._reported = fetch, 0.0, False, False
        self._paths: dict[str, tuple[Path, str] | None] = {}
        self._loaded = lru_cache(MAX_CACHED_FILES)(load)

    def interval(self, jobs: Sequence[Record]) -> tuple[float, float] | None:
        """95 % interval of the mean metric of finished jobs, one for each seed, resampling units and seeds.

        None where the statistics of some seed are missing, or one unit alone gives no interval.
        """
        found = self._find_statistics(jobs)
        if not found:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.intervals import confidence_interval

            statistics = self._load_aligned(found)
            if statistics is None:
                return {"low": None, "high": None}
            made = confidence_interval(statistics, jobs[0].metric, self.method)
            return {"low": _finite_or_none(made.low), "high": _finite_or_none(made.high)}

        made = self._compute_or_warn(["interval", self.method, jobs[0].metric, [key for _, key in found]], compute)
        low, high = made.get("low"), made.get("high")
        return None if low is None or high is None else (low, high)

    def difference(
        self, first: Sequence[Record], second: Sequence[Record], interval: bool = True
    ) -> PairedDifference | None:
        """Paired difference of two configurations' finished jobs, seed by seed; without its interval in half the time.

        None where no seed is in both, nothing was scored, statistics are missing, or they are of other units or rows.
        """
        one, other = ({job.seed: job for job in jobs} for jobs in (first, second))
        seeds = sorted(one.keys() & other.keys())
        pairs = [job for seed in seeds for job in (one[seed], other[seed])]
        scored = {(job.task, job.metric, job.annotated, job.scored) for job in pairs}
        if len(scored) != 1 or not pairs[0].scored:
            return None
        found = self._find_statistics(pairs)
        if not found:
            return None

        def compute() -> dict[str, Any]:
            from harness.metrics.paired_tests import is_underpowered, minimum_detectable_effect, paired_permutation_test

            statistics = self._load_aligned(found)
            if statistics is None or any((one.rows() != statistics[0].rows()).any() for one in statistics):
                return {}
            made = paired_permutation_test(statistics[::2], statistics[1::2], pairs[0].metric, interval=interval)
            underpowered = is_underpowered(statistics[0].rows().any(axis=0).sum())
            able = None if underpowered else minimum_detectable_effect(made.deviation)
            return {
                "value": float(made.difference),
                "low": _finite_or_none(made.low),
                "high": _finite_or_none(made.high),
                "p": _finite_or_none(made.p),
                "detectable": _finite_or_none(able),
            }

        what = "difference" if interval else "test"
        made = self._compute_or_warn([what, pairs[0].metric, [key for _, key in found]], compute)
        return PairedDifference(**made, seeds=tuple(seeds)) if made else None

    def statistics(self, job: Record) -> JobStatistics:
        """The units of a finished job and their statistics; InputError where they are nowhere to be had."""
        path = self._get_or_fetch(job.job_id)
        if path is None:
            where = f"this store ({self._job_path(job.job_id)})"
            raise InputError(
                f"job {job.job_id} is tracked, but its statistics are not in {where}"
                f"{' nor on the tracking server' if self._fetch is not None else ''}; "
                "name the store it ran in with --store, or run its recipe again"
            )
        return self._loaded(path)

    def _find_statistics(self, jobs: Sequence[Record]) -> list[tuple[Path, str]]:
        """(file, digest of it) of each job; [] unless every one is there."""
        found = []
        for job in jobs:
            if job.job_id not in self._paths:
                self._paths[job.job_id] = self._find_job_statistics(job.job_id)
            found.append(self._paths[job.job_id])
        return [] if None in found else found

    def _find_job_statistics(self, job_id: str) -> tuple[Path, str] | None:
        """Where nobody can be asked any more, a board is read without what it lacks."""
        try:
            path = None if self._silent and not self._local_path(job_id).is_file() else self._get_or_fetch(job_id)
        except FramelightError as error:
            self._silent = True
            logger.warning(f"boards are without intervals and tests that this store has no statistics for: {error}")
            return None
        if path is not None and not is_zipfile(path):
            self._warn_missing_result(f"{path}: cannot read a job's statistics; {RERUN_HINT}")
            return None
        with suppress(OSError):
            return (path, hashlib.sha256(path.read_bytes()).hexdigest()) if path else None
        return None

    def _get_or_fetch(self, job_id: str) -> Path | None:
        """The file of a job's statistics, fetched where only a server has it; None where nobody has."""
        path = self._local_path(job_id)
        return path if path.is_file() or (self._fetch is not None and self._fetch(job_id, STATISTICS, path)) else None

    def _job_path(self, job_id: str) -> Path:
        return JobFolder(self._store.job(job_id)).statistics

    def _local_path(self, job_id: str) -> Path:
        """Where the store has a job's statistics, or those of another store's job once they are fetched."""
        if job_id in self._places:
            return self._places[job_id]
        own = self._job_path(job_id)
        return own if own.is_file() else self._store.significance / "statistics" / f"{job_id}.npz"

    def _load_aligned(self, found: Sequence[tuple[Path, str]]) -> list[SufficientStatistics] | None:
        """Statistics with the units of all in one order; None where they are not the same units."""
        loaded = [self._loaded(path) for path, _ in found]
        units = sorted(loaded[0][0])
        if any(sorted(names) != units for names, _ in loaded):
            return None
        return [reorder(names, statistics, units) for names, statistics in loaded]

    def _compute_or_warn(self, about: list[Any], work_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was worked out; nothing, and a warning, where statistics cannot be read."""
        try:
            return self._get_or_compute(about, work_out)
        except FramelightError as error:
            self._warn_missing_result(str(error))
            return {}

    def _warn_missing_result(self, fault: str) -> None:
        logger.warning(f"a board lacks an interval and a test: {fault}")

    def _get_or_compute(self, about: list[Any], work_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self._store.significance / f"{content_hash([REVISION, *about], 24)}.json"
        with suppress(OSError, ValueError):
            kept = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(kept, dict) and kept.keys() in RESULT_KEYS:
                return kept
        began = time.perf_counter()
        made = work_out()
        self._add_elapsed(time.perf_counter() - began)
        with suppress(FramelightError):  # a store that cannot be written is read all the same
            write_json(path, made)
        return made

    def _add_elapsed(self, seconds: float) -> None:
        self._spent += seconds
        if not self._reported and self._spent > PATIENCE_S:
            logger.info("working out intervals and paired tests of the boards; they are kept for the next time")
            self._reported = True


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
