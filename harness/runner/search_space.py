"""Search space: the parameters of a trial, and the job that they describe."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from harness.jobs.job import REVISION, Job
from harness.metrics.tasks import TASKS
from harness.runner.expansion import JobGrid
from harness.runner.recipe import Grid, Search
from harness.training.heads.config import HeadConfig
from harness.utils.hashing import content_hash, to_jsonable


class Trial(Protocol):
    """Interface of an Optuna trial: a new trial samples parameters, a stored trial returns them."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return an integer in a closed range."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number in a closed range."""


class SearchSpace:
    """Search space of one grid: backbone, features, head, hyperparameters, kernel, radius, gaps and thresholds.

    Head settings that are not searched are taken from the grid's first head of the same kind. Backbones are identified
    by the keys of their features in the feature store. Kernels and radii are taken from the grid's first smoothing.
    Gaps and thresholds are parameters only if there is more than one choice.

    Parameters
    ----------
    expansion : JobGrid
        Jobs of a recipe that has a `search`.
    grid : Grid
        The grid.
    """

    def __init__(self, expansion: JobGrid, grid: Grid) -> None:
        assert expansion.recipe.search is not None
        self.expansion, self.grid = expansion, grid
        self.settings: Search = expansion.recipe.search
        self.backbones = {backbone.entry: backbone for backbone in expansion.backbones(grid)}
        self.smoothing = expansion.smoothings(grid)[0]
        self.heads = {head.kind: head for head in reversed(grid.heads)}

    def identity(self) -> str:
        """Return a hash of everything that the result depends on, except the number of trials and the batch size."""
        settings = to_jsonable(dataclasses.replace(self.settings, trials=1))
        for name in ("batch", *(name for name in ("gaps", "thresholds") if not settings[name])):
            del settings[name]
        recipe, grid = self.expansion.recipe, dataclasses.replace(self.grid, backbones=(), smoothings=())
        return content_hash(
            [
                settings,
                grid,
                self.smoothing,
                recipe.protocol,
                recipe.thresholds,
                recipe.missing,
                recipe.seeds[0],
                REVISION,
                self.expansion.task_data_digest(grid.task),
                sorted(self.backbones),
            ]
        )

    def run_jobs(self, trial: Trial, seeds: Sequence[int]) -> list[Job]:
        """Return the jobs of the best trial: one for each training of its backbone and each seed."""
        trainings = max(1, len(self.job(trial, "run", seeds[0]).expected_trainings))
        return [self.job(trial, "run", seed, number) for number in range(trainings) for seed in seeds]

    def job(self, trial: Trial, kind: str, seed: int, training: int = 0) -> Job:
        """Suggest all parameters of a trial and return the job that they describe.

        Parameters
        ----------
        trial : Trial
            A new or a stored trial.
        kind : {"trial", "run"}
            `trial` during the search, `run` for the jobs of the best trial.
        seed : int
            Seed of the training.
        training : int, default=0
            Number of the training of the backbone, if it has several. Trials use the first one.
        """
        head, smoothing = self._suggest_head(trial), self.smoothing
        radius = trial.suggest_int("radius", smoothing.smallest, smoothing.largest)
        kernel = trial.suggest_categorical("kernel", list(smoothing.kernels))
        backbone = self.backbones[trial.suggest_categorical("backbone", sorted(self.backbones))].trainings[training]
        features = trial.suggest_categorical("features", list(self.grid.features))
        gaps = _suggest_choice(trial, "gaps", self.settings.gaps or (smoothing.gaps,))
        fixed = dataclasses.replace(smoothing, kernels=(kernel,), smallest=radius, largest=radius, gaps=gaps)
        job = self.expansion.job(kind, self.grid.task, backbone, features, head, fixed, seed)
        if "au" not in TASKS[self.grid.task].slices():
            return job
        thresholds = _suggest_choice(trial, "thresholds", self.settings.thresholds or (job.configuration.thresholds,))
        return dataclasses.replace(job, configuration=dataclasses.replace(job.configuration, thresholds=thresholds))

    def _suggest_head(self, trial: Trial) -> HeadConfig:
        settings, kind = self.settings, trial.suggest_categorical("head", sorted(self.heads))
        deep = kind == "mlp" or (kind == "multitask" and trial.suggest_categorical("shared", [False, True]))
        return dataclasses.replace(
            self.heads[kind],
            hidden=trial.suggest_int("hidden", *settings.hidden, log=True) if deep else 0,
            learning_rate=trial.suggest_float("learning_rate", *settings.learning_rate, log=True),
            l2=trial.suggest_float("l2", *settings.l2, log=True),
            epochs=trial.suggest_int("epochs", *settings.epochs, log=True),
        )


def _suggest_choice(trial: Trial, name: str, choices: tuple[str, ...]) -> str:
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, list(choices))
