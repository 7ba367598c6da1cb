"""Confusion matrices with counts in the cells, colored by their shares of the true class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.utils.plotting.style import INK, PALE, TEXT, format_count, truncate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

WHITE_TEXT_SHARE = 0.55
"""Share above which counts are written in white."""


def draw_confusion_matrix(axes: Axes, counts: np.ndarray, classes: Sequence[str], what: str) -> AxesImage:
    """Draw a confusion matrix.

    Parameters
    ----------
    axes : Axes
    counts : ndarray of int, shape (C, C)
        Counts by true class (rows) and predicted class (columns).
    classes : sequence of C str
    what : str
        Unit of the counts, such as `images`.

    Returns
    -------
    AxesImage
        Image of the shares, an argument of `add_share_colorbar`.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        color = "white" if shares[row, column] > WHITE_TEXT_SHARE else INK if counts[row, column] else PALE
        text = format_count(int(counts[row, column]))
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=color, **TEXT)
    ticks = range(len(classes))
    axes.set_xticks(
        ticks, [truncate(name) for name in classes], rotation=40, ha="right", rotation_mode="anchor", fontsize=9, **TEXT
    )
    axes.set_yticks(
        ticks,
        [f"{truncate(name)} ({format_count(int(total))})" for name, total in zip(classes, counts.sum(axis=1))],
        fontsize=9,
        **TEXT,
    )
    axes.set_xlabel("predicted", fontsize=9.5, labelpad=6)
    axes.set_ylabel(f"true ({what})", fontsize=9.5, labelpad=6)
    axes.spines[:].set_visible(False)
    edges = np.arange(len(classes) + 1) - 0.5
    axes.set(xlim=edges[[0, -1]], ylim=edges[[-1, 0]])
    axes.hlines(edges, edges[0], edges[-1], color="white", linewidth=1.5)
    axes.vlines(edges, edges[0], edges[-1], color="white", linewidth=1.5)
    axes.tick_params(length=0)
    return image


def add_share_colorbar(figure: Figure, image: AxesImage, **options: Any) -> None:
    """Add the color bar of a confusion matrix; keyword arguments of `Figure.colorbar` place it."""
    bar = figure.colorbar(image, ticks=[0, 0.5, 1], **options)
    bar.ax.set_yticklabels(["0%", "50%", "100%"], fontsize=8)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    bar.set_label("share of the true class", fontsize=8.5)
