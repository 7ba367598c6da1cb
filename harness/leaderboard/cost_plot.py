"""Accuracy against latency: files as areas of their size, intervals as whiskers, the Pareto front as a line."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.leaderboard.columns import SHORT_WORDS
from harness.leaderboard.cost_text import CostRow, measured_devices
from harness.leaderboard.rows import board_key
from harness.leaderboard.table import board_title
from harness.utils.plotting import style
from harness.utils.plotting.point_labels import label_points
from harness.utils.plotting.style import (
    GRAY,
    GRID,
    INK,
    PALE,
    add_panel,
    make_titled_figure,
    plotting_context,
    save_png,
    set_labels,
    truncate,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, LEGEND_WIDTH, PANEL_GAP = 9.2, 4.3, 2.35, 1.15
"""Inches of the picture, of a panel, of the legend on its right, and from panel to panel."""
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.CLASS_COLORS[4], style.SKY, style.CLASS_COLORS[7])
"""Of backbones; those after the last are grey."""
MARKERS = {"float32": "o", "float16": "s", "int8": "^"}
DEFAULT_MARKER = "D"
MAX_AREA, MIN_AREA = 330.0, 22.0
"""Area of the largest file's mark in square points, and the least that is seen."""


def draw_cost(path: Path, rows: list[CostRow]) -> None:
    """Write a PNG of the rows of `harness.leaderboard.cost` that are scored and measured, a panel for each board."""
    drawn = [row for row in rows if row.value is not None and row.latency_1 is not None]
    boards = [list(part) for _, part in groupby(drawn, key=board_key)]
    colors = _backbone_colors(drawn)
    with plotting_context():
        made = make_titled_figure(
            WIDTH,
            len(boards) * (HEIGHT + PANEL_GAP),
            "Accuracy and cost of exported runs",
            (
                f"one crop, warm, one thread; measured on {'; '.join(measured_devices(drawn))}",
                "area: size of the file; whiskers: 95 % interval of its score, for one file of each run; "
                "dashes: Pareto front",
            ),
        )
        for place, listed in enumerate(boards):
            bottom = (len(boards) - 1 - place) * (HEIGHT + PANEL_GAP) + 0.62
            axes = add_panel(made, 0.8, bottom, WIDTH - 0.95 - LEGEND_WIDTH, HEIGHT)
            _plot_board(axes, listed, colors, "; ".join(board_title(listed, rows)[:2]))
        save_png(made, path)


def _plot_board(axes: Axes, listed: list[CostRow], colors: dict[str, str], heading: str) -> None:
    largest = max(row.size for row in listed)
    areas = [max(MIN_AREA, MAX_AREA * row.size / largest) for row in listed]
    _connect_files(axes, listed, colors)
    labels = _point_labels(listed)
    for row, area, label in sorted(zip(listed, areas, labels), key=lambda drawn: -drawn[1]):
        _plot_file(axes, row, area, colors[row.backbone])
        if label is not None:
            _plot_interval(axes, row, colors[row.backbone])
    _plot_pareto_front(axes, listed)
    _set_scales(axes, listed)
    axes.grid(color=GRID, linewidth=0.8)
    set_labels(axes, "milliseconds a crop (median, one thread; the less the better)", listed[0].metric, heading)
    _add_legend(axes, listed, areas, colors)
    label_points(
        axes,
        [(row.latency_1, row.value) for row in listed],
        [label or "" for label in labels],
        [area**0.5 / 2 for area in areas],
        [row.pareto for row in listed],
    )


def _connect_files(axes: Axes, listed: list[CostRow], colors: dict[str, str]) -> None:
    """A thin line through the files of one run and format."""
    joined: dict[tuple, list[CostRow]] = defaultdict(list)
    for row in listed:
        joined[row.run_id, row.seed, row.format, row.device].append(row)
    for several in joined.values():
        several.sort(key=lambda row: row.latency_1)
        axes.plot(
            [row.latency_1 for row in several],
            [row.value for row in several],
            color=colors[several[0].backbone],
            linewidth=0.9,
            alpha=0.45,
            zorder=2,
        )


def _plot_file(axes: Axes, row: CostRow, area: float, color: str) -> None:
    axes.scatter(
        [row.latency_1],
        [row.value],
        s=area,
        marker=MARKERS.get(row.precision, DEFAULT_MARKER),
        color=color,
        alpha=0.85,
        edgecolors=INK if row.pareto else "white",
        linewidths=1.4 if row.pareto else 0.8,
        zorder=4,
    )


def _plot_interval(axes: Axes, row: CostRow, color: str) -> None:
    if row.ci_low is not None and row.ci_high is not None:
        away = [[row.value - row.ci_low], [row.ci_high - row.value]]
        axes.errorbar(
            [row.latency_1],
            [row.value],
            yerr=away,
            ecolor=color,
            elinewidth=1.1,
            capsize=3.5,
            fmt="none",
            alpha=0.6,
            zorder=2,
        )


def _plot_pareto_front(axes: Axes, listed: list[CostRow]) -> None:
    """Steps: between two files on the front nothing is offered. One for each device."""
    for device in measured_devices(listed):
        ahead = sorted((row.latency_1, row.value) for row in listed if row.pareto and row.device == device)
        if len(ahead) > 1:
            axes.step(*zip(*ahead), where="post", color=GRAY, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)


def _set_scales(axes: Axes, listed: list[CostRow]) -> None:
    """A logarithmic axis with ticks that are read as milliseconds, and room for the widest marks and labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    times = [row.latency_1 for row in listed]
    axes.set_xscale("log")
    spread = max(1.35, (max(times) / min(times)) ** 0.14)
    axes.set_xlim(min(times) / spread, max(times) * spread)
    few = max(times) / min(times) < 30
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if few else (1, 2, 5), numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    ends = [end for row in listed for end in (row.value, row.ci_low, row.ci_high) if end is not None]
    room = 0.06 * (max(ends) - min(ends)) or 0.05
    axes.set_ylim(min(ends) - room, max(ends) + room)


def _backbone_colors(listed: list[CostRow]) -> dict[str, str]:
    """Of each backbone, the same on every board."""
    names = sorted({row.backbone for row in listed})
    return {name: COLORS[place] if place < len(COLORS) else PALE for place, name in enumerate(names)}


def _point_labels(listed: list[CostRow]) -> list[str | None]:
    """Of one file of each run, on the front where one is: what color and shape do not say, that is head, features and
    format where they differ. None for the others.
    """
    several = [name for name in ("head", "features", "format") if len({getattr(row, name) for row in listed}) > 1]
    known, labels = set[tuple](), list[str | None]([None] * len(listed))
    for place in sorted(range(len(listed)), key=lambda place: not listed[place].pareto):
        row = listed[place]
        if (key := (row.run_id, row.format)) not in known:
            known.add(key)
            words = [SHORT_WORDS.get(getattr(row, name), getattr(row, name)) for name in several] + row.distinction[:1]
            labels[place] = " ".join(words)
    return labels


def _add_legend(axes: Axes, listed: list[CostRow], areas: list[float], colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    def legend_entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **look)

    precisions = {row.precision for row in listed}
    backbones = sorted({row.backbone for row in listed})
    sizes = sorted((row.size, area) for row, area in zip(listed, areas))
    entries = [
        *(legend_entry(truncate(name, 24), marker="o", color=colors[name], markersize=7) for name in backbones),
        legend_entry(""),
        *(
            legend_entry(name, marker=MARKERS.get(name, DEFAULT_MARKER), color=GRAY, markersize=6.5)
            for name in [*(name for name in MARKERS if name in precisions), *sorted(precisions - MARKERS.keys())]
        ),
        legend_entry(
            "on the Pareto front",
            marker="o",
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=1.4,
            markersize=7,
        ),
        legend_entry(""),
        *(
            legend_entry(
                f"{size / 1e6:.2g} MB", marker="o", markerfacecolor="white", markeredgecolor=GRAY, markersize=area**0.5
            )
            for size, area in dict.fromkeys([sizes[0], sizes[-1]])
        ),
    ]
    axes.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        frameon=False,
        borderaxespad=0,
        prop={"family": style.TEXT["family"], "size": 8.5},
        labelcolor=INK,
        handletextpad=0.7,
        labelspacing=0.75,
    )
