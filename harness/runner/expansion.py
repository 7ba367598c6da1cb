"""A recipe becomes its list of jobs: every combination once, in an order that depends on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from harness.data.fingerprint import data_digest
from harness.data.leakage import scores_leak_targets
from harness.data.protocol import Protocol
from harness.jobs.baselines import expression_columns
from harness.jobs.job import LABELS, Configuration, Job
from harness.runner.preparation import PreparedBackbone, PreparedInputs
from harness.runner.recipe import Grid, Recipe
from harness.smoothing.candidates import SmoothingGrid
from harness.training.heads.config import HeadConfig

NOISE = "noise"
"""Features of the random-feature baseline: standard normal numbers that know nothing of the image."""

CONSTANT_BASELINES = {
    "expr": "majority class",
    "va": "mean value",
    "au": "majority of each AU",
    "mtl": "majority and mean",
}
"""What the constant baseline of a task is called."""

PREVIOUS = "previous label"
NO_SMOOTHING = SmoothingGrid(kernels=("mean",), smallest=0, largest=0)


class JobGrid:
    """The jobs of a recipe on prepared data and features."""

    def __init__(self, recipe: Recipe, prepared: PreparedInputs) -> None:
        self.recipe, self.prepared = recipe, prepared

    def jobs(self) -> list[Job]:
        """Grid jobs (or none where a search picks them) after the baselines of each task."""
        jobs = list(self._baseline_jobs()) if self.recipe.baselines else []
        if self.recipe.search is None:
            jobs += self._grid_jobs()
        return list({job.job_id: job for job in jobs}.values())

    def backbones(self, grid: Grid) -> tuple[PreparedBackbone, ...]:
        """Those of the grid, or of the recipe where it names none."""
        prepared = dict(zip(self.recipe.all_backbones(), self.prepared.backbones))
        return tuple(prepared[name] for name in grid.backbones or self.recipe.backbones)

    def smoothings(self, grid: Grid) -> tuple[SmoothingGrid, ...]:
        """Those of the grid, or that of the recipe where it names none."""
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
        entry, recipe, prepared = backbone.entry if backbone else "", self.recipe, self.prepared
        configuration = Configuration(
            kind,
            task,
            self.task_data_digest(task),
            entry,
            features,
            head,
            self._effective_smoothing(smoothing),
            recipe.protocol if features != LABELS else Protocol(recipe.protocol.name),
            recipe.thresholds if head and task in ("au", "mtl") else Configuration.thresholds,
            recipe.missing if prepared.temporal else Configuration.missing,
        )
        run = kind == "run"
        shown = (
            {"backbone": _baseline_label(task, features)}
            if backbone is None
            else {
                "backbone": backbone.label,
                "backbone_weights": backbone.weights,
                "backbone_random": backbone.is_random,
                "weights_hash": backbone.weights_hash,
            }
        )
        return Job(
            **shown,
            configuration=configuration,
            seed=seed,
            recipe=recipe.name,
            dataset=prepared.dataset,
            expected_seeds=recipe.seeds if run else (seed,),
            flags=_leakage_flags(kind, task, features, backbone),
            backbone_parameters=backbone.parameters if backbone else 0,
            data=prepared.root,
            labels=prepared.labels[task],
            store=prepared.store,
            entry=entry or prepared.backbones[0].entry,
            pictures=run and recipe.pictures,
            memory=recipe.memory * 2**20,
        )

    def task_data_digest(self, task: str) -> str:
        """Digest of the images and of the task's labels in both splits."""
        return data_digest(self.prepared.images, self.prepared.labels[task])

    def _effective_smoothing(self, smoothing: SmoothingGrid) -> SmoothingGrid:
        """Stills have no neighbours: what is said of their smoothing is one and the same."""
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
            for backbone in self.backbones(grid) if grid.task == "expr" else ():
                if expression_columns(_score_column_names(backbone)) is not None:
                    yield self.job("baseline", grid.task, backbone, "scores", None, self.recipe.smoothing, 0)

    def _grid_jobs(self) -> Iterator[Job]:
        """Smoothings change slowest: the first trains, the others replay its predictions."""
        for grid in self.recipe.grids:
            for smoothing, backbone, features, head, seed in product(
                self.smoothings(grid), self.backbones(grid), grid.features, grid.heads, self.recipe.seeds
            ):
                yield self.job("run", grid.task, backbone, features, head, smoothing, seed)


def _baseline_label(task: str, features: str) -> str:
    """What a baseline that reads no image is called in a backbone's place."""
    return {NOISE: "random features", LABELS: PREVIOUS}.get(features, CONSTANT_BASELINES[task])


def _leakage_flags(kind: str, task: str, features: str, backbone: PreparedBackbone | None) -> tuple[str, ...]:
    if features == LABELS:
        return ("uses_labels",)
    own = kind == "run" and backbone is not None and scores_leak_targets(task, features, _score_column_names(backbone))
    return ("own_scores",) if own else ()


def _score_column_names(backbone: PreparedBackbone) -> tuple[str, ...]:
    """Names of the score columns; random weights give columns no meaning, whatever they are called."""
    return () if backbone.is_random else backbone.score_labels
