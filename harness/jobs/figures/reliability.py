"""Reliability diagrams: accuracy by predicted confidence, and true values by predicted values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.intervals import ratio_interval
from harness.jobs.figures.scored_run import OutputRows, ScoredRun
from harness.metrics.tasks import ACTION_UNITS, AFFECTS
from harness.utils.plotting.style import (
    BLUE,
    GRAY,
    GRID,
    INK,
    ORANGE,
    PALE,
    SKY,
    TEXT,
    add_panel,
    format_count,
    make_titled_figure,
    save_png,
    set_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10
SIDE, BAR_HEIGHT = 3.3, 0.6
LEFT, SPACING, BOTTOM = 0.75, 0.75, 0.65


@dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Sums over the rows of each of V units, in `BINS` equally wide bins of the predicted value.

    Attributes
    ----------
    sums : float64 ndarray of shape (V, BINS, 3)
        Count, sum of predicted values and sum of true values.
    low : float
        Lower end of the first bin; the upper end of the last is 1.
    """

    sums: np.ndarray
    low: float

    @staticmethod
    def from_values(
        predicted: np.ndarray, true: np.ndarray, unit: np.ndarray, units: int, low: float
    ) -> CalibrationBins:
        """Sum values by unit and bin. The arrays have one element for each row; the values are in [low, 1]."""
        index = np.clip(((predicted - low) / (1 - low) * BINS).astype(int), 0, BINS - 1) + BINS * unit
        sums = [
            np.bincount(index, weights=values, minlength=units * BINS)
            for values in (np.ones(len(index)), predicted, true)
        ]
        return CalibrationBins(np.stack(sums, axis=-1).reshape(units, BINS, 3), low)

    @property
    def pooled(self) -> np.ndarray:
        """Sums over all units, [BINS, 3]."""
        return self.sums.sum(axis=0)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Naeini 2015): |mean true - mean predicted| over bins, weighted by count."""
        n, predicted, true = self.pooled.T
        return float(np.abs(true - predicted).sum() / max(n.sum(), 1))


DrawPanel = Callable[["Axes", "Axes"], None]


def draw_reliability(path: Path, run: ScoredRun) -> None:
    """Draw reliability diagrams: one panel each for expressions and action units, two for valence and arousal."""
    panels: list[DrawPanel] = []
    for name, block in run.blocks.items():
        panels += {"expr": _expression_panels, "va": _affect_panels, "au": _action_unit_panels}[name](run, block)
    columns, side = (1, 6.3) if len(panels) == 1 else (2, SIDE)
    rows = -(-len(panels) // columns)
    height = SIDE + BAR_HEIGHT + 0.12 + 1.05
    width = LEFT + columns * (side + SPACING) - 0.4
    figure = make_titled_figure(
        width, rows * height, f"Reliability of the outputs, {run.interval_label}", run.heading, run.warning
    )
    for number, draw in enumerate(panels):
        left = LEFT + (number % columns) * (side + SPACING)
        bottom = (rows - 1 - number // columns) * height + BOTTOM
        main = add_panel(figure, left, bottom + BAR_HEIGHT + 0.12, side, SIDE)
        draw(main, add_panel(figure, left, bottom, side, BAR_HEIGHT, sharex=main))
    save_png(figure, path)


def _expression_panels(run: ScoredRun, block: OutputRows) -> list[DrawPanel]:
    confidence, correct = block.smoothed.max(axis=1), block.smoothed.argmax(axis=1) == block.target
    bins = CalibrationBins.from_values(confidence, correct, block.unit, run.units, 0.0)

    def draw(main: Axes, below: Axes) -> None:
        _draw_calibration(main, bins, run.record.unit)
        _draw_histogram(below, bins, run.row_noun, "confidence (probability of the predicted class)")
        set_labels(main, "", "accuracy", f"Expressions: calibration error (ECE) {bins.calibration_error:.3f}")

    return [draw]


def _action_unit_panels(run: ScoredRun, block: OutputRows) -> list[DrawPanel]:
    units = run.units
    bins_by_action_unit = [
        CalibrationBins.from_values(block.smoothed[:, i], block.target[:, i], block.unit, units, 0.0)
        for i in range(len(ACTION_UNITS))
    ]
    bins = CalibrationBins(np.sum([unit_bins.sums for unit_bins in bins_by_action_unit], axis=0), 0.0)

    def draw(main: Axes, below: Axes) -> None:
        for number, unit_bins in enumerate(bins_by_action_unit):
            non_empty = unit_bins.pooled[unit_bins.pooled[:, 0] > 0]
            main.plot(
                non_empty[:, 1] / non_empty[:, 0],
                non_empty[:, 2] / non_empty[:, 0],
                color=PALE,
                linewidth=0.8,
                alpha=0.75,
                zorder=2,
                label=None if number else "each action unit",
            )
        _draw_calibration(main, bins, run.record.unit)
        main.legend(loc="upper left", fontsize=8, frameon=False)
        _draw_histogram(below, bins, "decisions", "predicted probability")
        set_labels(main, "", "share present", f"All action units: calibration error (ECE) {bins.calibration_error:.3f}")

    return [draw]


def _affect_panels(run: ScoredRun, block: OutputRows) -> list[DrawPanel]:
    def make_panel(i: int) -> DrawPanel:
        bins = CalibrationBins.from_values(block.smoothed[:, i], block.target[:, i], block.unit, run.units, -1.0)

        def draw(main: Axes, below: Axes) -> None:
            _draw_calibration(main, bins, run.record.unit)
            _draw_histogram(below, bins, run.row_noun, f"predicted {AFFECTS[i]}")
            set_labels(main, "", f"mean true {AFFECTS[i]}", f"{AFFECTS[i].capitalize()}: mean label by prediction")

        return draw

    return [make_panel(0), make_panel(1)]


def _draw_calibration(axes: Axes, bins: CalibrationBins, unit: str) -> None:
    low, pooled = bins.low, bins.pooled
    non_empty = pooled[:, 0] > 0
    n, predicted, true = pooled[non_empty].T
    bounds = ratio_interval(bins.sums[:, non_empty, 2], bins.sums[:, non_empty, 0], low)
    several = (bins.sums[:, non_empty, 0] > 0).sum(axis=0) > 1
    x, y = predicted / n, true / n
    axes.plot([low, 1], [low, 1], color=ORANGE, linewidth=1.1, linestyle=(0, (4, 3)), zorder=3)
    axes.vlines(x[several], *bounds[:, several], color=INK, linewidth=1.2, zorder=4)
    axes.plot(x, y, color=BLUE, linewidth=1.6, marker="o", markersize=5, zorder=5, clip_on=False)
    axes.plot(x[~several], y[~several], "o", color=BLUE, markersize=5, markerfacecolor="white", zorder=6, clip_on=False)
    if not several.all():
        axes.text(
            0.98, 0.03, f"hollow: one {unit} only", transform=axes.transAxes, fontsize=8, color=GRAY, ha="right", **TEXT
        )
    ticks = np.linspace(low, 1, 5 if low else 6)
    axes.set(xlim=(low, 1), ylim=(low, 1), xticks=ticks, yticks=ticks)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(labelbottom=False)


def _draw_histogram(axes: Axes, bins: CalibrationBins, rows: str, x: str) -> None:
    counts = bins.pooled[:, 0]
    width = (1 - bins.low) / BINS
    left = bins.low + width * np.arange(BINS)
    axes.bar(left + width / 2, counts, width=0.9 * width, color=SKY, alpha=0.6)
    axes.set_ylim(0, 1.45 * counts.max())
    for center, count in zip(left + width / 2, counts):
        if count:
            axes.text(
                center,
                count + 0.06 * counts.max(),
                format_count(int(count), 10_000),
                fontsize=7,
                color=GRAY,
                ha="center",
                **TEXT,
            )
    axes.set_yticks([])
    axes.spines[["left", "top", "right"]].set_visible(False)
    set_labels(axes, x, rows)
