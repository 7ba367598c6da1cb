"""A recipe becomes its list of jobs: every combination once, in an order that depends on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from harness.heads.config import HeadConfig
from harness.identity import digest
from harness.jobs.job import Configuration, Job
from harness.preparation import Prepared, PreparedBackbone
from harness.recipes.recipe import Recipe, Smoothing

NOISE = "noise"
"""Features of the random-feature baseline: standard normal numbers that know nothing of the image."""

CONSTANT = {"expr": "majority class", "va": "mean value", "au": "majority of each AU", "mtl": "majority and mean"}
"""What the constant baseline of a task is called."""


class Expansion:
    """The jobs of a recipe on prepared data and features."""

    def __init__(self, recipe: Recipe, prepared: Prepared) -> None:
        self.recipe, self.prepared = recipe, prepared

    def jobs(self) -> list[Job]:
        """Grid jobs (or none where a search picks them) after the baselines of each task."""
        jobs = list(self._baselines()) if self.recipe.baselines else []
        if self.recipe.search is None:
            jobs += self._grid()
        return list({job.job_id: job for job in jobs}.values())

    def job(self, kind: str, task: str, backbone: PreparedBackbone | None, features: str, head: HeadConfig | None,
            smoothing: Smoothing, seed: int) -> Job:
        entry = backbone.entry if backbone else ""
        if not self.prepared.temporal:
            smoothing = Smoothing(kernels=smoothing.kernels[:1], smallest=0, largest=0, gaps=smoothing.gaps)
        configuration = Configuration(kind, task, self.data_of(task), entry, features, head, smoothing,
                                      self.recipe.protocol, self.recipe.thresholds, self.recipe.missing)
        first = self.prepared.backbones[0]
        seeds = self.recipe.seeds if kind == "run" else (seed,)
        return Job(configuration, seed, self.recipe.name, self.prepared.dataset,
                   backbone.label if backbone else "random features" if head else CONSTANT[task],
                   backbone.weights if backbone else "",
                   backbone.weights_hash if backbone else "", bool(backbone and backbone.is_random),
                   backbone.parameters if backbone else 0, tuple(seeds), self.prepared.root,
                   self.prepared.labels[task], self.prepared.store, entry or first.entry)

    def data_of(self, task: str) -> str:
        """Digest of the images and of the task's labels in both splits."""
        return digest([self.prepared.images, self.prepared.labels[task]])

    def _baselines(self) -> Iterator[Job]:
        none = Smoothing(kernels=("mean",), smallest=0, largest=0)
        for grid in self.recipe.grids:
            yield self.job("baseline", grid.task, None, "none", None, none, 0)
            head = HeadConfig("multitask" if grid.task == "mtl" else "logistic_regression", hidden=0)
            yield self.job("baseline", grid.task, None, NOISE, head, self.recipe.smoothing, 0)

    def _grid(self) -> Iterator[Job]:
        for grid in self.recipe.grids:
            for backbone, features, head, seed in product(self.prepared.backbones, grid.features, grid.heads,
                                                          self.recipe.seeds):
                yield self.job("run", grid.task, backbone, features, head, self.recipe.smoothing, seed)
