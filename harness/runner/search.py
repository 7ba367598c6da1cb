"""Search a recipe with Optuna: one study per grid, saved in the store and resumable.

Trials run in batches of the size that the recipe sets, so that similar trials are trained together and the result does
not depend on the number of workers. The parameters and the pruning of a trial depend on the trials of
earlier batches, but not on other trials of its batch. A resumed search first completes its unfinished batch, so that
its result is the same as without the interruption. The objective is the metric on the selection split.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import optuna
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from harness.jobs.job import Job
from harness.jobs.job_folder import JobFolder
from harness.runner.expansion import JobGrid
from harness.runner.pruning import PruningClient, pruning_server
from harness.runner.recipe import Grid
from harness.runner.search_progress import SearchProgress, describe_best
from harness.runner.search_space import SearchSpace
from harness.tracking.database_errors import explain
from harness.tracking.records import Record
from harness.tracking.sqlite_uri import sqlite_uri
from harness.tracking.waiting_connection import connect_options
from harness.utils.errors import FramelightError
from harness.utils.hashing import content_hash
from harness.utils.json_checks import is_count
from harness.utils.locks import entry_lock
from harness.utils.store import Store

logger = logging.getLogger(__name__)

RunBatch = Callable[[list[tuple[Job, PruningClient | None]], Callable[[], None]], list[Record]]
"""Runs jobs, calls a function after each, and returns their records in the same order."""
STARTUP_TRIALS = 10
"""Number of random trials before the sampler uses the results of earlier trials."""
PRUNER_STARTUP_TRIALS = 5
"""Number of completed trials before any trial is pruned."""
MAX_CONSECUTIVE_FAILURES = 3
"""Number of consecutive failed trials after which the search ends; for larger batches, the size of the batch."""
MAX_TRIALS = 1_000_000
"""Maximum trial number and maximum batch size that are accepted when a study is read."""
TRIAL_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class GridSearch:
    """The search over one grid of a recipe.

    Parameters
    ----------
    expansion : JobGrid
        Jobs of a recipe that has a `search`.
    grid : Grid
        The grid.
    store : Store
        Store of the study.
    """

    def __init__(self, expansion: JobGrid, grid: Grid, store: Store) -> None:
        self.space, self.recipe, self.grid = SearchSpace(expansion, grid), expansion.recipe, grid
        self.settings = self.space.settings
        identity = self.space.identity()
        self.name = f"{self.recipe.name}/{grid.task}/{identity}"
        self.lock = store.studies / identity
        self.database = store.optuna_database

    def run(self, run_batch: RunBatch) -> list[Job]:
        """Run trials until as many as the recipe asks for are completed or pruned.

        A failed trial is replaced by another.

        Parameters
        ----------
        run_batch : callable
            Runs the jobs of a batch.

        Returns
        -------
        list of Job
            Jobs of the best trial: one for each training of its backbone and each seed of the recipe.

        Raises
        ------
        FramelightError
            If several trials in a row fail, if no trial completes, or if the database cannot be used.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with entry_lock(self.lock), self._translate_storage_errors():
            self.study = self._open_study()
            self._resync(run_batch)
            failures: list[Record] = []
            with SearchProgress(self.grid.task, self.settings.trials) as progress:
                while (remaining := self._count_remaining(self._trials())) > 0:
                    progress.start_batch(self.settings.trials - remaining)
                    trials = self._next_batch()
                    for trial, record in zip(trials, self._run_trials(trials, run_batch, progress.count_trial)):
                        self._tell(trial, record)
                        failures = [*failures, record] if record.status == "failed" else []
                    if len(failures) >= max(MAX_CONSECUTIVE_FAILURES, len(trials)):
                        raise FramelightError(
                            f"search {self.name}: {len(failures)} trials in a row failed, the first with "
                            f"{failures[0].error}; fix the cause and run the command again"
                        )
                    progress.end_batch(self._trials())
            best = self._best_trial()
            logger.info(describe_best(best, self._trials(), self.grid.task))
            logger.info(f"study {self.name} in {self.database}")
            return self.space.run_jobs(best, self.recipe.seeds)

    @contextmanager
    def _translate_storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (OptunaError, SQLAlchemyError) as error:
            advice = "check that it is an Optuna database, or choose another store with --store DIR"
            reason, advice = explain(error, self.database, advice)
            raise FramelightError(f"{self.database} cannot be used ({reason}); {advice}") from error

    def _open_study(self) -> optuna.Study:
        with entry_lock(self.database):
            if not self.database.exists():
                self.database.touch()  # a file that sqlite creates would ignore the umask
            storage = optuna.storages.RDBStorage(
                sqlite_uri(self.database), engine_kwargs={"connect_args": connect_options(self.database)}
            )
            with storage.engine.connect() as connection:  # WAL commits without waiting for the disk; safe if killed
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            event.listen(storage.engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous=NORMAL"))
            storage.engine.dispose()
            return optuna.create_study(study_name=self.name, storage=storage, direction="maximize", load_if_exists=True)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _count_remaining(self, trials: list[FrozenTrial]) -> int:
        """Return how many trials are missing; failed trials do not count."""
        return self.settings.trials - sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)

    def _trial_job(self, trial: FrozenTrial) -> Job:
        return self.space.job(trial, "trial", self.recipe.seeds[0])

    def _resync(self, run_batch: RunBatch) -> None:
        """Send the stored records of finished trials again, in case the tracking server was lost before."""
        jobs = {
            job.job_id: job for job in (self._trial_job(trial) for trial in self._trials() if trial.state.is_finished())
        }
        run_batch([(job, None) for job in jobs.values() if JobFolder(job.folder).has_record()], lambda: None)

    def _next_batch(self) -> list[FrozenTrial]:
        """Return the trials to run: the rest of an interrupted batch, or a new batch."""
        trials = self._trials()
        if any(trial.state == TrialState.RUNNING for trial in trials):
            first, size = self._batch_of(trials[-1])
        else:
            first, size = len(trials), min(self.settings.batch, self._count_remaining(trials))
        while len(trials) < first + size:
            self.study.add_trial(self._propose_trial(trials, {"batch": [first, size]}))
            trials = self._trials()
        return [trial for trial in trials[first:] if trial.state == TrialState.RUNNING]

    def _batch_of(self, trial: FrozenTrial) -> tuple[int, int]:
        """Return the number of the first trial of a trial's batch, and the size of the batch.

        Raises
        ------
        FramelightError
            If Framelight did not write the trial.
        """
        batch = trial.user_attrs.get("batch")
        if not isinstance(batch, list) or len(batch) != 2 or not all(map(is_count, batch)) or max(batch) > MAX_TRIALS:
            raise FramelightError(
                f"{self.database}: trial {trial.number} of study {self.name} has no batch, so Framelight did not write "
                "it; choose another store with --store DIR"
            )
        return batch[0], batch[1]

    def _propose_trial(self, trials: list[FrozenTrial], attributes: dict[str, object]) -> FrozenTrial:
        """Sample the next trial on a copy of the study, so that it can be added to the study atomically."""
        seed = int(content_hash([self.settings.seed, len(trials)], 8), 16)
        copy = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed)
        )
        copy.add_trials(trials)
        trial = copy.ask()
        backbone = self.space.job(trial, "trial", self.recipe.seeds[0]).backbone
        return optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**attributes, "backbone": backbone},
        )

    def _run_trials(
        self, trials: list[FrozenTrial], run_batch: RunBatch, count_trial: Callable[[], None]
    ) -> list[Record]:
        jobs = [self._trial_job(trial) for trial in trials]
        for job in jobs:
            _delete_pruned_result(job)
        if self.settings.pruner == "none":
            return run_batch([(job, None) for job in jobs], count_trial)
        with pruning_server(self._report_and_prune) as make_client:
            return run_batch([(job, make_client(trial.number)) for job, trial in zip(jobs, trials)], count_trial)

    def _report_and_prune(self, number: int, epoch: int, value: float) -> bool:
        """Store the value of an epoch and return whether to prune the trial.

        A trial is compared with the completed trials of earlier batches. Trials of the same batch are left out because
        the order of their reports is not reproducible.
        """
        trials = self._trials()
        trial = trials[number]
        self._report_values(trial, {epoch: value})
        first, _ = self._batch_of(trial)
        completed = [t.intermediate_values for t in trials[:first] if t.state == TrialState.COMPLETE]
        best = max([value, *trial.intermediate_values.values()])
        return median_pruner(best, completed, epoch)

    def _report_values(self, trial: FrozenTrial, values: dict[int, float]) -> None:
        """Store the values of epochs that the study does not have; a resumed trial reports some epochs again."""
        for epoch in values.keys() - trial.intermediate_values.keys():
            optuna.Trial(self.study, trial._trial_id).report(values[epoch], epoch)

    def _tell(self, trial: FrozenTrial, record: Record) -> None:
        """Store the result of a trial in the study.

        A job that an earlier search computed did not report the values of its epochs to this study. If this search
        prunes trials, the values are therefore read from the training summary.
        """
        value = record.selection[record.metric] if record.status == "finished" else None
        if value is not None and self.settings.pruner != "none":
            self._report_values(self._trials()[trial.number], _read_history(JobFolder(self._trial_job(trial).folder)))
        self.study.tell(trial.number, value, state=TRIAL_STATES[record.status])

    def _best_trial(self) -> FrozenTrial:
        complete = [trial for trial in self._trials() if trial.state == TrialState.COMPLETE]
        if not complete:
            raise FramelightError(f"search {self.name}: no trial completed; run the command again")
        return max(complete, key=lambda trial: (trial.value, -trial.number))


def median_pruner(best: float, completed: Sequence[dict[int, float]], epoch: int) -> bool:
    """Apply the median pruning rule.

    Parameters
    ----------
    best : float
        Best value of the trial so far.
    completed : sequence of dict of int to float
        Value of each epoch, for each completed trial.
    epoch : int
        The current epoch.

    Returns
    -------
    bool
        Whether `best` is below the median of the completed trials at this epoch; False with fewer than
        `PRUNER_STARTUP_TRIALS` completed trials, or if none of these trials has this epoch.
    """
    values = [trial[epoch] for trial in completed if epoch in trial]
    return len(completed) >= PRUNER_STARTUP_TRIALS and len(values) > 0 and best < median(values)


def _read_history(files: JobFolder) -> dict[int, float]:
    """Read the value of each epoch in the summary of a training."""
    try:
        return {int(epoch["epoch"]): float(epoch["value"]) for epoch in files.read_training()["history"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FramelightError(f"{files.training} cannot be read ({error}); delete {files.path}") from error


def _delete_pruned_result(job: Job) -> None:
    """Delete the result of a pruned job, because another search may have pruned it."""
    files = JobFolder(job.folder)
    if files.has_record() and files.read_record().status == "pruned":
        shutil.rmtree(job.folder)
