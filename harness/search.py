"""The Optuna search of a recipe: one study a task, kept in the store, resumed where it was left.

Trials are asked and told in batches as large as the number of workers, and the sampler of each trial is seeded by its
number, so a search that was killed goes on as if it had not been. The objective is the selection split's metric.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from harness.heads.config import HeadConfig
from harness.identity import digest
from harness.jobs.expand import Expansion
from harness.jobs.job import Job
from harness.locks import making
from harness.recipes.recipe import Grid, Recipe, Search, Smoothing
from harness.records import Record
from harness.reporting import Reporter, listening

RunBatch = Callable[[list[tuple[Job, Reporter | None]]], list[Record]]
STARTUP_TRIALS = 10
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class GridSearch:
    """The search over one grid of a recipe."""

    def __init__(self, expansion: Expansion, grid: Grid, store: Path) -> None:
        assert expansion.recipe.search is not None
        self.expansion, self.grid = expansion, grid
        self.recipe: Recipe = expansion.recipe
        self.settings: Search = expansion.recipe.search
        self.backbones = {backbone.label: backbone for backbone in expansion.prepared.backbones}
        space = [self.settings.seed, self.settings.pruner, self.settings.hidden, self.settings.learning_rate,
                 self.settings.l2, self.settings.epochs, grid, self.recipe.smoothing, self.recipe.protocol,
                 expansion.data_of(grid.task), sorted(b.entry for b in self.backbones.values())]
        self.name = f"{self.recipe.name}/{grid.task}/{digest(space)}"
        self.lock = store / "artifacts" / "studies" / digest(space)
        self.storage = f"sqlite:///{store / 'optuna.db'}"
        self.store = store

    def run(self, workers: int, run_batch: RunBatch) -> list[Job]:
        """Search until the recipe's number of trials has ended; the jobs of the best one, for each seed."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with making(self.lock):
            self.study = self._open()
            with listening(self._answer) as reporter_for:
                while self._ended() < self.settings.trials:
                    numbers = self._batch(workers)
                    jobs = [(self._job(self._trial(n), "trial", self.recipe.seeds[0]), reporter_for(n))
                            for n in numbers]
                    for number, record in zip(numbers, run_batch(jobs)):
                        self._tell(number, record)
        return self._best()

    def _open(self) -> optuna.Study:
        pruners = {"none": optuna.pruners.NopPruner(),
                   "median": optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
                   "halving": optuna.pruners.SuccessiveHalvingPruner()}
        with making(self.store / "optuna.db"):
            return optuna.create_study(study_name=self.name, storage=self.storage, direction="maximize",
                                       pruner=pruners[self.settings.pruner], load_if_exists=True)

    def _ended(self) -> int:
        return sum(trial.state in _ENDED for trial in self.study.get_trials(deepcopy=False))

    def _batch(self, workers: int) -> list[int]:
        """Numbers to run now: the running ones a killed search left, filled up to a whole batch."""
        trials = self.study.get_trials(deepcopy=False)
        running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        end = min((len(trials) - bool(running)) // workers * workers + workers, self.settings.trials)
        for number in range(len(trials), max(end, len(trials))):
            self.study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=STARTUP_TRIALS, seed=int(digest([self.settings.seed, number], 8), 16))
            running.append(self.study.ask().number)
        return running

    def _trial(self, number: int) -> optuna.Trial:
        return optuna.Trial(self.study, self.study.get_trials(deepcopy=False)[number]._trial_id)

    def _job(self, trial: optuna.Trial | optuna.trial.FrozenTrial, kind: str, seed: int) -> Job:
        settings, smoothing = self.settings, self.recipe.smoothing
        head = trial.suggest_categorical("head", sorted({config.kind for config in self.grid.heads}))
        hidden = 0 if head == "logistic_regression" else trial.suggest_int("hidden", *settings.hidden, log=True)
        config = HeadConfig(head, hidden=hidden,
                            learning_rate=trial.suggest_float("learning_rate", *settings.learning_rate, log=True),
                            l2=trial.suggest_float("l2", *settings.l2, log=True),
                            epochs=trial.suggest_int("epochs", *settings.epochs, log=True))
        radius = trial.suggest_int("radius", smoothing.smallest, smoothing.largest)
        kernel = trial.suggest_categorical("kernel", list(smoothing.kernels))
        backbone = self.backbones[trial.suggest_categorical("backbone", list(self.backbones))]
        features = trial.suggest_categorical("features", list(self.grid.features))
        return self.expansion.job(kind, self.grid.task, backbone, features, config,
                                  Smoothing((kernel,), radius, radius), seed)

    def _answer(self, number: int, epoch: int, value: float) -> bool:
        trial = self._trial(number)
        trial.report(value, epoch)
        return trial.should_prune()

    def _tell(self, number: int, record: Record) -> None:
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        value: Any = record.selection.get(record.metric) if record.status == "finished" else None
        self.study.tell(number, value, state=states[record.status], skip_if_finished=True)

    def _best(self) -> list[Job]:
        complete = [t for t in self.study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
        if not complete:
            return []
        best = max(complete, key=lambda trial: (trial.value, -trial.number))
        return [self._job(best, "run", seed) for seed in self.recipe.seeds]
