"""How a backbone is trained on stills, as data; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.utils.errors import InputError, unknown_name_error
from harness.utils.validation import Checked

REVISION = 2
"""Raised when the same settings and stills give other weights, so that old checkpoints are not taken for new ones."""

SHAPES = ("cosine", "constant")
SAMPLINGS = ("natural", "balanced")
ALSO = ("va", "au")
KEEPS = ("macro_f1", "accuracy")
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
STRATEGIES = ("auto", "ddp")


@dataclass(frozen=True)
class Schedule(Checked):
    """The classifier first, on a backbone that stands still, then all layers.

    shape: `cosine` lowers the rate of each of the two to 0, `constant` leaves it.
    warmup: share of each in which the rate rises from 0.
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
        self._whole("epochs", 0)
        self._whole("head_epochs", 0)
        if self.epochs + self.head_epochs == 0:
            raise InputError(f"{self._what}: epochs and head_epochs are both 0; nothing to train")
        self._number("learning_rate", 0, above=True)
        self._number("head_learning_rate", 0, above=True)
        self._one_of("shape", SHAPES)
        self._share("warmup")


@dataclass(frozen=True)
class Identities(Checked):
    """Whose face it is.

    images: stills that a subject needs to be a class.
    held_out: share of each subject's stills, at least one, that chooses the epoch and gives the accuracy.
    label_smoothing: share of the target spread over all classes.
    unseen: share of the subjects kept out of this part, on which faces are then verified; 0: the validation stills'
    subjects that the training stills do not hold, where there are such.
    """

    hash_tag: ClassVar[str] = "Identities"
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=4))
    images: int = 4
    held_out: float = 0.1
    label_smoothing: float = 0.1
    unseen: float = 0.0

    _what = "identities of backbone training"

    def __post_init__(self) -> None:
        self._whole("images", 2)
        self._number("held_out", 0, 0.5, above=True)
        self._share("label_smoothing")
        self._share("unseen")


@dataclass(frozen=True)
class Expressions(Checked):
    """Which expression it shows, and with `also` its valence and arousal (`va`) and action units (`au`), where the
    stills have them.

    classes: 8, or 7 without the class that is no basic expression (AffectNet's Contempt, Aff-Wild2's Other).
    sampling: `natural` shows every still once in an epoch, `balanced` every expression equally often; the loss is
    weighted by the expressions' rarity only where sampling is natural.
    weight_limit: the rarest expressions weigh at most that many times the commonest; inf: as rare as they are.
    keep: what chooses the epoch.
    held_out: share of the training stills, whole subjects, that choose it; 0: the validation stills do, as published.
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
        self._one_of("classes", (7, 8))
        object.__setattr__(self, "also", tuple(name for name in ALSO if name in self._known_also()))
        self._one_of("sampling", SAMPLINGS)
        if not self.weight_limit >= 1:
            self._refuse("weight_limit", "at least 1")
        self._share("label_smoothing")
        self._one_of("keep", KEEPS)
        self._number("held_out", 0, 0.5)

    def _known_also(self) -> tuple[str, ...]:
        given = (self.also,) if isinstance(self.also, str) else tuple(self.also)
        for name in given:
            if name not in ALSO:
                raise InputError(f"{self._what}: {unknown_name_error('also', str(name), ALSO)}")
        return given


@dataclass(frozen=True)
class Augmentation(Checked):
    """Random changes of each training still.

    strength: of shift, scale, light, colour, grey, blur, noise and cutout, between 0 and 1; more wants more epochs.
    geometry: strength of shift, scale, stretch and turn where theirs is another, up to 4, for crops that are framed
    otherwise than the stills; None: `strength`.
    flip: half of them are mirrored.
    crop: smallest share of the area that a random crop keeps; 1 for no such crops.
    enlarge: stills are kept at that many times the backbone's input size, for crops to be cut from (256 / 224 as
    published for VGGFace2).
    """

    hash_tag: ClassVar[str] = "Augmentation"
    strength: float = 0.25
    flip: bool = True
    crop: float = 1.0
    enlarge: float = 1.0
    geometry: float | None = None

    _what = "augmentation of backbone training"

    def __post_init__(self) -> None:
        self._number("strength", 0, 1)
        if self.geometry is not None:
            self._number("geometry", 0, 4)
        self._number("crop", 0, 1, above=True)
        self._number("enlarge", 1, 4)


@dataclass(frozen=True)
class StillsConfig(Checked):
    """Identities first, then expressions (Savchenko 2022, in miniature); None leaves one of them out.

    backbone: reference of the starting point, as `backbones.load` reads it (`tiny_resnet@random`).
    margin: shares of a face box's width and height that are added on each side of it.
    batch_size: stills of one step, over all devices and accumulated batches together.
    clip: largest gradient norm; 0 for none.
    sam: rho of sharpness-aware minimisation; 0 for none. average: decay of the weights' moving average; 0 for none.
    threads: of torch while it trains. Sums are taken in another order on another number, so it is part of the
    training's identity and not the machine's business.
    """

    hash_tag: ClassVar[str] = "StillsConfig"
    backbone: str = "tiny_resnet@random"
    identities: Identities | None = field(default_factory=Identities)
    expressions: Expressions | None = field(default_factory=Expressions)
    augmentation: Augmentation = Augmentation()
    margin: tuple[float, float] = (0.0, 0.0)
    batch_size: int = 32
    weight_decay: float = 0.02
    clip: float = 5.0
    sam: float = 0.0
    average: float = 0.0
    precision: str = "32-true"
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.identities is None and self.expressions is None:
            raise InputError(f"{self._what}: identities and expressions are both left out; nothing to train")
        if len(self.margin) != 2 or not all(math.isfinite(share) and 0 <= share <= 2 for share in self.margin):
            self._refuse("margin", "two shares between 0 and 2 (of the box's width, of its height)")
        self._whole("batch_size", 2)
        for name in ("weight_decay", "clip", "sam"):
            self._number(name, 0)
        self._share("average")
        self._one_of("precision", PRECISIONS)
        self._whole("threads", 1)
        self._whole("seed", 0)


@dataclass(frozen=True)
class Hardware(Checked):
    """Where a training runs; no part of what it is.

    devices: a number, or `auto` for all of them. strategy: `auto` or `ddp`; both are distributed data parallel where
    there are several devices. accumulate: batches whose gradients make one step.
    workers: threads that decode; 0 for one on each core. memory_gb: stills that take more, in 10^9 bytes and in each
    process, are decoded anew in every epoch instead of being kept.
    """

    accelerator: str = "auto"
    devices: str = "1"
    nodes: int = 1
    strategy: str = "auto"
    accumulate: int = 1
    workers: int = 0
    memory_gb: float = 4.0

    _what = "hardware of backbone training"

    def __post_init__(self) -> None:
        self._one_of("accelerator", ACCELERATORS)
        if self.devices != "auto" and not (str(self.devices).isdecimal() and int(self.devices) > 0):
            self._refuse("devices", "'auto' or a number of devices")
        self._whole("nodes", 1)
        self._one_of("strategy", STRATEGIES)
        self._whole("accumulate", 1)
        self._whole("workers", 0)
        self._number("memory_gb", 0)

    def batch(self, size: int) -> int:
        """Rows of each of the `accumulate` batches of a step of `size` rows; InputError where that leaves a rest."""
        if size % self.accumulate or size // self.accumulate < 2:
            raise InputError(f"{self._what}: accumulate={self.accumulate} does not cut a batch_size of {size} into "
                             "equal batches of two stills or more")
        return size // self.accumulate

    def trainer(self, precision: str) -> dict[str, Any]:
        """Arguments of Lightning's Trainer."""
        return {"accelerator": self.accelerator, "num_nodes": self.nodes, "strategy": self.strategy,
                "devices": self.devices if self.devices == "auto" else int(self.devices),
                "accumulate_grad_batches": self.accumulate, "precision": precision}
