"""The metric against the filter's radius, and what smoothing changes, paired over the same units."""

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
    GREEN,
    GREY,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    describe,
    panel,
    save,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, UPPER, LOWER = 7.6, 2.9, 1.75
COLOURS = {"mean": BLUE, "median": ORANGE, "trailing_mean": SKY, "trailing_median": PURPLE, "exponential": GREEN}
DASHES = (0, (4, 2))
KNOTS = 11
"""Radii at which units are resampled; between them the band's distance from the curve is interpolated."""


def draw_smoothing(path: Path, run: ScoredRun) -> None:
    """Write the picture of a run that tried more than one radius."""
    record = run.record
    made = titled(WIDTH, UPPER + LOWER + 1.28, f"{record.metric} against the radius of the filter", run.heading,
                  run.warning)
    upper = panel(made, 0.8, LOWER + 0.98, WIDTH - 1.05, UPPER)
    lower = panel(made, 0.8, 0.6, WIDTH - 1.05, LOWER, sharex=upper)
    for kernel, columns in record.curve.items():
        radii, reported = np.array(columns["radius"]), np.array(columns["reported"])
        knots = knots_of(radii, record.radius)
        counted = list(run.replay.units_curve(kernel, knots.tolist(), run.thresholds))
        band = np.stack([metric_interval(one, record.metric) for one in counted], axis=1)
        change = np.stack([change_interval(one, counted[0], record.metric) for one in counted], axis=1)
        _curve(upper, radii, reported, knots, band, kernel)
        _curve(lower, radii, reported - reported[0], knots, change, kernel)
        if record.protocol != "published":
            label = f"{kernel}, selection split" if len(record.curve) < 3 else ""
            upper.plot(radii, columns["selected"], color=COLOURS[kernel], linewidth=1.1, linestyle=DASHES, alpha=0.85,
                       label=label)
    if len(record.curve) > 2 and record.protocol != "published":
        upper.plot([], [], color=GREY, linewidth=1.1, linestyle=DASHES, label="selection split")
    _choice(upper, run, named=len(record.curve) < 3)
    lower.axvline(record.radius, color=GREY, linewidth=1, linestyle=(0, (1, 2)))
    lower.axhline(0, color=GREY, linewidth=0.8)
    for axes in (upper, lower):
        axes.grid(color=GRID, linewidth=0.8)
    upper.tick_params(labelbottom=False)
    upper.set_xlim(radii[0], radii[-1])
    upper.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=6, fontsize=8, frameon=False, handlelength=1.6,
                 columnspacing=1.2, handletextpad=0.5)
    describe(upper, "", f"{record.metric}, {record.split}")
    bands = f"; bands: {run.intervals}" if run.units > 1 else ""
    describe(lower, _reach(record.curve),
             "change", f"Change from radius {radii[0]} on the same {run.noun}{bands}")
    save(made, path)


def _reach(kernels: Iterable[str]) -> str:
    causal = set(CAUSAL).intersection(kernels)
    if not causal:
        return "radius r, frames each side (window 2r + 1)"
    other = "" if causal.issuperset(kernels) else "; of mean and median as many after it"
    return f"radius r, frames before the present one{other}"


def knots_of(radii: np.ndarray, chosen: int) -> np.ndarray:
    """About `KNOTS` of the radii, denser where they are small; both ends and the chosen one among them."""
    last = len(radii) - 1
    spaced = np.round(last * np.linspace(0, 1, KNOTS) ** 2).astype(int)
    return np.union1d(radii[np.maximum(spaced, np.minimum(np.arange(KNOTS), last))], radii[radii == chosen])


def _curve(axes: Axes, radii: np.ndarray, values: np.ndarray, knots: np.ndarray, band: np.ndarray,
           kernel: str) -> None:
    colour = COLOURS[kernel]
    away = band - values[np.searchsorted(radii, knots)]
    edges = [values + np.interp(radii, knots, one) for one in away]
    for edge in edges:
        axes.plot(radii, edge, color=colour, linewidth=0.7, alpha=0.6)
    axes.fill_between(radii, *edges, color=colour, alpha=0.13, linewidth=0)
    axes.plot(radii, values, color=colour, linewidth=1.8, label=kernel.replace("_", " "))


def _choice(axes: Axes, run: ScoredRun, named: bool) -> None:
    record = run.record
    value = record.metrics[record.metric]
    axes.axvline(record.radius, color=GREY, linewidth=1, linestyle=(0, (1, 2)))
    what = "no filter" if record.kernel == "none" else f"{record.kernel.replace('_', ' ')}, radius {record.radius}"
    axes.plot([record.radius], [value], "o", markersize=7, markerfacecolor="white", markeredgecolor=INK,
              markeredgewidth=1.6, zorder=6, clip_on=False, label=f"chosen: {what}" if named else "")
