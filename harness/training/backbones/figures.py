"""Pictures of a training for its tracked run: the confusion matrix, and the errors it was surest of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.utils.plotting.confusion_matrix import confusion_panel, share_bar
from harness.utils.plotting.style import ALARM, GREY, TEXT, figure, save, short

COLUMNS, MOST_ERRORS = 6, 24
TIGHT = {"bbox_inches": "tight", "pad_inches": 0.12}


class Mistake(Protocol):
    """What is shown of an image taken for another class; probability is that of `predicted`."""

    path: Path
    truth: str
    predicted: str
    probability: float


def draw_confusion(path: Path, counts: np.ndarray, classes: Sequence[str], title: str = "") -> None:
    """Write a PNG of counts int [C, C], rows the truth: each row coloured by its shares, counts in the cells."""
    counts = np.asarray(counts)
    side = 2.2 + 0.6 * len(classes)
    made = figure(side + 0.8, side, layout="constrained")
    axes = made.add_subplot()
    share_bar(made, confusion_panel(axes, counts, classes, "images"), ax=axes, fraction=0.046, pad=0.03)
    if title:
        axes.set_title(title, fontsize=10, pad=10, **TEXT)
    save(made, path, **TIGHT)


def draw_errors(path: Path, errors: Sequence[Mistake], crop: Callable[[Path], np.ndarray], title: str = "") -> int:
    """Write a PNG of up to 24 errors in their order, each crop under `truth -> predicted` and the probability.

    crop: uint8 [H, W, 3] of an image. Gives the number of errors shown; without any no file is written.
    """
    shown = list(errors)[:MOST_ERRORS]
    if not shown:
        return 0
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    made = figure(1.45 * columns, 1.8 * rows + 0.3, layout="constrained")
    places = made.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, error in zip(places, shown):
        axes.imshow(crop(error.path), interpolation="bilinear")
        axes.text(0.5, 1.12, f"{short(error.truth)} →", ha="center", va="bottom", fontsize=8, color=GREY,
                  transform=axes.transAxes, **TEXT)
        axes.text(0.5, 1.02, f"{short(error.predicted)} {error.probability:.2f}", ha="center", va="bottom", fontsize=8,
                  color=ALARM, transform=axes.transAxes, **TEXT)
    if title:
        made.suptitle(title, size=10, **TEXT)
    save(made, path, **TIGHT)
    return len(shown)
