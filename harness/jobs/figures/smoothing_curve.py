"""Figure of the metric by filter radius, and of its paired change from the smallest radius."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.intervals import change_interval, metric_interval
from harness.jobs.figures.scored_run import ScoredRun
from harness.smoothing.kernels import CAUSAL
from harness.utils.plotting.style import (
    BLUE,
    GRAY,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    add_panel,
    make_titled_figure,
    save_png,
    set_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, UPPER_HEIGHT, LOWER_HEIGHT = 7.6, 2.9, 1.75
KERNEL_COLORS = {"mean": BLUE, "median": ORANGE, "trailing_mean": SKY, "trailing_median": PURPLE, "exponential": GREEN}
DASHES = (0, (4, 2))
KNOT_COUNT = 11
"""Approximate number of radii with a computed confidence interval. At other radii, its width is interpolated."""


def draw_smoothing(path: Path, run: ScoredRun) -> None:
    """Draw the smoothing curves of a run with more than one radius."""
    record = run.record
    figure = make_titled_figure(
        WIDTH, UPPER_HEIGHT + LOWER_HEIGHT + 1.28, f"{record.metric} by filter radius", run.heading, run.warning
    )
    upper = add_panel(figure, 0.8, LOWER_HEIGHT + 0.98, WIDTH - 1.05, UPPER_HEIGHT)
    lower = add_panel(figure, 0.8, 0.6, WIDTH - 1.05, LOWER_HEIGHT, sharex=upper)
    for kernel, columns in record.curve.items():
        radii, reported = np.array(columns["radius"]), np.array(columns["reported"])
        knots = select_knots(radii, record.radius)
        statistics = list(run.replay.iter_statistics(kernel, knots.tolist(), run.thresholds))
        band = np.stack([metric_interval(at_radius, record.metric) for at_radius in statistics], axis=1)
        change = np.stack(
            [change_interval(at_radius, statistics[0], record.metric) for at_radius in statistics], axis=1
        )
        _draw_curve(upper, radii, reported, knots, band, kernel)
        _draw_curve(lower, radii, reported - reported[0], knots, change, kernel)
        if record.protocol != "published":
            label = f"{kernel}, selection split" if len(record.curve) < 3 else ""
            upper.plot(
                radii,
                columns["selected"],
                color=KERNEL_COLORS.get(kernel, INK),
                linewidth=1.1,
                linestyle=DASHES,
                alpha=0.85,
                label=label,
            )
    if len(record.curve) > 2 and record.protocol != "published":
        upper.plot([], [], color=GRAY, linewidth=1.1, linestyle=DASHES, label="selection split")
    _mark_choice(upper, run, named=len(record.curve) < 3)
    lower.axvline(record.radius, color=GRAY, linewidth=1, linestyle=(0, (1, 2)))
    lower.axhline(0, color=GRAY, linewidth=0.8)
    for axes in (upper, lower):
        axes.grid(color=GRID, linewidth=0.8)
    upper.tick_params(labelbottom=False)
    upper.set_xlim(radii[0], radii[-1])
    upper.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=6,
        fontsize=8,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.2,
        handletextpad=0.5,
    )
    set_labels(upper, "", f"{record.metric}, {record.split}")
    bands = f"; bands: {run.interval_label}" if run.units > 1 else ""
    set_labels(
        lower,
        _radius_label(record.curve),
        "change",
        f"Change from radius {radii[0]} on the same {run.unit_noun}{bands}",
    )
    save_png(figure, path)


def _radius_label(kernels: Iterable[str]) -> str:
    causal = set(CAUSAL).intersection(kernels)
    if not causal:
        return "radius r in frames (window of 2r + 1 frames)"
    others = "" if causal.issuperset(kernels) else "; mean and median also use r frames after it"
    return f"radius r: frames before the current one{others}"


def select_knots(radii: np.ndarray, chosen: int) -> np.ndarray:
    """Select about `KNOT_COUNT` radii, denser where they are small, including both ends and the selected radius."""
    last = len(radii) - 1
    spaced = np.round(last * np.linspace(0, 1, KNOT_COUNT) ** 2).astype(int)
    return np.union1d(radii[np.maximum(spaced, np.minimum(np.arange(KNOT_COUNT), last))], radii[radii == chosen])


def _draw_curve(
    axes: Axes, radii: np.ndarray, values: np.ndarray, knots: np.ndarray, band: np.ndarray, kernel: str
) -> None:
    color = KERNEL_COLORS.get(kernel, INK)
    distances = band - values[np.searchsorted(radii, knots)]
    low, high = (values + np.interp(radii, knots, distance) for distance in distances)
    for edge in (low, high):
        axes.plot(radii, edge, color=color, linewidth=0.7, alpha=0.6)
    axes.fill_between(radii, low, high, color=color, alpha=0.13, linewidth=0)
    axes.plot(radii, values, color=color, linewidth=1.8, label=kernel.replace("_", " "))


def _mark_choice(axes: Axes, run: ScoredRun, named: bool) -> None:
    record = run.record
    value = record.metrics[record.metric]
    axes.axvline(record.radius, color=GRAY, linewidth=1, linestyle=(0, (1, 2)))
    selected = "no filter" if record.kernel == "none" else f"{record.kernel.replace('_', ' ')}, radius {record.radius}"
    axes.plot(
        [record.radius],
        [value],
        "o",
        markersize=7,
        markerfacecolor="white",
        markeredgecolor=INK,
        markeredgewidth=1.6,
        zorder=6,
        clip_on=False,
        label=f"selected: {selected}" if named else "",
    )
