"""The recipe of a backbone: how it is trained on stills, and on which machine."""

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
class BackboneRecipe:
    """A backbone to train; `framelight train-backbone` makes it an entry of the store, which recipes name by `name`.

    hardware: what may change between two runs of the same training.
    stills: the built-in stills it is trained on when no --data is given; None: --data must be.
    licence: terms of the weights, for the card; "" where nobody has said.
    """

    hash_tag: ClassVar[str] = "BackboneRecipe"
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
            raise InputError(f"'{self.name}' means something already among backbones; give the trained one another, "
                             f"--set name=my_{self.name}")
