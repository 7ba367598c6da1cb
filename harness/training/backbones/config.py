"""Configuration of backbone training on still images; does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.training.backbones.stage_config import Expressions, Identities
from harness.utils.errors import InputError
from harness.utils.validation import ValidatedSettings

REVISION = 2
"""Increased when a code change alters the trained weights, so that old checkpoints are not reused."""

PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
STRATEGIES = ("auto", "ddp")


@dataclass(frozen=True)
class Augmentation(ValidatedSettings):
    """Random changes of each training image.

    Parameters
    ----------
    strength : float from 0 to 1
        Strength of shift, scale, stretch, rotation, brightness, contrast, color, grayscale, blur, noise and cutout.
        Stronger changes need more epochs.
    flip : bool
        Mirror about half of the images.
    crop : float from above 0 to 1
        Smallest share of the image's area that a random crop covers; 1 for no random crops.
    enlarge : float from 1 to 4
        Size of images before they are cropped, relative to the backbone's input size (256 / 224 as published for
        VGGFace2).
    geometry : float from 0 to 4, optional
        Strength of shift, scale, stretch and rotation. Default: `strength`. Set it higher if the backbone will be used
        on faces that are cropped differently.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> Augmentation(strength=0.0, flip=False).crop
    1.0
    """

    hash_tag: ClassVar[str] = "Augmentation"
    strength: float = 0.25
    flip: bool = True
    crop: float = 1.0
    enlarge: float = 1.0
    geometry: float | None = None

    _what = "augmentation of backbone training"

    def __post_init__(self) -> None:
        self._validate_number("strength", 0, 1)
        if self.geometry is not None:
            self._validate_number("geometry", 0, 4)
        self._validate_number("crop", 0, 1, above=True)
        self._validate_number("enlarge", 1, 4)


@dataclass(frozen=True)
class StillsConfig(ValidatedSettings):
    """Training of a backbone on still images: identities first, then expressions (Savchenko 2022).

    Parameters
    ----------
    backbone : str
        Name of the initial weights, such as `tiny_resnet@random`; see `backbones.load`.
    identities : Identities, optional
        None skips this stage.
    expressions : Expressions, optional
        None skips this stage.
    augmentation : Augmentation
    margin : (float, float)
        Shares of a face box's width and height that are added on each side of the box.
    batch_size : int
        Images of one step, over all devices and accumulated batches together.
    weight_decay : float
        Weight decay of AdamW.
    clip : float
        Largest gradient norm; 0 for no limit.
    sam : float
        Rho of sharpness-aware minimization; 0 for none.
    average : float from 0 to below 1
        Decay of the moving average of the weights; 0 for none.
    precision : {"32-true", "16-mixed", "bf16-mixed"}
    threads : int
        Threads of torch during the training. The trained weights depend on it, because it changes the order of
        summation.
    seed : int
        Seed of all random numbers of the training, also of random initial weights.

    Raises
    ------
    InputError
        If a number is out of range, the precision is unknown, or both stages are skipped.

    Examples
    --------
    >>> config = StillsConfig("tiny_mobilenet@random", identities=None, expressions=Expressions(Schedule(epochs=3)))
    >>> config.expressions.schedule.epochs
    3
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
            raise InputError(
                f"{self._what}: identities and expressions are both none, so nothing would be trained; set one"
            )
        if len(self.margin) != 2 or not all(math.isfinite(share) and 0 <= share <= 2 for share in self.margin):
            self._raise_invalid("margin", "two shares between 0 and 2 (of the box's width, of its height)")
        self._validate_integer("batch_size", 2)
        for name in ("weight_decay", "clip", "sam"):
            self._validate_number(name, 0)
        self._validate_fraction("average")
        self._validate_choice("precision", PRECISIONS)
        self._validate_integer("threads", 1)
        self._validate_integer("seed", 0)


@dataclass(frozen=True)
class Hardware(ValidatedSettings):
    """Hardware of a backbone training.

    A stored backbone is reused even if these settings have changed.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "gpu", "cuda", "mps"}
    devices : str
        A number of devices, or `auto` for all of them.
    nodes : int
    strategy : {"auto", "ddp"}
        Both use distributed data parallel training on several devices.
    accumulate : int
        Number of batches whose gradients are accumulated for one step.
    workers : int
        Threads that decode images; 0 for one on each available core.
    memory_gb : float
        Memory for decoded images, in 10^9 bytes per process. If the images need more, they are decoded again in each
        epoch.

    Raises
    ------
    InputError
        If a name is unknown or a number is out of range.

    Examples
    --------
    >>> Hardware(accumulate=4).batch(32)
    8
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
        self._validate_choice("accelerator", ACCELERATORS)
        if self.devices != "auto" and not (str(self.devices).isdecimal() and int(self.devices) > 0):
            self._raise_invalid("devices", "'auto' or a number of devices")
        self._validate_integer("nodes", 1)
        self._validate_choice("strategy", STRATEGIES)
        self._validate_integer("accumulate", 1)
        self._validate_integer("workers", 0)
        self._validate_number("memory_gb", 0)

    def batch(self, size: int) -> int:
        """Compute the number of images in each accumulated batch of a step.

        Parameters
        ----------
        size : int
            Images of a step.

        Returns
        -------
        int

        Raises
        ------
        InputError
            If `size` is not a multiple of `accumulate`, or a batch would have fewer than two images.
        """
        if size % self.accumulate or size // self.accumulate < 2:
            raise InputError(
                f"{self._what}: accumulate={self.accumulate} does not divide a batch_size of {size} into "
                "equal batches of two images or more; change one of them"
            )
        return size // self.accumulate

    def trainer_arguments(self, precision: str) -> dict[str, Any]:
        """Return the arguments of Lightning's Trainer.

        Parameters
        ----------
        precision : {"32-true", "16-mixed", "bf16-mixed"}
            See `StillsConfig`.
        """
        return {
            "accelerator": self.accelerator,
            "num_nodes": self.nodes,
            "strategy": self.strategy,
            "devices": self.devices if self.devices == "auto" else int(self.devices),
            "accumulate_grad_batches": self.accumulate,
            "precision": precision,
        }
