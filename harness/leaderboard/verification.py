"""Verification of runs before they are shown: files against their hashes, scores against their statistics."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.jobs.file_hashes import find_altered_files, is_unreadable
from harness.jobs.job_folder import STATISTICS, JobFolder
from harness.leaderboard.configurations import finished_records, group_by_configuration
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification_result import Verification
from harness.tracking import remote_job_files
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.json_cache import JsonCache
from harness.utils.names import recipe_argument
from harness.utils.store import Store

logger = logging.getLogger(__name__)

TOLERANCE = 1e-9
"""Maximum difference between a recorded score and the score from its statistics, absolute or relative."""
CACHE_VERSION = 2
RELABELED = ("dataset", "expected_seeds", "expected_trainings", "backbone", "recipe")
"""Fields of a tracked record that are replaced if a later recipe contains the same job. They are only for display."""


class RunVerifier:
    """Verifies finished runs.

    The statistics file of a job is always hashed. Other files are hashed if their size or modification time changed, or
    if `full` is True. A score that was verified is not computed again while the statistics are the same.

    Parameters
    ----------
    store : Store
        The store of the runs.
    significance : SignificanceCache
        Finds and loads statistics.
    full : bool, default=False
        Hash every file, and compare the records of the store's own database with its files. Required before a run is
        published or used.
    """

    def __init__(self, store: Store, significance: SignificanceCache, full: bool = False) -> None:
        self._store, self._significance, self._full = store, significance, full
        self._is_own_database = store.tracking_uri is None or remote_job_files(store) is None
        self._scores = JsonCache(store.significance / "verified.json", CACHE_VERSION)

    def verify(self, jobs: Sequence[Record]) -> Verification:
        """Verify the finished jobs of a configuration."""
        states = [self._verify_job(job) for job in jobs]
        problems = tuple(problem for state in states for problem in state.problems)
        return Verification(all(state.verified for state in states) and bool(states), problems)

    def keep_unaltered(self, records: Iterable[Record], task: str | None = None) -> list[Record]:
        """Return the records of configurations without a problem, and log the problems of the others.

        Parameters
        ----------
        records : iterable of Record
            Records in any order.
        task : str, optional
            Task whose records are verified and returned. Default: all tasks.
        """
        unaltered: list[Record] = []
        for group in group_by_configuration(records, task):
            problems = self.verify(finished_records(group)).problems
            for problem in problems:
                logger.warning(f"left out: {problem}")
            unaltered += [] if problems else group
        self.save()
        return unaltered

    def save(self) -> None:
        """Save the cache of verified scores."""
        with suppress(FramelightError):  # with a read-only store, scores are computed again each time
            self._scores.save()

    def _verify_job(self, job: Record) -> Verification:
        statistics = self._significance.find_statistics(job)
        folder = self._store.job(job.job_id)
        is_local = statistics is not None and statistics[0].parent == folder
        altered = find_altered_files(folder, self._full, {STATISTICS: statistics[1]} if statistics and is_local else {})
        problems = [self._describe_altered_file(folder / name) for name in altered or ()]
        if altered is None and folder.is_dir() and self._has_code(job):
            problems.append(f"{_relative(JobFolder(folder).hashes, self._store)} is missing")
        verified = altered == [] and statistics is not None and not self._is_made_elsewhere(job, folder)
        if statistics is not None and (differing := self._find_differing_score(job, *statistics)):
            verified = False
            problems += [] if self._is_score_of_tracked_run(job) else [differing]
        if self._full and self._is_own_database:
            problems += self._record_problems(job, folder)
        sentence = f"{'; '.join(problems)} (run {job.group_id}, seed {job.seed}); {rerun_hint(job)}"
        return Verification(verified and not problems, (sentence,) if problems else ())

    def _describe_altered_file(self, path: Path) -> str:
        what = "was modified" if path.exists() else "is missing"
        return f"{_relative(path, self._store)} {'cannot be read (no permission)' if is_unreadable(path) else what}"

    def _has_code(self, job: Record) -> bool:
        """Whether the version of Framelight that ran the job records its code; such versions also write file hashes."""
        folder = JobFolder(self._store.job(job.job_id))
        with suppress(FramelightError):
            return bool(job.code or (folder.has_record() and folder.read_record().code))
        return False

    def _is_made_elsewhere(self, job: Record, folder: Path) -> bool:
        """Whether the tracked scores differ from this store's record of the job, so another store logged them."""
        if self._is_own_database or not JobFolder(folder).has_record():
            return False
        with suppress(FramelightError):
            return dict(JobFolder(folder).read_record().metrics) != dict(job.metrics)
        return False

    def _find_differing_score(self, job: Record, path: Path, digest: str) -> str | None:
        """Describe the first recorded score that differs from the score of the statistics; None if all agree."""
        metrics = json.dumps([job.metric, dict(job.metrics)], sort_keys=True)
        key = f"{digest[:32]} {hashlib.sha256(metrics.encode()).hexdigest()[:32]}"
        computed = None if key in self._scores else self._compute_scores(path)
        if computed is None:
            return None
        for name, value in {job.metric: job.metrics[job.metric], **job.metrics}.items():
            actual = computed.get(name)
            if name == job.metric and actual is None:
                return f"{_relative(path, self._store)} does not give {name}"
            if actual is not None and not math.isclose(value, actual, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                return f"the recorded {name} is {value:z.10g}, but {_relative(path, self._store)} gives {actual:z.10g}"
        self._scores.set(key, True)
        return None

    def _compute_scores(self, path: Path) -> Mapping[str, float] | None:
        from harness.metrics.pooled_scores import score

        with suppress(FramelightError):  # unreadable statistics are reported where intervals are computed
            return score(self._significance.load(path)[1]).metrics
        return None

    def _is_score_of_tracked_run(self, job: Record) -> bool:
        """Whether the tracked scores match the statistics on the tracking server, though not those in the store.

        A job can be executed several times, here and elsewhere. The statistics in the store may be from another
        execution than the tracked scores: from one in this store, or from an earlier one whose statistics were
        downloaded. If no statistics can be downloaded, the result is True unless the job was executed in this store.
        """
        if self._is_own_database:
            return False
        fetched = self._store.fetched_statistics(job.job_id)
        is_local = JobFolder(self._store.job(job.job_id)).statistics.is_file()
        with suppress(OSError):
            digest = hashlib.sha256(fetched.read_bytes()).hexdigest()
            if is_local and self._find_differing_score(job, fetched, digest) is None:
                return True
        refetched = self._significance.refetch_statistics(job)
        if refetched is None:
            return not is_local
        return self._find_differing_score(job, *refetched) is None

    def _record_problems(self, job: Record, folder: Path) -> Iterator[str]:
        """Compare the tracked record with the one in the store."""
        if not JobFolder(folder).has_record():
            return
        labels = {name: getattr(job, name) for name in RELABELED}
        with suppress(FramelightError):  # an unreadable record was altered, which its hash already shows
            stored = dataclasses.replace(JobFolder(folder).read_record().light(), **labels)
            differing = [
                part.name
                for part in dataclasses.fields(Record)
                if getattr(stored, part.name) != getattr(job.light(), part.name)
            ]
            if differing:
                record = _relative(JobFolder(folder).record, self._store)
                yield f"the tracked record differs from {record} in {', '.join(differing)}"


def rerun_hint(job: Record) -> str:
    """Return a hint on how to run a job again, for messages."""
    return f"run its recipe again: framelight run {recipe_argument(job.recipe)} --data DIR --force"


def _relative(path: Path, store: Store) -> str:
    """Return the path relative to the store, so that boards do not depend on where the store is."""
    return str(path.relative_to(store.root)) if path.is_relative_to(store.root) else str(path)
