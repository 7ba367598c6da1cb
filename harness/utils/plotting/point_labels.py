"""Labels of scatter plot points, placed so that they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.style import DPI, INK, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

FONT_SIZE = 8.0
"""Font size of the labels, in points."""
NEAR, FAR = 3.0, 16.0
"""Distances between a marker and its label, in points: `NEAR` if there is room, else `FAR` with a connecting line."""
HALO_PIXELS = 3.0
"""Width in pixels of the white outline that keeps labels legible on lines."""
DIRECTIONS = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Directions (right, up) in which a place for the label of a point is searched, in this order."""


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    radii: Sequence[float],
    first: Sequence[bool],
) -> int:
    """Label points where there is room.

    Parameters
    ----------
    axes : Axes
        Its limits and position must be final.
    points : sequence of (float, float)
        Points in data coordinates.
    labels : sequence of str
        Empty labels are skipped.
    radii : sequence of float
        Radii of the markers, in points.
    first : sequence of bool
        Whether a label is placed before the others.

    Returns
    -------
    int
        Number of labels that were drawn.
    """
    pixels = DPI / 72
    positions = axes.transData.transform(np.array(points, dtype=np.float64).reshape(-1, 2))
    axes_box = axes.get_window_extent()
    occupied = [_marker_box(x, y, radius * pixels) for (x, y), radius in zip(positions, radii)]
    drawn = 0
    for i in sorted((i for i, label in enumerate(labels) if label), key=lambda i: not first[i]):
        size, others = _label_size(axes, labels[i]), occupied[:i] + occupied[i + 1 :]
        for distance in (NEAR, FAR):
            box = _find_free_box(positions[i], (radii[i] + distance) * pixels, size, others, axes_box)
            if box is not None:
                _draw_label(axes, positions[i], box, labels[i], distance == FAR, size)
                occupied.append(box)
                drawn += 1
                break
    return drawn


Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""


def _marker_box(x: float, y: float, radius: float) -> Box:
    return x - radius, y - radius, x + radius, y + radius


def _label_size(axes: Axes, label: str) -> tuple[float, float]:
    """Return width and height of a label in pixels, with its outline."""
    text = axes.text(0.5, 0.5, label, transform=axes.transAxes, fontsize=FONT_SIZE, **TEXT)
    extent = text.get_window_extent()
    text.remove()
    return extent.width + 2 * HALO_PIXELS, extent.height + 2 * HALO_PIXELS


def _find_free_box(
    point: np.ndarray, distance: float, size: tuple[float, float], occupied: Sequence[Box], axes_box: Bbox
) -> Box | None:
    """Return the first box around a point that is inside the axes and overlaps nothing."""
    width, height = size
    for right, up in DIRECTIONS:
        gap = distance * (0.6 if right and up else 1)
        x, y = point[0] + right * (gap + width / 2), point[1] + up * (gap + height / 2)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        inside = box[0] > axes_box.x0 and box[1] > axes_box.y0 and box[2] < axes_box.x1 and box[3] < axes_box.y1
        if inside and not any(_boxes_overlap(box, obstacle) for obstacle in occupied):
            return box
    return None


def _boxes_overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _draw_label(
    axes: Axes, point: np.ndarray, box: Box, label: str, with_line: bool, size: tuple[float, float]
) -> None:
    from matplotlib.patheffects import withStroke

    to_data = axes.transData.inverted()
    center_x, center_y = to_data.transform((box[0] + size[0] / 2, box[1] + size[1] / 2))
    axes.text(
        center_x,
        center_y,
        label,
        fontsize=FONT_SIZE,
        color=INK,
        ha="center",
        va="center",
        zorder=6,
        path_effects=[withStroke(linewidth=HALO_PIXELS * 72 / DPI, foreground="white")],
        **TEXT,
    )
    if with_line:
        x = min(max(point[0], box[0]), box[2])
        y = min(max(point[1], box[1]), box[3])
        ends = zip(to_data.transform(point), to_data.transform((x, y)))
        axes.plot(*ends, color=INK, linewidth=0.6, alpha=0.6, zorder=5)
