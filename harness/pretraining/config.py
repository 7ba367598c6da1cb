"""How a backbone is trained on stills, as data; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import InputError

REVISION = 1
"""Raised when the same settings and stills give other weights, so that old checkpoints are not taken for new ones."""


@dataclass(frozen=True)
class StillsConfig:
    """Identities first, then expressions, all layers in both (Savchenko 2022, in miniature).

    backbone: reference of the starting point, as `backbones.load` reads it (`tiny_resnet@random`).
    identity_epochs, expression_epochs: passes over the training stills; 0 leaves the step out.
    identity_images: a subject needs that many stills to be a class of the first step.
    weight_limit: the rarest expressions weigh at most that many times the commonest in the loss.
    label_smoothing: share of the expression target spread over all classes.
    augmentation: strength of the random shift, scale, light, colour, grey, blur, noise and cutout of each training
    batch, between 0 and 1; unless it is 0, half of the crops are mirrored too. More strength wants more epochs.
    auxiliary: valence, arousal and action units, where the table has them, are learned beside the expression.
    threads: of torch while it trains. Sums are taken in another order on another number, so it is part of the
    training's identity and not the machine's business.
    """

    backbone: str = "tiny_resnet@random"
    identity_epochs: int = 4
    expression_epochs: int = 10
    identity_learning_rate: float = 4e-3
    expression_learning_rate: float = 4e-3
    batch_size: int = 32
    weight_decay: float = 0.02
    identity_images: int = 4
    weight_limit: float = 20.0
    label_smoothing: float = 0.1
    augmentation: float = 0.25
    auxiliary: bool = False
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for field, least in (("identity_epochs", 0), ("expression_epochs", 0), ("batch_size", 2),
                             ("identity_images", 2), ("threads", 1)):
            if getattr(self, field) < least:
                raise InputError(f"backbone training: {field} must be at least {least}, not {getattr(self, field)}")
        if self.identity_epochs + self.expression_epochs == 0:
            raise InputError("backbone training: identity_epochs and expression_epochs are both 0; nothing to train")
        for field in ("identity_learning_rate", "expression_learning_rate"):
            if not (getattr(self, field) > 0 and math.isfinite(getattr(self, field))):
                raise InputError(f"backbone training: {field} must be positive, not {getattr(self, field)}")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise InputError(f"backbone training: weight_decay must be 0 or more, not {self.weight_decay}")
        if not self.weight_limit >= 1:
            raise InputError(f"backbone training: weight_limit must be at least 1, not {self.weight_limit}")
        if not 0 <= self.augmentation <= 1:
            raise InputError(f"backbone training: augmentation is between 0 and 1, not {self.augmentation}")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"backbone training: label_smoothing is a share of 1, not {self.label_smoothing}")
