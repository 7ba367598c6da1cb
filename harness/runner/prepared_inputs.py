"""Inputs of jobs after their preparation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.utils.store import Store


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
        Key of the feature entry.
    score_labels : tuple of str
        Names of the score columns; empty if they have none or the weights are random.
    """

    label: str
    weights: str
    weights_hash: str
    is_random: bool
    parameters: int
    entry: str
    score_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedInputs:
    """Inputs of the jobs of a recipe.

    Attributes
    ----------
    root : Path
        Absolute folder of the data set.
    store : Store
        The store, with absolute paths and without a tracking URI.
    dataset : str
        Name of the data set.
    temporal : bool
        Whether the data set has videos rather than still images.
    images : str
        Digest of all crops.
    labels : dict of str to str
        Digest of the annotations, by task.
    backbones : tuple of PreparedBackbone
        Backbones in the order of `Recipe.all_backbones`.
    """

    root: Path
    store: Store
    dataset: str
    temporal: bool
    images: str
    labels: dict[str, str]
    backbones: tuple[PreparedBackbone, ...]
