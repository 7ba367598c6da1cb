"""Checks of the images and the device before a backbone training, which may take hours."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import numpy as np
import torch

from backbones.processors import available_processors
from harness.training.backbones.config import Hardware, StillsConfig
from harness.utils.errors import InputError
from harness.utils.text import plural

if TYPE_CHECKING:
    from harness.data.stills import Stills

logger = logging.getLogger(__name__)


def check_same_classes(train: Stills, validation: Stills | None) -> None:
    """Raise InputError if there are no training images, or if the two splits have different classes."""
    if not len(train):
        raise InputError("there are no training images; check the training split of the data")
    if validation is not None and validation.classes != train.classes:
        raise InputError(
            f"the classes of the validation images are {', '.join(validation.classes)}, those of the training "
            f"images {', '.join(train.classes)}; both need the same classes in the same order"
        )


def check_device(config: StillsConfig, hardware: Hardware) -> None:
    """Raise InputError if this machine does not have the devices or does not support `config.precision`.

    Lightning would reject or replace some of the hardware settings only after the images have been decoded.
    """
    device = select_device(hardware).type
    if device == "cpu" and hardware.accelerator not in ("auto", "cpu"):
        raise InputError(
            f"hardware.accelerator={hardware.accelerator}, but torch finds no such device; set it to auto or cpu"
        )
    cores = available_processors()
    if device == "cpu" and hardware.devices.isdecimal() and int(hardware.devices) > cores:
        raise InputError(
            f"hardware.devices={hardware.devices}, but this process may use {plural(cores, 'core')} and torch "
            "finds no accelerator; set it to the number of cores or fewer"
        )
    if config.precision == "16-mixed" and device == "cpu":
        raise InputError("precision=16-mixed needs a GPU; on the CPU choose bf16-mixed or 32-true")


def check_labels(config: StillsConfig, train: Stills) -> None:
    """Raise InputError if expressions are trained, but no training image has an expression."""
    if config.expressions is not None and not (train.expression >= 0).any():
        hint = ", or train on identities only: --set expressions=none" if config.identities else ""
        raise InputError(
            f"none of the {len(train):,} training images has an expression: use AffectNet or a table "
            f"with the column expression{hint}"
        )


def log_shared_subjects(train: Stills, validation: Stills | None) -> None:
    """Log validation subjects that are also in the training images."""
    if validation is None:
        return
    seen, tested = ({part.subjects[subject] for subject in np.unique(part.subject)} for part in (train, validation))
    if shared := sorted(seen & tested):
        logger.info(
            f"{len(shared)} of the {len(tested)} validation subjects are also in the training images (first: "
            f"{shared[0]}), so the validation metrics do not tell how well unseen people are recognized"
        )


def select_device(hardware: Hardware) -> torch.device:
    """Select the device of evaluation passes: the device that Lightning will use for training in this process."""
    accelerator = hardware.accelerator
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK") or "0"))
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
