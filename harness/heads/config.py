"""What a head is and how it is trained, as data; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import InputError, unknown

KINDS = ("logistic_regression", "mlp", "multitask")
SCHEDULES = ("cosine", "constant")
KEEP = ("best", "last")


@dataclass(frozen=True)
class HeadConfig:
    """Features [N, D] -> logits [N, C] of a task.

    kind: `logistic_regression` (one linear layer), `mlp` (one hidden ReLU layer) or `multitask` (a linear head for
    each output block of the task, side by side on the features, or on a shared hidden ReLU layer when hidden > 0).
    l2: added to the mean loss as l2 * sum of squared weights, biases excluded (Savchenko 2022 after Keras).
    schedule: Adam's rate falls to 0 along a half cosine over the whole training, or stays `constant` as in the paper.
    hidden: width of the hidden layer; 0 where there is none, which is always so for `logistic_regression`.
    standardise: inputs are shifted and scaled by the mean and deviation of the fit rows.
    keep: weights of the `best` epoch on the selection rows, or of the `last` one.
    """

    kind: str = "mlp"
    hidden: int = 128
    learning_rate: float = 1e-3
    l2: float = 0.0
    epochs: int = 10
    batch_size: int = 256
    standardise: bool = True
    schedule: str = "cosine"
    keep: str = "best"

    def __post_init__(self) -> None:
        for field, known in (("kind", KINDS), ("schedule", SCHEDULES), ("keep", KEEP)):
            if getattr(self, field) not in known:
                raise unknown(f"head {field}" if field != "kind" else "head", getattr(self, field), known)
        for field, least in (("epochs", 1), ("batch_size", 1), ("hidden", 1 if self.kind == "mlp" else 0)):
            if getattr(self, field) < least:
                raise InputError(f"head {self.kind}: {field} must be at least {least}, not {getattr(self, field)}")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(f"head {self.kind}: learning_rate must be positive, not {self.learning_rate}")
        if not (self.l2 >= 0 and math.isfinite(self.l2)):
            raise InputError(f"head {self.kind}: l2 must be 0 or more, not {self.l2}")
        if self.kind == "logistic_regression":
            object.__setattr__(self, "hidden", 0)  # one computation has one identity
