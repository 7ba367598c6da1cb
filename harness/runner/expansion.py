"""Expand a recipe to its jobs: each combination once, in an order that depends on the recipe alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from harness.data.fingerprint import data_digest
from harness.data.leakage import scores_leak_targets
from harness.data.protocol import Protocol
from harness.jobs.baselines import expression_columns
from harness.jobs.job import LABELS, Configuration, Job
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs
from harness.runner.recipe import Grid, Recipe
from harness.smoothing.candidates import SmoothingGrid
from harness.tracking.code_identity import CodeIdentity
from harness.training.heads.config import HeadConfig

NOISE = "noise"
"""Features of the random-feature baseline: standard normal numbers that do not depend on the image."""

CONSTANT_BASELINES = {
    "expr": "majority class",
    "va": "mean value",
    "au": "majority of each AU",
    "mtl": "majority and mean",
}
"""Label of the constant baseline of each task."""

PREVIOUS = "previous label"
NO_SMOOTHING = SmoothingGrid(kernels=("mean",), smallest=0, largest=0)


class JobGrid:
    """The jobs of a recipe on prepared data and features.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    prepared : PreparedInputs
        Dataset and features.
    code : CodeIdentity, optional
        Code that runs the jobs.
    """

    def __init__(self, recipe: Recipe, prepared: PreparedInputs, code: CodeIdentity | None = None) -> None:
        self.recipe, self.prepared, self.code = recipe, prepared, code

    def jobs(self) -> list[Job]:
        """Return the baselines, if the recipe has them, and then the jobs of the grids.

        If the recipe has a search, only the baselines are returned.
        """
        jobs = list(self._baseline_jobs()) if self.recipe.baselines else []
        if self.recipe.search is None:
            jobs += self._grid_jobs()
        return list({job.job_id: job for job in jobs}.values())

    def backbones(self, grid: Grid) -> tuple[PreparedBackbone, ...]:
        """Return the backbones of a grid, or those of the recipe if the grid lists none.

        A backbone with several trainings is returned once.
        """
        prepared = dict(zip(self.recipe.all_backbones(), self.prepared.backbones))
        return tuple(prepared[name] for name in grid.backbones or self.recipe.backbones)

    def smoothings(self, grid: Grid) -> tuple[SmoothingGrid, ...]:
        """Return the smoothing grids of a grid; by default the smoothing grid of the recipe."""
        return grid.smoothings or (self.recipe.smoothing,)

    def job(  # noqa: PLR0913 - the axes of the grid
        self,
        kind: str,
        task: str,
        backbone: PreparedBackbone | None,
        features: str,
        head: HeadConfig | None,
        smoothing: SmoothingGrid,
        seed: int,
    ) -> Job:
        """Create one job.

        Parameters
        ----------
        kind : {"run", "baseline", "trial"}
            `run` for a combination of the grids, `trial` for a trial of a search.
        task : str
            Name of the task.
        backbone : PreparedBackbone or None
            None for a baseline that does not look at the images.
        features : str
            Features of the head.
        head : HeadConfig or None
            None if no head is trained.
        smoothing : SmoothingGrid
            Filters to select from.
        seed : int
            Seed of the training.
        """
        entry, recipe, prepared = backbone.entry if backbone else "", self.recipe, self.prepared
        configuration = Configuration(
            kind,
            task,
            self.task_data_digest(task),
            entry,
            features,
            head,
            self._effective_smoothing(smoothing),
            recipe.protocol if features != LABELS else Protocol(recipe.protocol.name, seed=0, refit=False),
            recipe.thresholds if head and task in ("au", "mtl") else Configuration.thresholds,
            recipe.missing if prepared.temporal else Configuration.missing,
        )
        is_run = kind == "run"
        labels: dict[str, Any] = (
            {"backbone": _baseline_label(task, features)}
            if backbone is None
            else {
                "backbone": backbone.label,
                "backbone_weights": backbone.weights,
                "backbone_random": backbone.is_random,
                "weights_hash": backbone.weights_hash,
                **({} if kind == "trial" else _training_labels(backbone)),
            }
        )
        return Job(
            **labels,
            configuration=configuration,
            seed=seed,
            recipe=recipe.name,
            dataset=prepared.dataset,
            expected_seeds=recipe.seeds if is_run else (seed,),
            flags=_leakage_flags(kind, task, features, backbone),
            backbone_parameters=backbone.parameters if backbone else 0,
            data=prepared.root,
            labels=prepared.labels[task],
            store=prepared.store,
            entry=entry or prepared.backbones[0].entry,
            pictures=is_run and recipe.pictures,
            memory=recipe.memory * 2**20,
            code=self.code,
        )

    def task_data_digest(self, task: str) -> str:
        """Return the digest of the images and of the task's labels in the training and the reported split."""
        return data_digest(self.prepared.images, self.prepared.labels[task])

    def _effective_smoothing(self, smoothing: SmoothingGrid) -> SmoothingGrid:
        """Return the smoothing grid; for still images, a grid with only radius 0, which smooths nothing."""
        if self.prepared.temporal:
            return smoothing
        return SmoothingGrid(kernels=smoothing.kernels[:1], smallest=0, largest=0)

    def _baseline_jobs(self) -> Iterator[Job]:
        for grid in self.recipe.grids:
            yield self.job("baseline", grid.task, None, "none", None, NO_SMOOTHING, 0)
            if self.prepared.temporal:
                yield self.job("baseline", grid.task, None, LABELS, None, NO_SMOOTHING, 0)
            head = HeadConfig("multitask" if grid.task == "mtl" else "logistic_regression", hidden=0)
            yield self.job("baseline", grid.task, None, NOISE, head, self.recipe.smoothing, 0)
            for backbone in self._all_trainings(grid) if grid.task == "expr" else ():
                if expression_columns(_score_column_names(backbone)) is not None:
                    yield self.job("baseline", grid.task, backbone, "scores", None, self.recipe.smoothing, 0)

    def _grid_jobs(self) -> Iterator[Job]:
        """Yield all combinations. Jobs of the first smoothing come first, and later jobs reuse their predictions."""
        for grid in self.recipe.grids:
            for smoothing, backbone, features, head, seed in product(
                self.smoothings(grid), self._all_trainings(grid), grid.features, grid.heads, self.recipe.seeds
            ):
                yield self.job("run", grid.task, backbone, features, head, smoothing, seed)

    def _all_trainings(self, grid: Grid) -> list[PreparedBackbone]:
        return [training for backbone in self.backbones(grid) for training in backbone.trainings]


def _baseline_label(task: str, features: str) -> str:
    """Return what tables show as the backbone of a baseline that does not look at the images."""
    return {NOISE: "random features", LABELS: PREVIOUS}.get(features, CONSTANT_BASELINES[task])


def _training_labels(backbone: PreparedBackbone) -> dict[str, Any]:
    training = backbone.training
    if training is None:
        return {}
    return {"training": training.seed, "expected_trainings": training.seeds, "training_group": training.group}


def _leakage_flags(kind: str, task: str, features: str, backbone: PreparedBackbone | None) -> tuple[str, ...]:
    if features == LABELS:
        return ("uses_labels",)
    if backbone is None:
        return ()
    own_scores = kind == "run" and scores_leak_targets(task, features, _score_column_names(backbone))
    flags = {"own_scores": own_scores, "seen_crops": task in backbone.seen_tasks}
    return tuple(flag for flag, applies in flags.items() if applies)


def _score_column_names(backbone: PreparedBackbone) -> tuple[str, ...]:
    """Return the names of the score columns; empty with random weights, where the columns have no meaning."""
    return () if backbone.is_random else backbone.score_labels
