"""Plot time and memory against the number of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.bench.figure import MAX_MEMORY_GIB, ScaleResult, growth_exponent
from harness.utils.plotting.style import (
    BLUE,
    GRAY,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    TEXT,
    add_panel,
    make_titled_figure,
    plotting_context,
    save_png,
    set_labels,
)
from harness.utils.text import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 9.2, 3.4
MARKERS = ("o", "s", "^", "D")
COLORS = (BLUE, ORANGE, GREEN, PURPLE)


def plot_scaling(path: Path, measured: Sequence[ScaleResult]) -> None:
    """Write the plot as a PNG file."""
    largest, later = measured[-1], measured[1:] if len(measured) > 2 else measured
    with plotting_context():
        figure = make_titled_figure(
            WIDTH,
            HEIGHT + 0.75,
            "Time and memory of a job by number of frames",
            (
                f"1280 features per frame, float16 on disk; one epoch of logistic regression, one thread. "
                f"{largest.frames:,} frames: {largest.total:.0f} s, {largest.peak_bytes / 2**30:.1f} GiB",
                f"time grows as frames to the power of {growth_exponent(later):.2f} from {later[0].frames:,} frames on",
            ),
        )
        time = add_panel(figure, 0.85, 0.6, 4.2, HEIGHT)
        memory = add_panel(figure, 6.05, 0.6, WIDTH - 6.05 - 0.2, HEIGHT)
        frames = np.array([result.frames for result in measured])
        _plot_time(time, frames, measured)
        memory.plot(frames, [result.peak_bytes / 2**30 for result in measured], "o-", color=BLUE, markersize=6)
        memory.axhline(MAX_MEMORY_GIB, color=GRAY, linewidth=1.2, linestyle=(0, (4, 2)))
        memory.text(
            frames[0],
            MAX_MEMORY_GIB - 0.08,
            f"limit {MAX_MEMORY_GIB:g} GiB",
            fontsize=8.5,
            color=GRAY,
            va="top",
            **TEXT,
        )
        memory.set_ylim(0, MAX_MEMORY_GIB * 1.1)
        set_labels(memory, "frames", "GiB", "Peak resident memory")
        for axes in (time, memory):
            axes.set_xscale("log")
            axes.grid(color=GRID, linewidth=0.8)
            axes.set_xticks(frames, [format_count(number) for number in frames])
            axes.minorticks_off()
            axes.set_xlim(frames[0] / 1.5, frames[-1] * 1.5)
        save_png(figure, path)


def _plot_time(axes: Axes, frames: np.ndarray, measured: Sequence[ScaleResult]) -> None:
    total = np.array([result.total for result in measured])
    axes.plot(frames, total, "o-", color=INK, linewidth=2.2, markersize=6, label="total")
    for part, marker, color in zip(measured[0].seconds, MARKERS, COLORS):
        axes.plot(
            frames,
            [result.seconds[part] for result in measured],
            marker=marker,
            color=color,
            linewidth=1.3,
            markersize=5,
            label=part,
        )
    axes.plot(
        frames,
        total[-1] * frames / frames[-1],
        color=GRAY,
        linewidth=1.1,
        linestyle=(0, (4, 2)),
        label="proportional to frames",
    )
    axes.set_yscale("log")
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    set_labels(axes, "frames", "seconds", "Time")
