"""Where epochs, thresholds, windows and hyperparameters are selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

PROTOCOLS = ("held-out", "published")


@dataclass(frozen=True)
class Protocol:
    """How epochs, thresholds, windows and hyperparameters are chosen.

    Parameters
    ----------
    name : {"held-out", "published"}
        `held-out` chooses on training videos that the model was not fitted to. `published` chooses on the reported
        split itself, as the paper did, so that scores are optimistic and marked as such.
    fraction : float between 0 and 1
        Share of the training videos that is held out. Which ones follows from `seed`, their names and their labels.
    folds : int
        With 2 or more, every training video is held out once (cross-validation) instead of a fraction.
    seed : int
    refit : bool
        Train what was chosen again on all training videos. Always so with folds.

    Raises
    ------
    InputError
        For an unknown name, and for a fraction or number of folds out of range.

    Examples
    --------
    >>> Protocol(folds=5)
    Protocol(name='held-out', fraction=0.25, folds=5, seed=0, refit=True)
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
        require(0 < self.fraction < 1, f"protocol.fraction is {self.fraction}; it lies between 0 and 1")
        require(self.folds == 0 or self.folds >= 2, f"protocol.folds is {self.folds}; 0 for a fraction, or 2 or more")
        if self.name == "published":  # one computation has one identity
            for name in ("fraction", "folds", "seed", "refit"):
                object.__setattr__(self, name, getattr(type(self), name))
        elif self.folds:
            object.__setattr__(self, "fraction", type(self).fraction)
            object.__setattr__(self, "refit", True)
