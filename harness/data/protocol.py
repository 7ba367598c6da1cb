"""Protocol: which data is used to select epochs, thresholds, smoothing windows and hyperparameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

PROTOCOLS = ("held-out", "published")
_PUBLISHED = {"fraction": 0.25, "folds": 0, "seed": 0, "refit": False}
"""Values of the settings that `published` ignores. They are fixed, so that equal computations have equal hashes."""


@dataclass(frozen=True)
class Protocol:
    """Choice of the data that epochs, thresholds, smoothing windows and hyperparameters are selected on.

    Parameters
    ----------
    name : {"held-out", "published"}
        `held-out` selects on training videos that the model was not fitted on. `published` selects on the reported
        split itself, as Savchenko (2022) did, and trains on all training videos; its scores are optimistic and marked
        as such.
    fraction : float, default 0.25
        Share of the training videos that is held out, between 0 and 1, both excluded. The videos are determined by
        `seed`, their names and their labels.
    folds : int, default 0
        If 2 or more, use cross-validation: every training video is held out once. If 0, hold out `fraction`.
    seed : int or "per-seed", default "per-seed"
        Seed that chooses the held-out videos. With `per-seed`, it is the seed of the job: each job of a recipe holds
        out different videos, so the spread over the jobs includes the effect of this choice. With an integer, all jobs
        hold out the same videos, so the spread does not include it, and more jobs do not average it out.
    refit : bool, default True
        Whether to refit the model on all training videos after the selection, before it predicts the reported split.
        The refit uses the number of epochs, the thresholds and the smoothing window that were selected on the held-out
        videos. Its epochs have more steps, because they cover all training videos. If False, the model that was fitted
        without the held-out videos predicts. Always True with folds.

    Raises
    ------
    InputError
        If `name` is unknown, `fraction` or `folds` is out of range, or `seed` is neither an integer nor `per-seed`.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), Deep Learning, algorithm 7.2: early stopping to determine how long to
    train, then retraining on all the data. `refit` of scikit-learn's `TunedThresholdClassifierCV` and
    `GridSearchCV` is the same for thresholds and hyperparameters.

    Examples
    --------
    >>> Protocol(folds=5)
    Protocol(name='held-out', fraction=0.25, folds=5, seed='per-seed', refit=True)
    >>> Protocol().for_seed(3).seed
    3
    """

    hash_tag: ClassVar[str] = "Protocol"
    name: str = "held-out"
    fraction: float = 0.25
    folds: int = 0
    seed: int | Literal["per-seed"] = "per-seed"
    refit: bool = True

    def __post_init__(self) -> None:
        if self.name not in PROTOCOLS:
            raise unknown_name_error("protocol", self.name, PROTOCOLS)
        require(
            0 < self.fraction < 1, f"protocol.fraction is {self.fraction}; it must be between 0 and 1, both excluded"
        )
        require(self.folds == 0 or self.folds >= 2, f"protocol.folds is {self.folds}; it must be 0 or at least 2")
        require(
            self.seed == "per-seed" or (isinstance(self.seed, int) and not isinstance(self.seed, bool)),
            f"protocol.seed is {self.seed!r}; it must be an integer or per-seed",
        )
        if self.name == "published":
            for name, value in _PUBLISHED.items():
                object.__setattr__(self, name, value)
        elif self.folds:
            object.__setattr__(self, "fraction", type(self).fraction)
            object.__setattr__(self, "refit", True)

    def division_seed(self, seed: int) -> int:
        """Return the seed that chooses the held-out videos of a job with a given seed."""
        return seed if isinstance(self.seed, str) else self.seed

    def for_seed(self, seed: int) -> Protocol:
        """Return the protocol of a job with a given seed: `per-seed` is replaced by that seed."""
        return dataclasses.replace(self, seed=self.division_seed(seed))
