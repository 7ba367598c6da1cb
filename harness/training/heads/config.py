"""Configuration of a head and its training; does not import torch."""

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
BATCHED_KINDS = ("logistic_regression", "mlp", "multitask")
"""Kinds that `harness.training.heads.batched` can train together. They have at most one hidden layer."""
SCHEDULES = ("cosine", "constant")
KEEP = ("best", "accuracy", "loss", "last")
CLASS_WEIGHTS = ("inverse", "published", "none")
VA_LOSSES = ("ccc", "mse")
TASK_WEIGHTS = ("equal", "balanced")
INVALID = ("dropped", "zeroed")
OUTPUTS = ("va", "expr", "au")


@dataclass(frozen=True)
class HeadOverride:
    """Settings of one output's network in a `separate` head; None means the setting in `HeadConfig`.

    Parameters
    ----------
    output : {"va", "expr", "au"}
    features : str, optional
        Features that the network reads, such as `scores` if the head is trained on `embeddings+scores`.
    hidden, l2, epochs, batch_size, keep : optional
        See `HeadConfig`.

    Raises
    ------
    InputError
        If the output is unknown.

    Examples
    --------
    >>> head = HeadConfig("separate", hidden=0, parts=(HeadOverride("au", hidden=128),))
    >>> head.part("au").kind, head.part("va").kind
    ('mlp', 'logistic_regression')
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
    """A head, which maps features to the outputs of a task, and how it is trained.

    Below, "the paper" is Savchenko (2022).

    Parameters
    ----------
    kind : {"logistic_regression", "mlp", "multitask", "separate"}
        `logistic_regression`: one linear layer. `mlp`: a hidden ReLU layer and a linear layer. `multitask`: a linear
        layer for each output of a task, on the features or on a shared hidden layer. `separate`: an
        independently trained network for each output.
    hidden : int
        Width of the hidden layer, 0 for none. Always 0 for `logistic_regression`.
    learning_rate : float
        Initial learning rate of Adam.
    l2 : float
        Factor of the sum of the squared weights, without biases, that is added to the loss (as in Keras and the paper).
    epochs, batch_size : int
    standardise : bool
        Shift and scale inputs by the mean and standard deviation of the training rows.
    schedule : {"cosine", "constant"}
        `cosine`: the learning rate falls to 0 along a half cosine. `constant`: it stays the same, as in the paper.
    keep : {"best", "accuracy", "loss", "last"}
        The epoch whose weights are used. `best`: best metric on the selection rows. `accuracy`: best accuracy on these
        rows, as in the paper for EXPR. `loss`: smallest loss on these rows, as in the paper for VA, AU and MTL.
        `last`: the last epoch.
    class_weights : {"inverse", "published", "none"}
        Weights of classes and action units in the loss. `inverse`: by inverse frequency, with a mean of 1 over the
        training rows. `published`: by inverse frequency, with 1 for the most frequent expression; action units are
        weighted as for `inverse`. `none`: all 1.
    label_smoothing : float from 0 to below 1
        Share of an expression's target that is spread over all classes.
    va_loss : {"ccc", "mse"}
        1 - mean CCC of a batch, or the mean squared error.
    task_weights : {"equal", "balanced"}
        Weights of the losses of a task's outputs. `equal`: all 1. `balanced`: the largest number of valid rows of any
        output, divided by the number of valid rows of this output.
    invalid : {"dropped", "zeroed"}
        How the loss of an output treats rows without a valid label. `dropped`: it leaves them out. `zeroed`: it counts
        them with output and target 0, as in the paper.
    parts : tuple of HeadOverride
        Settings of individual networks of a `separate` head.

    Raises
    ------
    InputError
        If a name is unknown, if a number is out of range, or if `parts` name an output twice or are set for a kind
        other than `separate`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> wide = replace(HeadConfig("mlp"), hidden=256)
    >>> wide.kind, wide.hidden, wide.epochs
    ('mlp', 256, 10)
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
        for field, choices in (
            ("kind", KINDS),
            ("schedule", SCHEDULES),
            ("keep", KEEP),
            ("class_weights", CLASS_WEIGHTS),
            ("va_loss", VA_LOSSES),
            ("task_weights", TASK_WEIGHTS),
            ("invalid", INVALID),
        ):
            if getattr(self, field) not in choices:
                raise unknown_name_error(f"head {field}" if field != "kind" else "head", getattr(self, field), choices)
        for field, least in (("epochs", 1), ("batch_size", 1), ("hidden", 1 if self.kind == "mlp" else 0)):
            if getattr(self, field) < least:
                raise InputError(f"head {self.kind}: {field} must be at least {least}, not {getattr(self, field)}")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(f"head {self.kind}: learning_rate must be positive, not {self.learning_rate}")
        if not (self.l2 >= 0 and math.isfinite(self.l2)):
            raise InputError(f"head {self.kind}: l2 must be 0 or more, not {self.l2}")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(
                f"head {self.kind}: label_smoothing must be at least 0 and less than 1, not {self.label_smoothing}"
            )
        if self.kind == "logistic_regression":
            object.__setattr__(self, "hidden", 0)  # equal computations have equal hashes
        self._check_parts()

    def _check_parts(self) -> None:
        if self.parts and self.kind != "separate":
            raise InputError(f"head {self.kind}: only a separate head has parts; use kind separate")
        outputs = [part.output for part in self.parts]
        if len(set(outputs)) < len(outputs):
            raise InputError(f"head {self.kind}: parts name an output twice: {', '.join(outputs)}")
        for output in outputs:
            self.part(output)

    def part(self, output: str) -> HeadConfig:
        """Return the configuration of one network of a `separate` head.

        Parameters
        ----------
        output : {"va", "expr", "au"}

        Returns
        -------
        HeadConfig
            Its kind is `mlp` if the network has a hidden layer, else `logistic_regression`.
        """
        settings = {
            name: value for name, value in self._overrides(output).items() if name not in ("output", "features")
        }
        hidden = settings.get("hidden", self.hidden)
        return dataclasses.replace(self, kind="mlp" if hidden else "logistic_regression", parts=(), **settings)

    def features(self, output: str, features: str) -> str:
        """Return the features that the network of one output reads.

        Parameters
        ----------
        output : {"va", "expr", "au"}
        features : str
            Features that the head is trained on, returned unless the output's `HeadOverride` sets others.

        Returns
        -------
        str
        """
        return self._overrides(output).get("features", features)

    def _overrides(self, output: str) -> dict[str, Any]:
        """Return the settings of the output's `HeadOverride` that are not None."""
        return {
            name: value
            for part in self.parts
            if part.output == output
            for name, value in vars(part).items()
            if value is not None
        }

    @classmethod
    def from_jsonable(cls, fields: Mapping[str, Any]) -> HeadConfig:
        """Create a configuration from JSON values.

        Parameters
        ----------
        fields : mapping
            Values by field, with or without the key `type`.

        Raises
        ------
        TypeError, KeyError
            If a field is unknown, or `parts` is missing.
        """
        return cls(
            **{**_drop_type(fields), "parts": tuple(HeadOverride(**_drop_type(part)) for part in fields["parts"])}
        )


PER_HEAD_SETTINGS = ("learning_rate", "l2", "epochs", "schedule", "keep")
"""Settings in which heads that are trained together may differ."""


def without_per_head_settings(config: HeadConfig) -> HeadConfig:
    """Return a configuration with `PER_HEAD_SETTINGS` reset to their defaults."""
    defaults: dict[str, Any] = {
        f.name: f.default for f in dataclasses.fields(HeadConfig) if f.name in PER_HEAD_SETTINGS
    }
    return dataclasses.replace(config, **defaults)


def check_task_support(config: HeadConfig, task: Task) -> None:
    """Check that a task has the outputs that a head needs.

    Raises
    ------
    InputError
        If a `separate` head has a single output, or a network without expressions selects its epoch by accuracy.
    """
    outputs = [output.name for output in task.outputs]
    if config.kind == "separate" and len(outputs) == 1:
        raise InputError(f"head separate: task {task.name} has only one output; use mlp")
    networks = [(outputs, config)] if config.kind != "separate" else [([o], config.part(o)) for o in outputs]
    for predicted, network in networks:
        if network.keep == "accuracy" and "expr" not in predicted:
            raise InputError(
                f"head {config.kind}: keep accuracy needs expressions, which {', '.join(predicted)} does not have; "
                "use keep best or loss"
            )


def _drop_type(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "type"}
