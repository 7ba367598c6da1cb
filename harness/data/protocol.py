"""Protocol that says which rows epochs, thresholds, windows and hyperparameters are selected on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

PROTOCOLS = ("held-out", "published")


@dataclass(frozen=True)
class Protocol:
    """Rows that epochs, thresholds, smoothing windows and hyperparameters are selected on.

    Parameters
    ----------
    name : {"held-out", "published"}
        `held-out` selects on training videos that the model was not fitted on. `published` selects on the reported
        split itself, as the paper did; its scores are optimistic and marked as such.
    fraction : float, default 0.25
        Share of the training videos that is held out, between 0 and 1, both excluded. The videos are determined by
        `seed`, their names and their labels.
    folds : int, default 0
        If 2 or more, use cross-validation: every training video is held out once. If 0, hold out `fraction`.
    seed : int, default 0
        Seed of the assignment of videos.
    refit : bool, default False
        Whether to refit the selected configuration on all training videos. Always True with folds.

    Raises
    ------
    InputError
        If `name` is unknown, or `fraction` or `folds` is out of range.

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
        require(
            0 < self.fraction < 1, f"protocol.fraction is {self.fraction}; it must be between 0 and 1, both excluded"
        )
        require(self.folds == 0 or self.folds >= 2, f"protocol.folds is {self.folds}; it must be 0 or at least 2")
        if self.name == "published":  # equal computations must have equal hashes
            for name in ("fraction", "folds", "seed", "refit"):
                object.__setattr__(self, name, getattr(type(self), name))
        elif self.folds:
            object.__setattr__(self, "fraction", type(self).fraction)
            object.__setattr__(self, "refit", True)
