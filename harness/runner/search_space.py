"""What a trial of a search may be: the parameters it is asked for, and the job they make."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from harness.jobs.job import REVISION, Job
from harness.metrics.tasks import TASKS
from harness.runner.expansion import JobGrid
from harness.runner.recipe import Grid, Search
from harness.training.heads.config import HeadConfig
from harness.utils.hashing import content_hash, to_jsonable


class Trial(Protocol):
    """A trial of Optuna, new (it draws each parameter) or kept (it gives what was drawn)."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


class SearchSpace:
    """Backbone, features, head, its hyperparameters, kernel, radius, gaps and thresholds of one grid of a recipe.

    What is not searched of a head is that of the grid's first head of its kind. Backbones are the keys of their
    feature entries: names are labels. Kernels and radii are those of the grid's first smoothing. Gaps and thresholds
    are parameters only where there is a choice.
    """

    def __init__(self, expansion: JobGrid, grid: Grid) -> None:
        assert expansion.recipe.search is not None
        self.expansion, self.grid = expansion, grid
        self.settings: Search = expansion.recipe.search
        self.backbones = {backbone.entry: backbone for backbone in expansion.backbones(grid)}
        self.smoothing = expansion.smoothings(grid)[0]
        self.heads = {head.kind: head for head in reversed(grid.heads)}

    def identity(self) -> str:
        """Digest of all that the outcome of a search depends on but its length and the size of its batches."""
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

    def job(self, trial: Trial, kind: str, seed: int) -> Job:
        """The job of a trial; asks it for every parameter."""
        head, smoothing = self._suggest_head(trial), self.smoothing
        radius = trial.suggest_int("radius", smoothing.smallest, smoothing.largest)
        kernel = trial.suggest_categorical("kernel", list(smoothing.kernels))
        backbone = self.backbones[trial.suggest_categorical("backbone", sorted(self.backbones))]
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
