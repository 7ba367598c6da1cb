"""Figures of a backbone training: its confusion matrix and its most confident errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.confusion_matrix import add_share_colorbar, draw_confusion_matrix
from harness.utils.plotting.style import ALARM, GRAY, TEXT, make_figure, save_png, truncate

if TYPE_CHECKING:
    from harness.training.backbones.evaluation import Misclassification

MAX_COLUMNS, MAX_ERRORS = 6, 24
SAVE_OPTIONS = {"bbox_inches": "tight", "pad_inches": 0.12}


def draw_confusion(path: Path, counts: np.ndarray, classes: Sequence[str], title: str = "") -> None:
    """Plot a confusion matrix to a PNG file, with counts in the cells. Colors show shares of each row.

    Parameters
    ----------
    path : Path
    counts : ndarray of int, shape (C, C)
        Rows are true classes.
    classes : sequence of str
    title : str
    """
    counts = np.asarray(counts)
    side = 2.2 + 0.6 * len(classes)
    figure = make_figure(side + 0.8, side, layout="constrained")
    axes = figure.add_subplot()
    add_share_colorbar(
        figure, draw_confusion_matrix(axes, counts, classes, "images"), ax=axes, fraction=0.046, pad=0.03
    )
    if title:
        axes.set_title(title, fontsize=10, pad=10, **TEXT)
    save_png(figure, path, **SAVE_OPTIONS)


def draw_errors(
    path: Path, errors: Sequence[Misclassification], crop: Callable[[Path], np.ndarray], title: str = ""
) -> int:
    """Plot up to 24 errors to a PNG file, each crop below its true class, predicted class and probability.

    Parameters
    ----------
    path : Path
        Not written if there are no errors.
    errors : sequence of Misclassification
        Errors in the order in which they are shown.
    crop : callable
        Loads the uint8 [H, W, 3] crop of an image.
    title : str

    Returns
    -------
    int
        Number of errors shown.
    """
    shown = list(errors)[:MAX_ERRORS]
    if not shown:
        return 0
    columns = min(MAX_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = make_figure(1.45 * columns, 1.8 * rows + 0.3, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, error in zip(panels, shown):
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
        figure.suptitle(title, size=10, **TEXT)
    save_png(figure, path, **SAVE_OPTIONS)
    return len(shown)
