"""Figures of expressions and action units: F1 with confidence intervals, precision, recall, and confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.intervals import format_interval, metric_interval
from harness.jobs.figures.scored_run import ScoredRun
from harness.metrics.counts import f1
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.utils.plotting.confusion_matrix import add_share_colorbar, draw_confusion_matrix
from harness.utils.plotting.style import (
    ALARM,
    BLUE,
    GRAY,
    GRID,
    INK,
    ORANGE,
    SKY,
    TEXT,
    add_panel,
    format_count,
    label_rows,
    make_titled_figure,
    save_png,
    set_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


ACTION_UNIT_NAMES = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU15": "lip corner depressor",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU25": "lips part",
    "AU26": "jaw drop",
}
"""Names in the Facial Action Coding System (Ekman and Friesen 1978)."""
ROW_HEIGHT = 0.3
COLUMN_POSITIONS = (1.06, 1.49, 1.65, 1.76)
"""Positions of the columns next to the bars, relative to the width of the panel: F1, frames, videos, threshold."""


def draw_f1(path: Path, run: ScoredRun) -> None:
    """Draw F1, precision and recall of each class; for tasks `expr`, `au` and `mtl`."""
    arrays = run.statistics.arrays
    parts: list[tuple[str, Sequence[str], Sequence[str], np.ndarray]] = []
    if "expr" in arrays:
        parts.append(("expressions", EXPRESSIONS, EXPRESSIONS, _expression_counts(arrays["expr"])))
    if "au" in arrays:
        unit_names = [f"{unit} {ACTION_UNIT_NAMES[unit]}" for unit in ACTION_UNITS]
        parts.append(("action units", ACTION_UNITS, unit_names, arrays["au"][..., :3]))
    heights = [ROW_HEIGHT * len(names) + 0.95 for _, _, names, _ in parts]
    title = f"F1 of {' and '.join(what for what, *_ in parts)}, {run.interval_label}"
    width, left, across = (8.5, 2.2, 3.5) if "au" in arrays else (8.2, 1.05, 4.2)
    figure = make_titled_figure(width, sum(heights), title, run.heading, run.warning)
    top = sum(heights)
    for (what, metrics, names, counts), height in zip(parts, heights):
        top -= height
        axes = add_panel(figure, left, top + 0.5, across, height - 0.95)
        thresholds = run.thresholds if what == "action units" else None
        bounds = np.stack([metric_interval(run.statistics, f"F1/{metric}") for metric in metrics], axis=1)
        _draw_bars(axes, names, counts, bounds, run, thresholds)
    save_png(figure, path)


def _expression_counts(confusion: np.ndarray) -> np.ndarray:
    """Convert the confusion matrices of V units, [V, 8, 8], to counts of tp, fp and fn by class, [V, 8, 3]."""
    tp = np.diagonal(confusion, axis1=1, axis2=2)
    return np.stack([tp, confusion.sum(axis=1) - tp, confusion.sum(axis=2) - tp], axis=-1)


def _draw_bars(
    axes: Axes,
    names: Sequence[str],
    counts: np.ndarray,
    bounds: np.ndarray,
    run: ScoredRun,
    thresholds: np.ndarray | None,
) -> None:
    tp, fp, fn = np.moveaxis(counts.sum(axis=0), -1, 0)
    values, defined = f1(tp, fp, fn)
    rows = np.arange(len(names))
    axes.barh(rows, values, height=0.62, color=SKY, alpha=0.55, zorder=2)
    axes.hlines(
        rows[defined], bounds[0, defined], bounds[1, defined], color=INK, linewidth=1.3, zorder=4, label="95% CI"
    )
    occurs, predicted = tp + fn > 0, tp + fp > 0
    axes.plot(
        tp[predicted] / (tp + fp)[predicted],
        rows[predicted],
        ">",
        color=BLUE,
        markersize=5,
        zorder=5,
        clip_on=False,
        label="precision",
    )
    axes.plot(
        tp[occurs] / (tp + fn)[occurs],
        rows[occurs],
        "D",
        color=ORANGE,
        markersize=4,
        zorder=5,
        clip_on=False,
        label="recall",
    )
    mean = values.mean()
    axes.axvline(mean, color=GRAY, linewidth=1, linestyle=(0, (4, 3)), zorder=3, label=f"mean F1 {mean:.3f}")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.4, -0.6)
    label_rows(axes, rows, names, 0.1, 9)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=4,
        fontsize=8,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.1,
        handletextpad=0.5,
    )
    set_labels(axes, "F1, precision, recall")
    _draw_columns(axes, values, defined, bounds, counts, thresholds, run)


def _draw_columns(  # noqa: PLR0913 - one array for each column
    axes: Axes,
    values: np.ndarray,
    defined: np.ndarray,
    bounds: np.ndarray,
    counts: np.ndarray,
    thresholds: np.ndarray | None,
    run: ScoredRun,
) -> None:
    """Print F1, the numbers of labeled frames and videos, and the threshold next to the bars."""
    transform = axes.get_yaxis_transform()
    true = counts[..., 0] + counts[..., 2]
    frames, units = true.sum(axis=0), (true > 0).sum(axis=0)
    heads = dict(
        zip(COLUMN_POSITIONS, ("F1 [95% CI]", run.row_noun, run.unit_noun, *(() if thresholds is None else ("p ≥",))))
    )
    for x, head in heads.items():
        align = "left" if x < 1.1 else "right"
        axes.text(x, -0.9, head, transform=transform, fontsize=8, color=GRAY, ha=align, **TEXT)
    for row, value in enumerate(values):
        if defined[row]:
            axes.text(
                COLUMN_POSITIONS[0],
                row,
                f"{value:.2f}{format_interval(bounds[:, row])}",
                transform=transform,
                fontsize=8.5,
                color=INK,
                va="center",
                **TEXT,
            )
        else:
            axes.text(
                COLUMN_POSITIONS[0],
                row,
                "undefined, 0",
                transform=transform,
                fontsize=8.5,
                color=ALARM,
                va="center",
                **TEXT,
            )
            axes.text(
                0.012,
                row,
                "neither labeled nor predicted",
                fontsize=8,
                color=GRAY,
                va="center",
                zorder=6,
                bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
                **TEXT,
            )
        for x, number in ((COLUMN_POSITIONS[1], frames[row]), (COLUMN_POSITIONS[2], units[row])):
            axes.text(
                x,
                row,
                format_count(int(number)),
                transform=transform,
                fontsize=8.5,
                va="center",
                ha="right",
                color=INK if number else ALARM,
                **TEXT,
            )
        if thresholds is not None:
            axes.text(
                COLUMN_POSITIONS[3],
                row,
                f"{thresholds[row]:.1f}",
                transform=transform,
                fontsize=8.5,
                color=INK,
                va="center",
                ha="right",
                **TEXT,
            )


def draw_expression_confusion(path: Path, run: ScoredRun) -> None:
    """Draw the confusion matrix of expressions; for tasks `expr` and `mtl`."""
    figure = make_titled_figure(8.2, 6.45, "Confusion matrix of expressions", run.heading, run.warning)
    image = draw_confusion_matrix(
        add_panel(figure, 1.75, 1.1, 5.3, 5.3), run.statistics.arrays["expr"].sum(axis=0), EXPRESSIONS, run.row_noun
    )
    add_share_colorbar(figure, image, cax=add_panel(figure, 7.25, 1.1, 0.15, 5.3))
    save_png(figure, path)
