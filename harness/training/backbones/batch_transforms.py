"""Conversion of uint8 image batches to network inputs, on the device that trains the backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.training.backbones.augmentation import augment

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.training.backbones.config import Augmentation


class ImageTransform:
    """Convert uint8 images [B, P, P, 3] to normalized float32 [B, 3, S, S], channels last in memory.

    P is the size of the images, and S the input size of the backbone.

    Parameters
    ----------
    preprocessing : Preprocessing
        Input size S, mean, standard deviation and value range.
    augmentation : Augmentation
        Random changes of training images.
    """

    def __init__(self, preprocessing: Preprocessing, augmentation: Augmentation) -> None:
        self.preprocessing, self.augmentation = preprocessing, augmentation
        self.scaling: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def train_transform(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Convert and augment; a pure function of `images` and `random`, which are on the same device."""
        settings = self.augmentation
        return self._normalize(
            augment(
                _to_float(images),
                random,
                settings.strength,
                settings.flip,
                settings.crop,
                self.preprocessing.input_size,
                settings.geometry,
            )
        )

    def eval_transform(self, images: Tensor) -> Tensor:
        """Convert without augmentation; the size of the images must be S."""
        return self._normalize(_to_float(images))

    def _normalize(self, pixels: Tensor) -> Tensor:
        scale, offset = self._scale_and_offset(pixels.device)
        return (pixels * scale - offset).contiguous(memory_format=torch.channels_last)

    def _scale_and_offset(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self.scaling:
            std = torch.tensor(self.preprocessing.std).view(1, 3, 1, 1)
            mean = torch.tensor(self.preprocessing.mean).view(1, 3, 1, 1)
            self.scaling[device] = (self.preprocessing.value_range / std).to(device), (mean / std).to(device)
        return self.scaling[device]


def _to_float(images: Tensor) -> Tensor:
    """Convert uint8 [B, P, P, 3] to float32 [B, 3, P, P] in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float().mul_(1 / 255)
