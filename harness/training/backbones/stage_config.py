"""Configuration of the two stages of backbone training; does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from harness.utils.errors import InputError, unknown_name_error
from harness.utils.validation import ValidatedSettings

SHAPES = ("cosine", "constant")
SAMPLINGS = ("natural", "balanced")
ALSO = ("va", "au")
KEEPS = ("macro_f1", "accuracy")


@dataclass(frozen=True)
class Schedule(ValidatedSettings):
    """Epochs and learning rates of a stage: first the classifier alone, then all layers.

    Parameters
    ----------
    epochs : int
        Epochs of all layers.
    learning_rate : float
        Learning rate of all layers.
    head_epochs : int
        Epochs of the classifier on a frozen backbone, before all layers are trained.
    head_learning_rate : float
        Learning rate of the classifier on a frozen backbone.
    shape : {"cosine", "constant"}
        Both learning rates fall to 0 along a half cosine, or are constant.
    warmup : float from 0 to below 1
        Share of each part (classifier, all layers) in which the learning rate rises to its full value.

    Raises
    ------
    InputError
        If a number is out of range, or both numbers of epochs are 0.

    Examples
    --------
    >>> Schedule(epochs=6, learning_rate=1e-4, head_epochs=3).head_learning_rate
    0.001
    """

    hash_tag: ClassVar[str] = "Schedule"
    epochs: int = 10
    learning_rate: float = 4e-3
    head_epochs: int = 0
    head_learning_rate: float = 1e-3
    shape: str = "cosine"
    warmup: float = 0.1

    _what = "schedule of backbone training"

    def __post_init__(self) -> None:
        self._validate_integer("epochs", 0)
        self._validate_integer("head_epochs", 0)
        if self.epochs + self.head_epochs == 0:
            raise InputError(f"{self._what}: epochs and head_epochs are both 0, so nothing would be trained; set one")
        self._validate_number("learning_rate", 0, above=True)
        self._validate_number("head_learning_rate", 0, above=True)
        self._validate_choice("shape", SHAPES)
        self._validate_fraction("warmup")


@dataclass(frozen=True)
class Identities(ValidatedSettings):
    """Training a backbone to recognize people.

    Parameters
    ----------
    schedule : Schedule
    images : int, at least 2
        Smallest number of images of a person. People with fewer images are not trained on.
    held_out : float up to 0.5
        Share of each person's images that are held out, at least one image. The epoch is selected and the accuracy is
        measured on these images.
    label_smoothing : float from 0 to below 1
        Share of the target that is spread over all classes.
    unseen : float from 0 to below 1
        Share of the people that is reserved for face verification and not trained on. With 0, verification uses the
        people who appear only in the validation images.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> Identities(Schedule(epochs=2)).images
    4
    """

    hash_tag: ClassVar[str] = "Identities"
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=4))
    images: int = 4
    held_out: float = 0.1
    label_smoothing: float = 0.1
    unseen: float = 0.0

    _what = "identities of backbone training"

    def __post_init__(self) -> None:
        self._validate_integer("images", 2)
        self._validate_number("held_out", 0, 0.5, above=True)
        self._validate_fraction("label_smoothing")
        self._validate_fraction("unseen")


@dataclass(frozen=True)
class Expressions(ValidatedSettings):
    """Training a backbone to recognize expressions and, optionally, valence, arousal and action units.

    Parameters
    ----------
    schedule : Schedule
    classes : {8, 7}
        7 leaves out the class that is not a basic expression (AffectNet's Contempt, Aff-Wild2's Other).
    also : tuple of {"va", "au"}
        Additional outputs: `va` for valence and arousal, `au` for action units.
    sampling : {"natural", "balanced"}
        `natural`: each image once in an epoch, with a loss weighted by inverse frequency. `balanced`: each expression
        equally often.
    weight_limit : float, at least 1
        Largest weight of an expression relative to the weight of the most frequent expression; inf for no limit.
    label_smoothing : float from 0 to below 1
        Share of the target that is spread over all classes.
    keep : {"macro_f1", "accuracy"}
        Metric that selects the epoch.
    held_out : float from 0 to 0.5
        Share of the training images that are held out to select the epoch. A person's images are either all held out
        or all trained on. With 0 the epoch is selected on the validation images, as published.

    Raises
    ------
    InputError
        If a name is unknown or a number is out of range.

    Examples
    --------
    >>> Expressions(also=("au", "va")).also
    ('va', 'au')
    """

    hash_tag: ClassVar[str] = "Expressions"
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=10))
    classes: int = 8
    also: tuple[str, ...] = ()
    sampling: str = "natural"
    weight_limit: float = 20.0
    label_smoothing: float = 0.1
    keep: str = "macro_f1"
    held_out: float = 0.1

    _what = "expressions of backbone training"

    def __post_init__(self) -> None:
        self._validate_choice("classes", (7, 8))
        object.__setattr__(self, "also", tuple(name for name in ALSO if name in self._validate_also()))
        self._validate_choice("sampling", SAMPLINGS)
        if not self.weight_limit >= 1:
            self._raise_invalid("weight_limit", "at least 1")
        self._validate_fraction("label_smoothing")
        self._validate_choice("keep", KEEPS)
        self._validate_number("held_out", 0, 0.5)

    def _validate_also(self) -> tuple[str, ...]:
        names = (self.also,) if isinstance(self.also, str) else tuple(self.also)
        for name in names:
            if name not in ALSO:
                raise InputError(f"{self._what}: {unknown_name_error('also', str(name), ALSO)}")
        return names
