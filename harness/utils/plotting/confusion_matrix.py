"""A confusion matrix: rows the truth, coloured by their shares, counts in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.style import INK, PALE, TEXT, format_count, truncate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

WHITE_TEXT_SHARE = 0.55
"""Shares above it are written in white."""


def draw_confusion_matrix(axes: Axes, counts: np.ndarray, classes: Sequence[str], what: str) -> AxesImage:
    """Fill `axes` with counts int [C, C]; `what` is counted (images, frames). Gives the image, for a colour bar."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > WHITE_TEXT_SHARE else INK if counts[row, column] else PALE
        axes.text(
            column, row, format_count(counts[row, column]), ha="center", va="center", fontsize=8.5, color=colour, **TEXT
        )
    ticks = range(len(classes))
    axes.set_xticks(
        ticks, [truncate(name) for name in classes], rotation=40, ha="right", rotation_mode="anchor", fontsize=9, **TEXT
    )
    axes.set_yticks(
        ticks,
        [f"{truncate(name)} ({format_count(total)})" for name, total in zip(classes, counts.sum(axis=1))],
        fontsize=9,
        **TEXT,
    )
    axes.set_xlabel("predicted", fontsize=9.5, labelpad=6)
    axes.set_ylabel(f"truth ({what})", fontsize=9.5, labelpad=6)
    axes.spines[:].set_visible(False)
    edges = np.arange(len(classes) + 1) - 0.5
    axes.set(xlim=edges[[0, -1]], ylim=edges[[-1, 0]])
    axes.hlines(edges, edges[0], edges[-1], color="white", linewidth=1.5)
    axes.vlines(edges, edges[0], edges[-1], color="white", linewidth=1.5)
    axes.tick_params(length=0)
    return image


def add_share_colorbar(figure: Figure, image: AxesImage, **place: object) -> None:
    """The colour bar of a matrix."""
    bar = figure.colorbar(image, ticks=[0, 0.5, 1], **place)
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"], fontsize=8)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    bar.set_label("share of the true class", fontsize=8.5)
