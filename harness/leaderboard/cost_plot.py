"""Plot of accuracy against latency, with file size as marker area and the Pareto front as a line."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.leaderboard.columns import SHORT_WORDS
from harness.leaderboard.cost_text import CostRow, measured_devices
from harness.leaderboard.row_keys import board_key
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
"""Sizes in inches: width of the figure, height of a panel, width of the legend, and distance between panels."""
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.CLASS_COLORS[4], style.SKY, style.CLASS_COLORS[7])
"""Colors of backbones; further backbones are gray."""
MARKERS = {"float32": "o", "float16": "s", "int8": "^"}
DEFAULT_MARKER = "D"
MAX_AREA, MIN_AREA = 330.0, 22.0
"""Marker area of the largest file, and smallest marker area; both in square points."""


class Point(NamedTuple):
    """An exported file with its score and its latency.

    Attributes
    ----------
    row : CostRow
        The row of the file.
    latency : float
        Median milliseconds for one crop on one thread.
    value : float
        The score.
    size : int
        Bytes.
    """

    row: CostRow
    latency: float
    value: float
    size: int


def draw_cost(path: Path, rows: list[CostRow]) -> None:
    """Write a PNG of accuracy against latency.

    Parameters
    ----------
    path : Path
        The PNG.
    rows : list of CostRow
        Rows of `harness.leaderboard.cost.cost_rows`. Rows with a score and a latency are drawn, in one panel for
        each board.
    """
    points = [
        Point(row, row.latency_1, row.value, row.size or 0)
        for row in rows
        if row.value is not None and row.latency_1 is not None
    ]
    boards = [list(part) for _, part in groupby(points, key=lambda point: board_key(point.row))]
    colors = _backbone_colors(points)
    devices = "; ".join(measured_devices(_rows(points)))
    with plotting_context():
        figure = make_titled_figure(
            WIDTH,
            len(boards) * (HEIGHT + PANEL_GAP),
            "Accuracy and cost of exported runs",
            (
                f"latency of one crop after warm-up, one thread; measured on {devices}",
                "area: file size; whiskers: 95% CI of the score, for one file of each run; dashed line: Pareto front",
            ),
        )
        for i, board in enumerate(boards):
            bottom = (len(boards) - 1 - i) * (HEIGHT + PANEL_GAP) + 0.62
            axes = add_panel(figure, 0.8, bottom, WIDTH - 0.95 - LEGEND_WIDTH, HEIGHT)
            _plot_board(axes, board, colors, "; ".join(board_title(_rows(board), rows)[:2]))
        save_png(figure, path)


def _rows(points: list[Point]) -> list[CostRow]:
    return [point.row for point in points]


def _plot_board(axes: Axes, points: list[Point], colors: dict[str, str], heading: str) -> None:
    largest = max(point.size for point in points)
    areas = [max(MIN_AREA, MAX_AREA * point.size / largest) for point in points]
    _connect_files(axes, points, colors)
    labels = _point_labels(points)
    for point, area, label in sorted(zip(points, areas, labels), key=lambda item: -item[1]):
        _plot_file(axes, point, area, colors[point.row.backbone])
        if label is not None:
            _plot_interval(axes, point, colors[point.row.backbone])
    _plot_pareto_front(axes, points)
    _set_scales(axes, points)
    axes.grid(color=GRID, linewidth=0.8)
    set_labels(axes, "latency per crop in ms (median, one thread; lower is better)", points[0].row.metric, heading)
    _add_legend(axes, points, areas, colors)
    label_points(
        axes,
        [(point.latency, point.value) for point in points],
        [label or "" for label in labels],
        [area**0.5 / 2 for area in areas],
        [point.row.pareto for point in points],
    )


def _connect_files(axes: Axes, points: list[Point], colors: dict[str, str]) -> None:
    """Draw a thin line through the files of the same run, seed, format and device."""
    groups: dict[tuple[object, ...], list[Point]] = defaultdict(list)
    for point in points:
        groups[point.row.run_id, point.row.seed, point.row.format, point.row.device].append(point)
    for group in groups.values():
        group.sort(key=lambda point: point.latency)
        axes.plot(
            [point.latency for point in group],
            [point.value for point in group],
            color=colors[group[0].row.backbone],
            linewidth=0.9,
            alpha=0.45,
            zorder=2,
        )


def _plot_file(axes: Axes, point: Point, area: float, color: str) -> None:
    row = point.row
    axes.scatter(
        [point.latency],
        [point.value],
        s=area,
        marker=MARKERS.get(row.precision or "", DEFAULT_MARKER),
        color=color,
        alpha=0.85,
        edgecolors=INK if row.pareto else "white",
        linewidths=1.4 if row.pareto else 0.8,
        zorder=4,
    )


def _plot_interval(axes: Axes, point: Point, color: str) -> None:
    low, high = point.row.ci_low, point.row.ci_high
    if low is not None and high is not None:
        axes.errorbar(
            [point.latency],
            [point.value],
            yerr=[[point.value - low], [high - point.value]],
            ecolor=color,
            elinewidth=1.1,
            capsize=3.5,
            fmt="none",
            alpha=0.6,
            zorder=2,
        )


def _plot_pareto_front(axes: Axes, points: list[Point]) -> None:
    """Draw the Pareto front of each device as steps."""
    for device in measured_devices(_rows(points)):
        front = sorted(
            (point.latency, point.value) for point in points if point.row.pareto and point.row.device == device
        )
        if len(front) > 1:
            axes.step(*zip(*front), where="post", color=GRAY, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)


def _set_scales(axes: Axes, points: list[Point]) -> None:
    """Set a logarithmic axis with ticks in milliseconds, and limits with room for markers and labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    latencies = [point.latency for point in points]
    axes.set_xscale("log")
    ratio = max(latencies) / min(latencies)
    margin = max(1.35, ratio**0.14)
    axes.set_xlim(min(latencies) / margin, max(latencies) * margin)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if ratio < 30 else (1, 2, 5), numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    values = [
        value for point in points for value in (point.value, point.row.ci_low, point.row.ci_high) if value is not None
    ]
    padding = 0.06 * (max(values) - min(values)) or 0.05
    axes.set_ylim(min(values) - padding, max(values) + padding)


def _backbone_colors(points: list[Point]) -> dict[str, str]:
    """Assign each backbone a color, the same on every board."""
    names = sorted({point.row.backbone for point in points})
    return {name: COLORS[i] if i < len(COLORS) else PALE for i, name in enumerate(names)}


def _point_labels(points: list[Point]) -> list[str | None]:
    """Label one file of each run and format, preferably on the Pareto front; None for the others.

    A label names head, features and format, each only if rows of the board differ in it. The first setting that
    distinguishes the row follows.
    """
    rows = _rows(points)
    differing = [name for name in ("head", "features", "format") if len({getattr(row, name) for row in rows}) > 1]
    labeled: set[tuple[str, str | None]] = set()
    labels: list[str | None] = [None] * len(rows)
    for i in sorted(range(len(rows)), key=lambda i: not rows[i].pareto):
        row = rows[i]
        if (key := (row.run_id, row.format)) not in labeled:
            labeled.add(key)
            words = [SHORT_WORDS.get(getattr(row, name), getattr(row, name)) for name in differing]
            labels[i] = " ".join(words + row.distinction[:1])
    return labels


def _add_legend(axes: Axes, points: list[Point], areas: list[float], colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    def legend_entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **look)

    precisions = {point.row.precision or "" for point in points}
    backbones = sorted({point.row.backbone for point in points})
    sizes = sorted((point.size, area) for point, area in zip(points, areas))
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
