"""Time and memory against frames, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.bench.figure import MEMORY_GIB, Scaled, exponent
from harness.utils.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    TEXT,
    describe,
    drawing,
    panel,
    save,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 9.2, 3.4
MARKERS = ("o", "s", "^", "D")
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def draw(path: Path, measured: Sequence[Scaled]) -> None:
    """Write the PNG."""
    largest, later = measured[-1], measured[1:] if len(measured) > 2 else measured
    with drawing():
        made = titled(WIDTH, HEIGHT + 0.75, "Time and memory of a job against its frames",
                      (f"1280 features a frame, float16 on disk; one epoch of logistic regression, one thread. "
                       f"{largest.frames:,} frames: {largest.total:.0f} s, {largest.peak_bytes / 2**30:.1f} GiB",
                       f"time grows as frames to the power {exponent(later):.2f} from {later[0].frames:,} frames on"))
        time = panel(made, 0.85, 0.6, 4.2, HEIGHT)
        memory = panel(made, 6.05, 0.6, WIDTH - 6.05 - 0.2, HEIGHT)
        frames = np.array([one.frames for one in measured])
        _time(time, frames, measured)
        memory.plot(frames, [one.peak_bytes / 2**30 for one in measured], "o-", color=BLUE, markersize=6)
        memory.axhline(MEMORY_GIB, color=GREY, linewidth=1.2, linestyle=(0, (4, 2)))
        memory.text(frames[0], MEMORY_GIB - 0.08, f"limit {MEMORY_GIB:g} GiB", fontsize=8.5, color=GREY, va="top",
                    **TEXT)
        memory.set_ylim(0, MEMORY_GIB * 1.1)
        describe(memory, "frames", "GiB", "Peak resident memory")
        for axes in (time, memory):
            axes.set_xscale("log")
            axes.grid(color=GRID, linewidth=0.8)
            axes.set_xticks(frames, [_short(number) for number in frames])
            axes.minorticks_off()
            axes.set_xlim(frames[0] / 1.5, frames[-1] * 1.5)
        save(made, path)


def _time(axes: Axes, frames: np.ndarray, measured: Sequence[Scaled]) -> None:
    total = np.array([one.total for one in measured])
    axes.plot(frames, total, "o-", color=INK, linewidth=2.2, markersize=6, label="all of it")
    for part, marker, colour in zip(measured[0].seconds, MARKERS, COLOURS):
        axes.plot(frames, [one.seconds[part] for one in measured], marker=marker, color=colour, linewidth=1.3,
                  markersize=5, label=part)
    axes.plot(frames, total[-1] * frames / frames[-1], color=GREY, linewidth=1.1, linestyle=(0, (4, 2)),
              label="in proportion to frames")
    axes.set_yscale("log")
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    describe(axes, "frames", "seconds", "Time")


def _short(number: int) -> str:
    return f"{number / 1e6:g}M" if number >= 1_000_000 else f"{number // 1000}k"
