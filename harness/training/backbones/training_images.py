"""Images of a backbone training, read into memory if they fit."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from backbones.processors import available_processors
from harness.training.backbones.config import Hardware, StillsConfig

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.data.stills import Stills
    from harness.training.backbones.images import ImageSet
    from harness.training.backbones.stage_checkpoints import StageCheckpoints

logger = logging.getLogger(__name__)


def worker_count(hardware: Hardware) -> int:
    """Return the number of threads that decode images; by default one for each available core."""
    return hardware.workers or available_processors()


def read_images(
    config: StillsConfig,
    hardware: Hardware,
    spec: Preprocessing,
    work: StageCheckpoints,
    train: Stills,
    validation: Stills | None,
) -> tuple[ImageSet, ImageSet, ImageSet | None]:
    """Return the image sets `train`, `train_resized` and `validation` of a `Session`.

    The enlarged training images and the validation images are kept in memory if together they fit into
    `hardware.memory_gb`.
    """
    from harness.training.backbones.images import ImageSet, load_images

    larger = replace(spec, input_size=round(config.augmentation.enlarge * spec.input_size))
    size = 3 * (len(train) * larger.input_size**2 + len(validation or ()) * spec.input_size**2)
    keep = size <= hardware.memory_gb * 1e9
    logger.info(
        f"reading {len(train) + len(validation or ())} images"
        + ("" if keep else f"; they need {size / 1e9:.1f} GB of memory and are decoded again in every epoch")
    )

    def load(stills: Stills, preprocessing: Preprocessing, split: str) -> ImageSet:
        recall = partial(work.get_or_compute, f"unreadable-{split}")
        return load_images(stills, preprocessing, config.margin, keep, worker_count(hardware), recall)

    train_images = load(train, larger, "train")
    validation_images = load(validation, spec, "validation") if validation is not None and len(validation) else None
    resized = train_images if larger == spec else ImageSet(train_images.stills, spec, config.margin)
    return train_images, resized, validation_images
