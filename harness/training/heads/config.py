"""What a head is and how it is trained, as data; imports no torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.utils.errors import InputError, unknown_name_error

if TYPE_CHECKING:
    from harness.metrics.tasks import Task

KINDS = ("logistic_regression", "mlp", "multitask", "separate")
SCHEDULES = ("cosine", "constant")
KEEP = ("best", "accuracy", "loss", "last")
CLASS_WEIGHTS = ("inverse", "published", "none")
VA_LOSSES = ("ccc", "mse")
TASK_WEIGHTS = ("equal", "balanced")
INVALID = ("dropped", "zeroed")
OUTPUTS = ("va", "expr", "au")


@dataclass(frozen=True)
class HeadOverride:
    """What the network of one output does otherwise than its `separate` head says; None: as that says.

    features: columns of the job's features it reads, such as `scores` of `embeddings+scores`.
    """

    hash_tag: ClassVar[str] = "Part"
    output: str
    features: str | None = None
    hidden: int | None = None
    l2: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    keep: str | None = None

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise unknown_name_error("output", self.output, OUTPUTS)


@dataclass(frozen=True)
class HeadConfig:
    """Features [N, D] -> logits [N, C] of a task.

    kind: `logistic_regression` (one linear layer), `mlp` (one hidden ReLU layer), `multitask` (a linear head for
    each output block of the task, side by side on the features, or on a shared hidden ReLU layer when hidden > 0) or
    `separate` (a network for each output block, trained for itself; `parts` say what is different in one).
    l2: added to the mean loss as l2 * sum of squared weights, biases excluded (Savchenko 2022 after Keras).
    schedule: Adam's rate falls to 0 along a half cosine over the whole training, or stays `constant` as in the paper.
    hidden: width of the hidden layer; 0 where there is none, which is always so for `logistic_regression`.
    standardise: inputs are shifted and scaled by the mean and deviation of the fit rows.
    keep: weights of the epoch with the `best` task metric on the selection rows, the best `accuracy` (EXPR, as the
    paper did) or the smallest `loss` there (VA, AU, MTL, as the paper did), or of the `last` epoch.
    class_weights: rare classes and action units count more (`inverse` frequency), or `none`. Those of expressions have
    a mean of 1 over the fit rows; `published` leaves the commonest class at 1, as the paper did, so that expressions
    weigh more against l2 and the other outputs of MTL.
    label_smoothing: share of an expression's target that is spread over all classes. va_loss: `ccc` (1 - mean CCC of a
    batch) or `mse`. task_weights: of the outputs of MTL, `equal` or `balanced` (most valid rows / valid rows).
    invalid: rows without a valid label for an output are `dropped` from its loss, or `zeroed` as the paper did: output
    and target are 0 there.
    """

    hash_tag: ClassVar[str] = "HeadConfig"
    kind: str = "mlp"
    hidden: int = 128
    learning_rate: float = 1e-3
    l2: float = 0.0
    epochs: int = 10
    batch_size: int = 256
    standardise: bool = True
    schedule: str = "cosine"
    keep: str = "best"
    class_weights: str = "inverse"
    label_smoothing: float = 0.0
    va_loss: str = "ccc"
    task_weights: str = "equal"
    invalid: str = "dropped"
    parts: tuple[HeadOverride, ...] = ()

    def __post_init__(self) -> None:
        for field, known in (("kind", KINDS), ("schedule", SCHEDULES), ("keep", KEEP), ("class_weights", CLASS_WEIGHTS),
                             ("va_loss", VA_LOSSES), ("task_weights", TASK_WEIGHTS), ("invalid", INVALID)):
            if getattr(self, field) not in known:
                raise unknown_name_error(f"head {field}" if field != "kind" else "head", getattr(self, field), known)
        for field, least in (("epochs", 1), ("batch_size", 1), ("hidden", 1 if self.kind == "mlp" else 0)):
            if getattr(self, field) < least:
                raise InputError(f"head {self.kind}: {field} must be at least {least}, not {getattr(self, field)}")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(f"head {self.kind}: learning_rate must be positive, not {self.learning_rate}")
        if not (self.l2 >= 0 and math.isfinite(self.l2)):
            raise InputError(f"head {self.kind}: l2 must be 0 or more, not {self.l2}")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"head {self.kind}: label_smoothing is {self.label_smoothing}; it lies from 0 to below 1")
        if self.kind == "logistic_regression":
            object.__setattr__(self, "hidden", 0)  # one computation has one identity
        self._require_parts()

    def _require_parts(self) -> None:
        if self.parts and self.kind != "separate":
            raise InputError(f"head {self.kind}: parts are of a separate head; use kind separate")
        outputs = [part.output for part in self.parts]
        if len(set(outputs)) < len(outputs):
            raise InputError(f"head {self.kind}: parts name an output twice: {', '.join(outputs)}")
        for output in outputs:
            self.part(output)

    def part(self, output: str) -> HeadConfig:
        """The network of one output of a `separate` head: linear without a hidden layer, otherwise an `mlp`."""
        own = {name: value for name, value in self._own(output).items() if name not in ("output", "features")}
        hidden = own.get("hidden", self.hidden)
        return dataclasses.replace(self, kind="mlp" if hidden else "logistic_regression", parts=(), **own)

    def features(self, output: str, features: str) -> str:
        """What the network of one output reads of these features of the job."""
        return self._own(output).get("features", features)

    def _own(self, output: str) -> dict[str, Any]:
        """What the part of that output says otherwise."""
        return {name: value for part in self.parts if part.output == output
                for name, value in vars(part).items() if value is not None}

    @classmethod
    def from_plain(cls, fields: Mapping[str, Any]) -> HeadConfig:
        """From JSON values, with or without the name of the class; TypeError or KeyError where they do not fit."""
        return cls(**{**_untyped(fields), "parts": tuple(HeadOverride(**_untyped(part)) for part in fields["parts"])})


OWN = ("learning_rate", "l2", "epochs", "schedule", "keep")
"""What heads that are trained together may each have of its own."""


def alike(config: HeadConfig) -> HeadConfig:
    """The same for configurations that differ in what a head of several may have of its own, and in nothing else."""
    usual = {f.name: f.default for f in dataclasses.fields(HeadConfig) if f.name in OWN}
    return dataclasses.replace(config, **usual)


def require_fit(config: HeadConfig, task: Task) -> None:
    """InputError where a task has nothing that the head needs: several outputs, or expressions to be right about."""
    outputs = [output.name for output in task.outputs]
    if config.kind == "separate" and len(outputs) == 1:
        raise InputError(f"head separate: task {task.name} has one output, nothing to separate; use mlp")
    networks = [(outputs, config)] if config.kind != "separate" else [([o], config.part(o)) for o in outputs]
    for predicted, network in networks:
        if network.keep == "accuracy" and "expr" not in predicted:
            raise InputError(f"head {config.kind}: keep accuracy is of expressions, and {', '.join(predicted)} has "
                             "none; keep best or loss")


def _untyped(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "type"}
