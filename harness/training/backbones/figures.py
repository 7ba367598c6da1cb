"""Pictures of a training for its tracked run: the confusion matrix, and the errors it was surest of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.utils.plotting.confusion_matrix import add_share_colorbar, draw_confusion_matrix
from harness.utils.plotting.style import ALARM, GRAY, TEXT, make_figure, save_png, truncate

MAX_COLUMNS, MAX_ERRORS = 6, 24
SAVE_OPTIONS = {"bbox_inches": "tight", "pad_inches": 0.12}


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
    made = make_figure(side + 0.8, side, layout="constrained")
    axes = made.add_subplot()
    add_share_colorbar(made, draw_confusion_matrix(axes, counts, classes, "images"), ax=axes, fraction=0.046, pad=0.03)
    if title:
        axes.set_title(title, fontsize=10, pad=10, **TEXT)
    save_png(made, path, **SAVE_OPTIONS)


def draw_errors(path: Path, errors: Sequence[Mistake], crop: Callable[[Path], np.ndarray], title: str = "") -> int:
    """Write a PNG of up to 24 errors in their order, each crop under `truth -> predicted` and the probability.

    crop: uint8 [H, W, 3] of an image. Gives the number of errors shown; without any no file is written.
    """
    shown = list(errors)[:MAX_ERRORS]
    if not shown:
        return 0
    columns = min(MAX_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    made = make_figure(1.45 * columns, 1.8 * rows + 0.3, layout="constrained")
    places = made.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, error in zip(places, shown):
        axes.imshow(crop(error.path), interpolation="bilinear")
        axes.text(
            0.5,
            1.12,
            f"{truncate(error.truth)} →",
            ha="center",
            va="bottom",
            fontsize=8,
            color=GRAY,
            transform=axes.transAxes,
            **TEXT,
        )
        axes.text(
            0.5,
            1.02,
            f"{truncate(error.predicted)} {error.probability:.2f}",
            ha="center",
            va="bottom",
            fontsize=8,
            color=ALARM,
            transform=axes.transAxes,
            **TEXT,
        )
    if title:
        made.suptitle(title, size=10, **TEXT)
    save_png(made, path, **SAVE_OPTIONS)
    return len(shown)
