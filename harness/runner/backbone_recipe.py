"""Recipes that train a backbone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from harness.data.synthetic.settings import SyntheticStills
from harness.training.backbones.config import Hardware, StillsConfig
from harness.utils.errors import InputError

MEANT = ("random", "pretrained", "import")
"""Words that references and commands have in a backbone's place."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class TrainedBackbone:
    """A backbone that a recipe trains on stills unless the store has it.

    Parameters
    ----------
    name : str
        What the recipe calls it in `backbones`.
    training : StillsConfig
    stills : SyntheticStills

    Examples
    --------
    >>> small = TrainedBackbone("small", StillsConfig("tiny_resnet@random"), SyntheticStills(images=1200))
    >>> small.training.backbone
    'tiny_resnet@random'
    """

    hash_tag: ClassVar[str] = "TrainedBackbone"
    name: str
    training: StillsConfig
    stills: SyntheticStills = SyntheticStills()


@dataclass(frozen=True)
class BackboneRecipe:
    """A backbone to train with `framelight train-backbone`, which adds it to the store.

    Parameters
    ----------
    name : str
        What recipes call it in `backbones`.
    training : StillsConfig
    hardware : Hardware
    stills : SyntheticStills, optional
        What it is trained on where no data set is given. Default: a data set must be given.
    licence : str
        Terms of the weights, for the model card.

    Raises
    ------
    InputError
        For a name that is taken, or that is no valid name.

    Examples
    --------
    >>> BackboneRecipe("my_resnet", StillsConfig("tiny_resnet@random"), stills=SyntheticStills()).name
    'my_resnet'
    """

    name: str
    training: StillsConfig
    hardware: Hardware = Hardware()
    stills: SyntheticStills | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        import backbones

        if not NAME.fullmatch(self.name):
            raise InputError(f"'{self.name}' cannot be a backbone's name: letters, digits and . _ - make one")
        if self.name in (*backbones.names(), *MEANT):
            raise InputError(
                f"'{self.name}' means something already among backbones; give the trained one another, "
                f"--set name=my_{self.name}"
            )
