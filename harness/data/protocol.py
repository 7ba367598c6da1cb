"""Where epochs, thresholds, windows and hyperparameters are selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.utils.errors import unknown_name_error
from harness.utils.validation import _require

PROTOCOLS = ("held-out", "published")


@dataclass(frozen=True)
class Protocol:
    """How epochs, thresholds, windows and hyperparameters are chosen.

    held-out: on `fraction` of the training videos, a pure function of `seed`, their names and which labels they hold;
    or, with `folds` of 2 or more, on every training video once, each predicted by a model that never saw it.
    refit: what was chosen is then trained again on all training videos (always so with folds).
    published: on the reported split itself, as the paper did; optimistic, and marked so.
    """

    hash_tag: ClassVar[str] = "Protocol"
    name: str = "held-out"
    fraction: float = 0.25
    folds: int = 0
    seed: int = 0
    refit: bool = False

    def __post_init__(self) -> None:
        if self.name not in PROTOCOLS:
            raise unknown_name_error("protocol", self.name, PROTOCOLS)
        _require(0 < self.fraction < 1, f"protocol.fraction is {self.fraction}; it lies between 0 and 1")
        _require(self.folds == 0 or self.folds >= 2, f"protocol.folds is {self.folds}; 0 for a fraction, or 2 or more")
        if self.name == "published":  # one computation has one identity
            for name in ("fraction", "folds", "seed", "refit"):
                object.__setattr__(self, name, getattr(type(self), name))
        elif self.folds:
            object.__setattr__(self, "fraction", type(self).fraction)
            object.__setattr__(self, "refit", True)
