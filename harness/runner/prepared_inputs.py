"""Inputs of jobs after their preparation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.utils.hashing import content_hash
from harness.utils.store import Store


@dataclass(frozen=True)
class BackboneTraining:
    """One of several trainings of a backbone; the leaderboard shows the runs of all trainings in one row.

    Attributes
    ----------
    seed : int
        Seed of the training.
    seeds : tuple of int
        Seeds of all trainings.
    group : str
        Hash of the keys of the features of all trainings.
    """

    seed: int
    seeds: tuple[int, ...]
    group: str


@dataclass(frozen=True)
class PreparedBackbone:
    """A backbone whose features are in the store.

    Attributes
    ----------
    label : str
        Name in tables.
    weights : str
        Name of the weights.
    weights_hash : str
        Hash of the weights.
    is_random : bool
        Whether the weights are random.
    parameters : int
        Number of parameters.
    entry : str
        Key of the backbone's features in the feature store.
    score_labels : tuple of str
        Names of the score columns; empty if the columns have no names or the weights are random.
    seen_tasks : tuple of str
        Tasks whose reported split has crops that the backbone was trained on.
    training : BackboneTraining or None
        Which training this is, if the recipe trains the backbone with several seeds; else None.
    repeats : tuple of PreparedBackbone
        The other trainings, if this is the first of several; else empty.
    """

    label: str
    weights: str
    weights_hash: str
    is_random: bool
    parameters: int
    entry: str
    score_labels: tuple[str, ...] = ()
    seen_tasks: tuple[str, ...] = ()
    training: BackboneTraining | None = None
    repeats: tuple[PreparedBackbone, ...] = ()

    @property
    def trainings(self) -> tuple[PreparedBackbone, ...]:
        """The backbone, and its repeats."""
        return self, *self.repeats


def group_trainings(backbones: Mapping[int, PreparedBackbone]) -> PreparedBackbone:
    """Combine the trainings of a backbone, given by seed: return the first, with the others as its `repeats`."""
    first, *others = backbones.values()
    if not others:
        return first
    group = content_hash(sorted(backbone.entry for backbone in backbones.values()), 16)
    first, *others = (
        dataclasses.replace(backbone, training=BackboneTraining(seed, tuple(backbones), group))
        for seed, backbone in backbones.items()
    )
    return dataclasses.replace(first, repeats=tuple(others))


@dataclass(frozen=True)
class PreparedInputs:
    """Inputs of the jobs of a recipe.

    Attributes
    ----------
    root : Path
        Absolute folder of the dataset.
    store : Store
        The store, with absolute paths and without a tracking URI.
    dataset : str
        Name of the dataset.
    temporal : bool
        Whether the dataset has videos rather than still images.
    images : str
        Digest of all crops.
    labels : dict of str to str
        Digest of the annotations, by task.
    backbones : tuple of PreparedBackbone
        Backbones in the order of `Recipe.all_backbones`. A backbone with several trainings is listed once, as its first
        training, with the others as `repeats`.
    """

    root: Path
    store: Store
    dataset: str
    temporal: bool
    images: str
    labels: dict[str, str]
    backbones: tuple[PreparedBackbone, ...]
