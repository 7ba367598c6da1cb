"""Pictures of a training for its tracked run: the confusion matrix, and the errors it was surest of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
COLUMNS, MOST_ERRORS = 6, 24
TEXT = {"family": "DejaVu Sans", "parse_math": False}
"""A font that comes with matplotlib, so that every machine draws the same; a `$` in a name is a `$`."""


class Mistake(Protocol):
    """What is shown of an image taken for another class; probability is that of `predicted`."""

    path: Path
    truth: str
    predicted: str
    probability: float


def draw_confusion(path: Path, counts: np.ndarray, classes: Sequence[str], title: str = "") -> None:
    """Write a PNG of counts int [C, C], rows the truth: each row coloured by its shares, counts in the cells."""
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.6 * len(classes)
    figure = _figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        dark = shares[row, column] > 0.55
        axes.text(column, row, _count(counts[row, column]), ha="center", va="center", fontsize=8.5,
                  color="white" if dark else "#1f2933" if counts[row, column] else "#9aa5b1", **TEXT)
    _name_axes(axes, counts, classes)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"], fontsize=8)
    bar.outline.set_visible(False)
    bar.set_label("share of the true class", fontsize=8.5)
    if title:
        axes.set_title(title, fontsize=10, pad=10, **TEXT)
    _save(figure, path)


def draw_errors(path: Path, errors: Sequence[Mistake], crop: Callable[[Path], np.ndarray], title: str = "") -> int:
    """Write a PNG of up to 24 errors in their order, each crop under `truth -> predicted` and the probability.

    crop: uint8 [H, W, 3] of an image. Gives the number of errors shown; without any no file is written.
    """
    shown = list(errors)[:MOST_ERRORS]
    if not shown:
        return 0
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = _figure(1.45 * columns, 1.8 * rows + 0.3)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, error in zip(places, shown):
        axes.imshow(crop(error.path), interpolation="bilinear")
        axes.text(0.5, 1.12, f"{_short(error.truth)} →", ha="center", va="bottom", fontsize=8, color="#3e4c59",
                  transform=axes.transAxes, **TEXT)
        axes.text(0.5, 1.02, f"{_short(error.predicted)} {error.probability:.2f}", ha="center", va="bottom", fontsize=8,
                  color="#b3261e", transform=axes.transAxes, **TEXT)
    if title:
        figure.suptitle(title, size=10, **TEXT)
    _save(figure, path)
    return len(shown)


def _figure(width: float, height: float) -> Figure:
    """Inches. Made without pyplot, whose figures are global and whose back end may want a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _name_axes(axes: Axes, counts: np.ndarray, classes: Sequence[str]) -> None:
    ticks = range(len(classes))
    names: Any = [_short(name) for name in classes]
    axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor", fontsize=9, **TEXT)
    axes.set_yticks(ticks, [f"{name} ({_count(total)})" for name, total in zip(names, counts.sum(axis=1))],
                    fontsize=9, **TEXT)
    axes.set_xlabel("predicted", fontsize=9.5, labelpad=6)
    axes.set_ylabel("truth (images)", fontsize=9.5, labelpad=6)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[:most - 1]}…"


def _count(number: int) -> str:
    return f"{number:,}" if number < 100_000 else f"{number / 1000:,.0f}k"


def _save(figure: Figure, path: Path) -> None:
    with writing(path) as aside:
        figure.savefig(aside, format="png", bbox_inches="tight", pad_inches=0.12, metadata={"Software": None})
