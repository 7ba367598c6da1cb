"""Timeline panels of one video: lines of valence and arousal, strips of expressions and action units."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.scored_run import OutputRows, ScoredRun
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.plotting.style import BLUE, CLASS_COLORS, GRID, INK, PALE, TEXT, label_rows
from harness.utils.plotting.timeline import color_to_rgb, draw_line, draw_raw_line, draw_strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP_HEIGHT, LINE_HEIGHT, UNIT_HEIGHT = 0.2, 0.95, 0.165
"""Heights, in inches, of a class strip, of a panel of lines and of one action unit."""
DrawPanel = Callable[["Axes", int, int], None]
"""Function that draws a panel on axes, from a first to a last frame."""
Panels = list[tuple[DrawPanel, float]]
"""Functions that draw panels, with the heights of the panels in inches."""


def total_height(name: str, several: bool) -> float:
    """Return the height of all panels of an output in inches.

    Parameters
    ----------
    name : {"va", "expr", "au"}
        The output.
    several : bool
        Whether the figure has several outputs; if so, the probability of the labeled expression has no panel.
    """
    return {
        "va": 2 * LINE_HEIGHT,
        "expr": 3 * STRIP_HEIGHT + 0.08 + (0 if several else LINE_HEIGHT),
        "au": 12 * UNIT_HEIGHT + 0.08,
    }[name]


def affect_panels(run: ScoredRun, block: OutputRows, several: bool) -> Panels:
    """Return the panels of valence and arousal."""
    return [(partial(_draw_affect, block, i, _value_range(run)), LINE_HEIGHT) for i in range(len(AFFECTS))]


def expression_panels(run: ScoredRun, block: OutputRows, several: bool) -> Panels:
    """Return the panels of expressions."""
    panels: Panels = [(partial(_draw_classes, block), 3 * STRIP_HEIGHT + 0.08)]
    return panels if several else [*panels, (partial(_draw_probability, block), LINE_HEIGHT)]


def action_unit_panels(run: ScoredRun, block: OutputRows, several: bool) -> Panels:
    """Return the panel of action units."""
    return [(partial(_draw_action_units, run, block), 12 * UNIT_HEIGHT + 0.08)]


PANELS: dict[str, Callable[[ScoredRun, OutputRows, bool], Panels]] = {
    "va": affect_panels,
    "expr": expression_panels,
    "au": action_unit_panels,
}


def draw_legends(figure: Figure, names: tuple[str, ...], run: ScoredRun, top: float, height: float) -> None:
    """Draw one legend for each output, from `top` inches downwards."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines = {
        "va": [
            Line2D([], [], color=INK, linewidth=1.4, label="label"),
            Line2D([], [], color=PALE, linewidth=1, label="raw"),
            Line2D([], [], color=BLUE, linewidth=1.6, label="smoothed"),
        ],
        "expr": [Patch(color=color, label=name) for name, color in zip(EXPRESSIONS, CLASS_COLORS)],
        "au": [
            Patch(color=color, label=f"{source} present")
            for source, color in (("label:", INK), ("raw decision:", PALE), ("smoothed decision:", BLUE))
        ],
    }
    for number, name in enumerate(names):
        figure.legend(
            handles=lines[name],
            loc="upper left",
            ncols=8,
            fontsize=8.5,
            frameon=False,
            handlelength=1.2,
            bbox_to_anchor=(0.14 / figure.get_figwidth(), (top - number * height) / figure.get_figheight()),
            columnspacing=1.3,
            handletextpad=0.5,
            borderaxespad=0,
        )


def _value_range(run: ScoredRun) -> tuple[float, float]:
    """Return the range of values over all videos, widened to multiples of 0.25.

    All videos have an axis with this range. Raw outputs below the 1st or above the 99th percentile are ignored.
    """
    block = run.blocks["va"]
    low, high = np.percentile(block.raw, [1, 99])
    low = min(low, block.smoothed.min(), block.target.min(), -0.1)
    high = max(high, block.smoothed.max(), block.target.max(), 0.1)
    return float(np.floor(4 * low) / 4), float(np.ceil(4 * high) / 4)


def _draw_affect(block: OutputRows, i: int, limits: tuple[float, float], axes: Axes, first: int, last: int) -> None:
    axes.axhline(0, color=GRID, linewidth=0.8)
    draw_raw_line(axes, block.frame, block.raw[:, i])
    draw_line(axes, block.frame, block.target[:, i], INK, 1.4)
    draw_line(axes, block.frame, block.smoothed[:, i], BLUE, 1.5)
    axes.set_ylim(*limits)
    axes.set_yticks([limits[0], 0, limits[1]])
    low, _, high = axes.get_yticklabels()
    low.set_verticalalignment("bottom")
    high.set_verticalalignment("top")
    axes.set_ylabel(AFFECTS[i], fontsize=8.5, color=INK, **TEXT)


def _draw_probability(block: OutputRows, axes: Axes, first: int, last: int) -> None:
    labeled = (np.arange(len(block.target)), block.target)
    draw_raw_line(axes, block.frame, block.raw[labeled])
    draw_line(axes, block.frame, block.smoothed[labeled], BLUE, 1.5)
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_ylabel("p(label)", fontsize=8.5, color=INK, **TEXT)


def _draw_classes(block: OutputRows, axes: Axes, first: int, last: int) -> None:
    rows = np.stack([block.target, block.raw.argmax(axis=1), block.smoothed.argmax(axis=1)])
    draw_strip(axes, np.array([color_to_rgb(color) for color in CLASS_COLORS])[rows], block.frame, first, last)
    label_rows(axes, range(3), ("label", "raw", "smoothed"), 0.05)
    axes.hlines([0.5, 1.5], first - 0.5, last + 0.5, color="white", linewidth=1.5)


def _draw_action_units(run: ScoredRun, block: OutputRows, axes: Axes, first: int, last: int) -> None:
    """Draw three rows for each action unit (label, raw, smoothed), separated by a white row."""
    decisions = [block.target == 1, block.raw >= run.thresholds, block.smoothed >= run.thresholds]
    colors = np.ones((len(ACTION_UNITS), 4, len(block.frame), 3))
    colors[:, :3] = color_to_rgb("#f4f6f8")
    for row, (present, color) in enumerate(zip(decisions, (INK, PALE, BLUE))):
        colors[:, row][present.T] = color_to_rgb(color)
    draw_strip(axes, colors.reshape(-1, len(block.frame), 3), block.frame, first, last)
    label_rows(axes, 4 * np.arange(len(ACTION_UNITS)) + 1, ACTION_UNITS, 0.05, 8)
