"""Runs a recipe: prepares, computes the jobs that have no record, sends every record to the tracker."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from harness.jobs.job import Job
from harness.jobs.job_folder import JobFolder
from harness.runner.expansion import JobGrid
from harness.runner.preparation import PreparedInputs, prepare_inputs
from harness.runner.recipe import Recipe
from harness.runner.scheduler import JobScheduler
from harness.tracking import TrackingUnavailableError, open_tracker
from harness.tracking.records import Record
from harness.utils.hashing import content_hash
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.runner.pruning import PruningClient
    from harness.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


@dataclass
class RunResult:
    """What a run did; `lost` says why records could not be sent, they are kept in the store."""

    prepared: PreparedInputs
    boards: set[tuple[str, str]]
    """(task, data digest) of the boards the recipe fills."""
    computed: int = 0
    kept: int = 0
    failures: list[Record] = field(default_factory=list)
    lost: str | None = None
    tracking_seconds: float = 0.0


def run(recipe: Recipe, data: Path | None, store: Store, workers: int, force: bool) -> RunResult:
    """Run what has no finished record; `force` runs everything again. The tracker is asked first, before any work."""
    began = time.perf_counter()
    tracker = open_tracker(store)
    opened = time.perf_counter() - began
    prepared = prepare_inputs(recipe, data, store, tracker)
    expansion = JobGrid(recipe, prepared)
    outcome = RunResult(
        prepared, {(task, expansion.task_data_digest(task)) for task in recipe.tasks}, tracking_seconds=opened
    )
    with _RunSession(tracker, recipe, outcome, workers, force) as session:
        try:
            session.run(expansion.jobs())
            if recipe.search is not None:
                from harness.runner.search import GridSearch

                if workers > recipe.search.batch:
                    logger.info(
                        f"{recipe.search.batch} trials run at once; --set search.batch={workers} keeps "
                        f"{workers} jobs busy"
                    )
                for grid in recipe.grids:
                    logger.info(f"searching {grid.task}: {recipe.search.trials} trials")
                    session.run(GridSearch(expansion, grid, store).run(session.run_batch))
        except BaseException as error:
            session.end(f"{type(error).__name__}: {error}")
            raise
        session.end(f"{len(outcome.failures)} jobs failed" if outcome.failures else None)
    return outcome


class _RunSession:
    """The jobs of one `framelight run`: what is computed, kept, sent and lost."""

    def __init__(self, tracker: Tracker, recipe: Recipe, outcome: RunResult, workers: int, force: bool) -> None:
        self.tracker, self.workers, self.force, self.outcome = tracker, workers, force, outcome
        self._executor: Executor | None = None
        self._stack, prepared = ExitStack(), outcome.prepared
        self.study, self.tracked, self.renewed = "", set(), set()
        with self._catch_tracking_loss():
            self.study = tracker.start_study(
                recipe.name,
                content_hash([recipe, prepared.images, prepared.labels]),
                {
                    "recipe": recipe.name,
                    "data": prepared.dataset,
                    "protocol": recipe.protocol.name,
                    "seeds": ",".join(map(str, recipe.seeds)),
                    "backbones": ",".join(recipe.backbones),
                },
            )
            self.tracked = set() if force else tracker.finished_job_ids()

    def __enter__(self) -> _RunSession:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextmanager
    def _catch_tracking_loss(self) -> Iterator[None]:
        """What a server that died keeps from being sent is kept in the store; the first loss is remembered."""
        began = time.perf_counter()
        try:
            yield
        except TrackingUnavailableError as error:
            self.outcome.lost = self.outcome.lost or str(error)
        self.outcome.tracking_seconds += time.perf_counter() - began

    def run(self, jobs: list[Job]) -> None:
        for _ in self._iter_records([(job, None) for job in jobs]):
            pass

    def run_batch(self, jobs: list[tuple[Job, PruningClient | None]]) -> list[Record]:
        """The records of some jobs, in their order."""
        found = {job.job_id: record for job, record in self._iter_records(jobs)}
        return [found[job.job_id] for job, _ in jobs]

    def end(self, failed: str | None) -> None:
        if self.outcome.lost is None:
            with self._catch_tracking_loss():
                self.tracker.end_run(self.study, failed)

    def _iter_records(self, jobs: list[tuple[Job, PruningClient | None]]) -> Iterator[tuple[Job, Record]]:
        pending: dict[Job, PruningClient | None] = {}
        for job, reporter in jobs:
            if not self._is_forced(job) and _is_finished(job):
                self.outcome.kept += 1
                record = JobFolder(job.folder).read_record()
                if job.job_id not in self.tracked:
                    self._log_record(job, record)
                yield job, record
            else:
                pending.setdefault(job, reporter)
        if pending:
            yield from self._compute(pending)

    def _compute(self, pending: dict[Job, PruningClient | None]) -> Iterator[tuple[Job, Record]]:
        from harness.jobs.execute import make_failed_record
        from harness.utils.progress import Progress

        schedule = JobScheduler(
            self._get_executor(), self.workers, pending, self._has_predictions, self._delete_forced_outputs
        )
        with Progress("jobs", unit="job") as progress:
            for done, (job, record) in enumerate(schedule, 1):
                if isinstance(record, BaseException):
                    record = make_failed_record(job, record)
                    self.outcome.failures.append(record)
                self.outcome.computed += 1
                self._log_record(job, record)
                progress(done, len(pending))
                yield job, record

    def _has_predictions(self, job: Job) -> bool:
        return not self._is_forced(job) and job.predictions.is_dir()

    def _delete_forced_outputs(self, job: Job) -> None:
        """A forced job gives up its old result only when it is handed out; a training that jobs share is made once."""
        if self._is_forced(job):
            shutil.rmtree(job.folder, ignore_errors=True)
            if job.training_id not in self.renewed:
                shutil.rmtree(job.predictions, ignore_errors=True)
                self.renewed.add(job.training_id)

    def _is_forced(self, job: Job) -> bool:
        """A search's trials stand: what was told to its study is not unsaid."""
        return self.force and job.configuration.kind != "trial"

    def _get_executor(self) -> Executor:
        if self._executor is None:
            from harness.runner.executors import local_executor

            self._executor = self._stack.enter_context(local_executor(self.workers))
        return self._executor

    def _log_record(self, job: Job, record: Record) -> None:
        """The names a record is shown by and the seeds it belongs with are those of the recipe that sends it."""
        if self.outcome.lost is not None:
            return
        record = dataclasses.replace(
            record, recipe=job.recipe, expected_seeds=job.expected_seeds, dataset=job.dataset, backbone=job.backbone
        )
        folder = job.folder if job.folder.is_dir() else None
        with self._catch_tracking_loss():
            self.tracker.log_record(record, folder, self.study, replace=self.force and record.status == "finished")


def _is_finished(job: Job) -> bool:
    """Whether the job's folder is whole; what is damaged is given up, so that it is computed again."""
    if not JobFolder(job.folder).has_record():
        return False
    if all(map(is_zipfile, job.folder.glob("*.npz"))):
        return True
    _delete_outputs(job)
    return False


def _delete_outputs(job: Job) -> None:
    for folder in (job.folder, job.predictions):
        shutil.rmtree(folder, ignore_errors=True)
