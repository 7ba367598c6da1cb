"""Run a recipe: prepare its inputs, run the unfinished jobs, and send the records that the tracker lacks."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.jobs.job import Job
from harness.jobs.job_folder import JobFolder
from harness.runner.expansion import JobGrid
from harness.runner.finished_jobs import are_predictions_intact, is_finished
from harness.runner.preparation import prepare_inputs
from harness.runner.prepared_inputs import PreparedInputs
from harness.runner.recipe import Recipe
from harness.runner.scheduler import JobScheduler
from harness.tracking import TrackingUnavailableError, open_tracker
from harness.tracking.code_identity import CodeIdentity, identify_code
from harness.tracking.records import Record
from harness.utils.hashing import content_hash
from harness.utils.store import Store
from harness.utils.text import plural

if TYPE_CHECKING:
    from harness.runner.pruning import PruningClient
    from harness.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


@dataclass
class RunResult:
    """Result of `run`.

    Attributes
    ----------
    prepared : PreparedInputs
        Inputs of the jobs.
    boards : set of (str, str)
        Task and data digest of each leaderboard that contains results of the run.
    computed : int
        Number of jobs that were run.
    cached : int
        Number of jobs that were finished before.
    failures : list of Record
        Records of the jobs that failed.
    lost : str or None
        Why records could not be sent to the tracking server, or None. All records are in the store.
    tracking_seconds : float
        Seconds spent on tracking.
    """

    prepared: PreparedInputs
    boards: set[tuple[str, str]]
    computed: int = 0
    cached: int = 0
    failures: list[Record] = field(default_factory=list)
    lost: str | None = None
    tracking_seconds: float = 0.0


def run(
    recipe: Recipe, data: Path | None, store: Store, workers: int, force: bool, code: CodeIdentity | None = None
) -> RunResult:
    """Run the jobs of a recipe that have no finished record.

    The tracking location is checked before any work.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    data : Path or None
        Folder of the dataset; None for the synthetic videos of the recipe.
    store : Store
        Store of all results.
    workers : int
        Number of jobs that run at the same time.
    force : bool
        Run finished jobs again, except the trials of a search.
    code : CodeIdentity, optional
        Code that runs the jobs, see `harness.runner.recipe_code`. Default: code of this process, with an unknown
        recipe.

    Returns
    -------
    RunResult
        Numbers of computed and cached jobs, and records of the failed jobs.

    Raises
    ------
    InputError
        If the recipe cannot run on the dataset.
    FramelightError
        If the tracking location does not answer, the store is not writable, a worker process dies, or a search fails.
    """
    code = code or identify_code()
    start = time.perf_counter()
    tracker = open_tracker(store)
    elapsed = time.perf_counter() - start
    prepared = prepare_inputs(recipe, data, store, tracker)
    job_grid = JobGrid(recipe, prepared, code)
    result = RunResult(
        prepared, {(task, job_grid.task_data_digest(task)) for task in recipe.tasks}, tracking_seconds=elapsed
    )
    with _RunSession(tracker, recipe, result, workers, force) as session:
        try:
            session.run(job_grid.jobs())
            if recipe.search is not None:
                from harness.runner.search import GridSearch

                if workers > recipe.search.batch:
                    logger.info(
                        f"at most {recipe.search.batch} trials run at the same time; use --set search.batch={workers} "
                        f"to run {workers}"
                    )
                for grid in recipe.grids:
                    logger.info(f"searching {grid.task}: {recipe.search.trials} trials")
                    session.run(GridSearch(job_grid, grid, store).run(session.run_batch))
        except BaseException as error:
            session.end(f"{type(error).__name__}: {error}")
            raise
        session.end(f"{plural(len(result.failures), 'job', 'd')} failed" if result.failures else None)
    return result


class _RunSession:
    """Runs and tracks the jobs of one `framelight run`."""

    def __init__(self, tracker: Tracker, recipe: Recipe, result: RunResult, workers: int, force: bool) -> None:
        self.tracker, self.workers, self.force, self.result = tracker, workers, force, result
        self._executor: Executor | None = None
        self._stack, prepared = ExitStack(), result.prepared
        self.study = ""
        self.tracked: set[str] = set()
        tracker.data_source = prepared.root
        self.retrained: set[str] = set()
        self.intact: dict[str, bool] = {}
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
        """Continue if the tracking server is unreachable. Records stay in the store; the first error is reported."""
        start = time.perf_counter()
        try:
            yield
        except TrackingUnavailableError as error:
            self.result.lost = self.result.lost or str(error)
        self.result.tracking_seconds += time.perf_counter() - start

    def run(self, jobs: list[Job]) -> None:
        from harness.utils.progress import Progress

        with Progress("jobs", unit="job") as progress:
            for _ in self._iter_records([(job, None) for job in jobs], progress):
                pass

    def run_batch(self, jobs: list[tuple[Job, PruningClient | None]], count_job: Callable[[], None]) -> list[Record]:
        """Run jobs, call a function after each, and return their records in the same order."""
        records = {job.job_id: record for job, record in self._iter_records(jobs, lambda done, total: count_job())}
        return [records[job.job_id] for job, _ in jobs]

    def end(self, failed: str | None) -> None:
        if self.result.lost is None:
            with self._catch_tracking_loss():
                self.tracker.end_run(self.study, failed)

    def _iter_records(
        self, jobs: list[tuple[Job, PruningClient | None]], progress: Callable[[int, int], None]
    ) -> Iterator[tuple[Job, Record]]:
        pending: dict[Job, PruningClient | None] = {}
        for job, pruning_client in jobs:
            if not self._is_forced(job) and is_finished(job):
                self.result.cached += 1
                record = JobFolder(job.folder).read_record()
                if job.job_id not in self.tracked:
                    self._log_record(job, record)
                yield job, record
            else:
                pending.setdefault(job, pruning_client)
        if pending:
            yield from self._compute(pending, progress)

    def _compute(
        self, pending: dict[Job, PruningClient | None], progress: Callable[[int, int], None]
    ) -> Iterator[tuple[Job, Record]]:
        from harness.jobs.execute import make_failed_record

        schedule = JobScheduler(
            self._get_executor(), self.workers, pending, self._has_predictions, self._delete_forced_outputs
        )
        for done, (job, record) in enumerate(schedule, 1):
            if isinstance(record, BaseException):
                record = make_failed_record(job, record)
                self.result.failures.append(record)
            self.result.computed += 1
            self._log_record(job, record, computed=record.status == "finished")
            progress(done, len(pending))
            yield job, record

    def _has_predictions(self, job: Job) -> bool:
        if self._is_forced(job):
            return False
        if job.training_id not in self.intact:
            self.intact[job.training_id] = are_predictions_intact(job)
        return self.intact[job.training_id]

    def _delete_forced_outputs(self, job: Job) -> None:
        """Delete the old result of a forced job and its old predictions; shared predictions are deleted only once."""
        if self._is_forced(job):
            shutil.rmtree(job.folder, ignore_errors=True)
            if job.training_id not in self.retrained:
                shutil.rmtree(job.predictions, ignore_errors=True)
                self.retrained.add(job.training_id)

    def _is_forced(self, job: Job) -> bool:
        """Whether to run a finished job again; never for trials, as the study already has their values."""
        return self.force and job.configuration.kind != "trial"

    def _get_executor(self) -> Executor:
        if self._executor is None:
            from harness.runner.executors import local_executor

            self._executor = self._stack.enter_context(local_executor(self.workers))
        return self._executor

    def _log_record(self, job: Job, record: Record, computed: bool = False) -> None:
        """Send a record, with the display names and the seeds of this recipe."""
        if self.result.lost is not None:
            return
        record = dataclasses.replace(
            record,
            recipe=job.recipe,
            expected_seeds=job.expected_seeds,
            expected_trainings=job.expected_trainings,
            dataset=job.dataset,
            backbone=job.backbone,
        )
        folder = job.folder if job.folder.is_dir() else None
        curves = JobFolder(job.folder).epoch_metrics() if folder is not None else []
        with self._catch_tracking_loss():
            replace = self.force and record.status == "finished"
            self.tracker.log_record(record, folder, self.study, replace, computed, curves)
