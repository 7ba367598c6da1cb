"""Result of training a backbone on still images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.training.backbones.evaluation import Misclassification


@dataclass(frozen=True)
class TrainedStills:
    """Result of a backbone training.

    Attributes
    ----------
    folder : Path
        Folder of the checkpoint.
    metrics : dict of str to float
        Metrics in the checkpoint's card.
    seconds : float
        Duration of the call of `train_stills`; 0 in the result that `on_complete` receives.
    images_per_second : float
        Speed of training, including augmentation.
    loading_images_per_second : float
        Speed of decoding and augmentation alone.
    confusion : ndarray of int64, shape (C, C), or None
        Number of images for each true class (row) and predicted class (column), in the order of `classes`. None without
        expressions. `confusion` and `errors` are computed on the validation images. If none of them has an expression,
        they are computed on the images that select the epoch.
    classes : tuple of str
        Names of the expressions; empty without expressions.
    errors : tuple of Misclassification
        Misclassified images, the most confident errors first; empty without expressions.
    history : list of dict
        For each epoch `stage`, `epoch` (from 1), `loss`, `learning_rate`, `images_per_second` and either `accuracy` or
        `macro_f1`. `images_per_second` is missing for epochs from before an interruption of the same stage.
    """

    folder: Path
    metrics: dict[str, float]
    seconds: float
    images_per_second: float
    loading_images_per_second: float
    confusion: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    errors: tuple[Misclassification, ...] = ()
    history: list[dict[str, Any]] = field(default_factory=list)
