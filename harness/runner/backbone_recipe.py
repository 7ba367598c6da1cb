"""Recipes that train a backbone."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import ClassVar

import backbones
from harness.data.synthetic.settings import SyntheticStills
from harness.training.backbones.config import Hardware, StillsConfig
from harness.utils.errors import InputError
from harness.utils.validation import require

RESERVED = ("random", "pretrained", "import")
"""Words with a meaning in references (`NAME@random`) or in commands; not allowed as names of backbones."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Valid names of backbones."""


@dataclass(frozen=True)
class TrainedBackbone:
    """A backbone that a recipe trains on synthetic still images, unless the store has it already.

    Parameters
    ----------
    name : str
        Name of the backbone, which the recipe lists in `backbones`.
    training : StillsConfig
        How the backbone is trained.
    stills : SyntheticStills, default=SyntheticStills()
        Images that the backbone is trained on; by default 3,000 images of 120 people.
    seeds : tuple of int, default=()
        Seeds of several trainings. Every head is trained on the features of each training, and the leaderboard shows
        all trainings as one row, with the standard deviation between them. Empty: one training, with the seed of
        `training`.

    Raises
    ------
    InputError
        If a seed is negative or listed twice.

    Examples
    --------
    >>> small = TrainedBackbone("small", StillsConfig("tiny_resnet@random"), SyntheticStills(images=1200), seeds=(0, 1))
    >>> small.training.backbone, [training.seed for training in small.trainings()]
    ('tiny_resnet@random', [0, 1])
    """

    hash_tag: ClassVar[str] = "TrainedBackbone"
    name: str
    training: StillsConfig
    stills: SyntheticStills = SyntheticStills()  # noqa: RUF009 - a frozen dataclass
    seeds: tuple[int, ...] = field(default=(), metadata={"omit_default": True})

    def __post_init__(self) -> None:
        require(
            len(set(self.seeds)) == len(self.seeds) and all(seed >= 0 for seed in self.seeds),
            f"trained.seeds of backbone '{self.name}' is {', '.join(map(str, self.seeds))}; use different "
            "integers that are not negative",
        )

    def trainings(self) -> tuple[StillsConfig, ...]:
        """Return the configuration of each training."""
        return tuple(dataclasses.replace(self.training, seed=seed) for seed in self.seeds or (self.training.seed,))


@dataclass(frozen=True)
class BackboneRecipe:
    """A backbone that `framelight train-backbone` trains and adds to the store.

    Parameters
    ----------
    name : str
        Name of the backbone, which recipes list in `backbones`. Letters, digits and ``. _ -``; not a name of the
        catalogue.
    training : StillsConfig
        How the backbone is trained.
    hardware : Hardware, default=Hardware()
        Devices, worker threads and memory of the training; by default one device, chosen automatically.
    stills : SyntheticStills or None, default=None
        Synthetic images to train on if the command has no ``--data``. With None the command requires ``--data``.
    licence : str, default=""
        License of the weights, for the model card. Empty: the terms of the dataset.

    Raises
    ------
    InputError
        If the name is invalid or reserved, or is a name of the catalogue.

    Examples
    --------
    >>> BackboneRecipe("my_resnet", StillsConfig("tiny_resnet@random"), stills=SyntheticStills()).name
    'my_resnet'
    """

    name: str
    training: StillsConfig
    hardware: Hardware = Hardware()  # noqa: RUF009 - a frozen dataclass
    stills: SyntheticStills | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"'{self.name}' is not a valid name of a backbone; use letters, digits and . _ -, and begin with a "
                "letter or digit"
            )
        if self.name in (*backbones.names(), *RESERVED):
            raise InputError(
                f"the backbone name '{self.name}' is reserved; choose another for the trained backbone: "
                f"--set name=my_{self.name}"
            )
