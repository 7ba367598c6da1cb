"""The Optuna search of a recipe: one study a task, kept in the store, resumed where it was left.

Trials run in batches, whose size the recipe says, so that those that are alike train together and the outcome does not
depend on the number of workers. What a trial is and whether it is pruned follow from its number and from the trials of
earlier batches, and a batch that was begun is ended as it was planned: a search that was killed goes on as if it had
not been. The objective is the selection split's metric.
"""

from __future__ import annotations

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
from harness.runner.search_space import SearchSpace
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.hashing import content_hash
from harness.utils.locks import entry_lock
from harness.utils.store import Store

RunBatch = Callable[[list[tuple[Job, PruningClient | None]]], list[Record]]
STARTUP_TRIALS = 10
"""Trials drawn at random before the sampler learns from them."""
PRUNER_STARTUP_TRIALS = 5
"""Completed trials before any other is pruned."""
MAX_CONSECUTIVE_FAILURES = 3
"""As many in a row, and no fewer than one batch, end the search: the cause is not in the trials."""
TRIAL_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class GridSearch:
    """The search over one grid of a recipe."""

    def __init__(self, expansion: JobGrid, grid: Grid, store: Store) -> None:
        self.space, self.recipe, self.settings = SearchSpace(expansion, grid), expansion.recipe, expansion.recipe.search
        identity = self.space.identity()
        self.name = f"{self.recipe.name}/{grid.task}/{identity}"
        self.lock = store.studies / identity
        self.database = store.optuna_database

    def run(self, run_batch: RunBatch) -> list[Job]:
        """Search until the recipe's number of trials has completed or was pruned; the best one's job for each seed.

        FramelightError when trials fail one after the other; a single failed one is replaced by another.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with entry_lock(self.lock), self._translate_storage_errors():
            self.study = self._open_study()
            self._resync(run_batch)
            failures: list[Record] = []
            while self._count_remaining(self._trials()) > 0:
                trials = self._next_batch()
                for trial, record in zip(trials, self._run_trials(trials, run_batch)):
                    self._tell(trial, record)
                    failures = [*failures, record] if record.status == "failed" else []
                if len(failures) >= max(MAX_CONSECUTIVE_FAILURES, len(trials)):
                    raise FramelightError(
                        f"search {self.name}: {len(failures)} trials in a row failed, the first with "
                        f"{failures[0].error}; mend that and run the command again"
                    )
            return [self.space.job(self._best_trial(), "run", seed) for seed in self.recipe.seeds]

    @contextmanager
    def _translate_storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (OptunaError, SQLAlchemyError) as error:
            cause = str(error.__cause__ or error).splitlines()[0]
            raise FramelightError(
                f"{self.database} could not be used ({cause}); check that it is writable and has "
                "room and that Optuna made it, or choose another store with --store DIR"
            ) from error

    def _open_study(self) -> optuna.Study:
        with entry_lock(self.database):
            storage = optuna.storages.RDBStorage(f"sqlite:///{self.database}")
            with storage.engine.connect() as connection:  # a commit then waits for no disk; a kill loses nothing
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            event.listen(storage.engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous=NORMAL"))
            storage.engine.dispose()
            return optuna.create_study(study_name=self.name, storage=storage, direction="maximize", load_if_exists=True)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _count_remaining(self, trials: list[FrozenTrial]) -> int:
        """A failed trial does not count."""
        return self.settings.trials - sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)

    def _trial_job(self, trial: FrozenTrial) -> Job:
        return self.space.job(trial, "trial", self.recipe.seeds[0])

    def _resync(self, run_batch: RunBatch) -> None:
        """Hand the kept records of ended trials on once more: their tracker may have been lost."""
        jobs = {
            job.job_id: job for job in (self._trial_job(trial) for trial in self._trials() if trial.state.is_finished())
        }
        run_batch([(job, None) for job in jobs.values() if JobFolder(job.folder).has_record()])

    def _next_batch(self) -> list[FrozenTrial]:
        """The trials to run now: what is left of the batch that a killed search began, or a new one."""
        trials = self._trials()
        if any(trial.state == TrialState.RUNNING for trial in trials):
            first, size = trials[-1].user_attrs["batch"]
        else:
            first, size = len(trials), min(self.settings.batch, self._count_remaining(trials))
        while len(trials) < first + size:
            self.study.add_trial(self._propose_trial(trials, {"batch": [first, size]}))
            trials = self._trials()
        return [trial for trial in trials[first:] if trial.state == TrialState.RUNNING]

    def _propose_trial(self, trials: list[FrozenTrial], attributes: dict[str, object]) -> FrozenTrial:
        """The next trial after `trials`, drawn on a copy of the study: it enters the study whole or not at all."""
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

    def _run_trials(self, trials: list[FrozenTrial], run_batch: RunBatch) -> list[Record]:
        jobs = [self._trial_job(trial) for trial in trials]
        for job in jobs:
            _delete_pruned_result(job)
        if self.settings.pruner == "none":
            return run_batch([(job, None) for job in jobs])
        with pruning_server(self._report_and_prune) as reporter_for:
            return run_batch([(job, reporter_for(trial.number)) for job, trial in zip(jobs, trials)])

    def _report_and_prune(self, number: int, epoch: int, value: float) -> bool:
        """Keep the value of an epoch; whether the trial stops there.

        The median rule: its best value so far is below the median that the completed trials of earlier batches had at
        this epoch. Trials of its own batch report in an order that nobody can repeat.
        """
        trials = self._trials()
        trial = trials[number]
        self._report_values(trial, {epoch: value})
        first, _ = trial.user_attrs["batch"]
        rivals = [t.intermediate_values for t in trials[:first] if t.state == TrialState.COMPLETE]
        best = max([value, *trial.intermediate_values.values()])
        return median_pruner(best, rivals, epoch)

    def _report_values(self, trial: FrozenTrial, values: dict[int, float]) -> None:
        """Keep the values of epochs that the study has none of: a resumed trial reports some again."""
        for epoch in values.keys() - trial.intermediate_values.keys():
            optuna.Trial(self.study, trial._trial_id).report(values[epoch], epoch)

    def _tell(self, trial: FrozenTrial, record: Record) -> None:
        """A job that was kept from another search reported nothing to this one; its training did keep its epochs.

        Where nothing is pruned no epoch is asked for.
        """
        value = record.selection[record.metric] if record.status == "finished" else None
        if value is not None and self.settings.pruner != "none":
            history = JobFolder(self._trial_job(trial).folder).read_training()["history"]
            self._report_values(self._trials()[trial.number], {epoch["epoch"]: epoch["value"] for epoch in history})
        self.study.tell(trial.number, value, state=TRIAL_STATES[record.status])

    def _best_trial(self) -> FrozenTrial:
        complete = [trial for trial in self._trials() if trial.state == TrialState.COMPLETE]
        if not complete:
            raise FramelightError(f"search {self.name}: no trial completed; run the command again")
        return max(complete, key=lambda trial: (trial.value, -trial.number))


def median_pruner(best: float, rivals: Sequence[dict[int, float]], epoch: int) -> bool:
    """Whether `best` is below the median of the rivals' values at `epoch`; never before there are enough rivals."""
    known = [values[epoch] for values in rivals if epoch in values]
    return len(rivals) >= PRUNER_STARTUP_TRIALS and len(known) > 0 and best < median(known)


def _delete_pruned_result(job: Job) -> None:
    """A pruned record holds against the rivals of its own search only; another search tries the job afresh."""
    files = JobFolder(job.folder)
    if files.has_record() and files.read_record().status == "pruned":
        shutil.rmtree(job.folder)
