"""State that the stages of one backbone training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness.training.backbones.batch_transforms import ImageTransform
from harness.training.backbones.config import Hardware, StillsConfig
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import ImageLoader
from harness.training.backbones.stage_checkpoints import StageCheckpoints

if TYPE_CHECKING:
    from backbones import Backbone

StageCallback = Callable[[str, int, dict[str, float]], None]
"""Called after each epoch with the part of the stage (`identities-head`), the epoch (from 1) and its metrics."""


@dataclass(frozen=True, eq=False)
class Session:
    """State that the stages of a training share.

    Attributes
    ----------
    config : StillsConfig
    hardware : Hardware
    backbone : Backbone
        Trained in place.
    inputs : ImageTransform
    device : torch.device
        Device of evaluation passes.
    checkpoints : StageCheckpoints
    train : ImageSet
        Training images, enlarged relative to the input size of the backbone; see `Augmentation.enlarge`.
    train_resized : ImageSet
        The same images in the input size of the backbone.
    validation : ImageSet or None
        Validation images in the input size of the backbone.
    workers : int
        Threads that decode images.
    on_epoch : StageCallback or None
    """

    config: StillsConfig
    hardware: Hardware
    backbone: Backbone
    inputs: ImageTransform
    device: torch.device
    checkpoints: StageCheckpoints
    train: ImageSet
    train_resized: ImageSet
    validation: ImageSet | None
    workers: int
    on_epoch: StageCallback | None

    def prefetch_workers(self, image_set: ImageSet) -> int:
        """Return the number of threads that load batches; 0 if images are in memory and training uses the CPU."""
        return self.workers if image_set.images is None else int(self.device.type != "cpu")

    def make_loader(
        self, rows: np.ndarray, targets: dict[str, tuple[Tensor, Tensor]], order: Callable[[int], np.ndarray]
    ) -> ImageLoader:
        """Create a loader of the given rows of the training images; see `ImageLoader`."""
        step = self.config.batch_size
        return ImageLoader(
            self.train, rows, targets, order, step, self.hardware.batch(step), self.prefetch_workers(self.train)
        )
