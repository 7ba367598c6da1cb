"""Words beside points of a scatter, where they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.style import DPI, INK, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

FONT_SIZE = 8.0
"""Of the words, in points."""
NEAR, FAR = 3.0, 16.0
"""Points between a mark and its words: at first, and where that is taken; further away a line leads to them."""
HALO_PIXELS = 3.0
"""Pixels of white around the words, so that they are read across lines."""
DIRECTIONS = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Places that are tried, those beside the lines through a point first."""


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    radii: Sequence[float],
    first: Sequence[bool],
) -> int:
    """Write each label where there is room, those of `first` before the others; how many were written.

    radii: of the marks, in points. The axes keep their limits, and must have them and their place already.
    """
    pixels = DPI / 72
    at = axes.transData.transform(np.array(points, dtype=np.float64).reshape(-1, 2))
    box = axes.get_window_extent()
    taken = [_marker_box(x, y, radius * pixels) for (x, y), radius in zip(at, radii)]
    written = 0
    for i in sorted((i for i, label in enumerate(labels) if label), key=lambda i: not first[i]):
        size = _label_size(axes, labels[i])
        for distance in (NEAR, FAR):
            place = _find_free_box(at[i], (radii[i] + distance) * pixels, size, taken[:i] + taken[i + 1 :], box)
            if place is not None:
                _draw_label(axes, at[i], place, labels[i], distance == FAR, size)
                taken.append(place)
                written += 1
                break
    return written


Box = tuple[float, float, float, float]
"""Left, bottom, right and top in pixels."""


def _marker_box(x: float, y: float, radius: float) -> Box:
    return x - radius, y - radius, x + radius, y + radius


def _label_size(axes: Axes, label: str) -> tuple[float, float]:
    """Width and height in pixels, with the halo."""
    text = axes.text(0.5, 0.5, label, transform=axes.transAxes, fontsize=FONT_SIZE, **TEXT)
    found = text.get_window_extent()
    text.remove()
    return found.width + 2 * HALO_PIXELS, found.height + 2 * HALO_PIXELS


def _find_free_box(
    point: np.ndarray, away: float, size: tuple[float, float], taken: Sequence[Box], box: Bbox
) -> Box | None:
    """The first place around a point that is inside the axes and overlaps nothing."""
    width, height = size
    for across, up in DIRECTIONS:
        near = away * (0.6 if across and up else 1)
        x, y = point[0] + across * (near + width / 2), point[1] + up * (near + height / 2)
        place = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        inside = place[0] > box.x0 and place[1] > box.y0 and place[2] < box.x1 and place[3] < box.y1
        if inside and not any(_boxes_overlap(place, other) for other in taken):
            return place
    return None


def _boxes_overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _draw_label(axes: Axes, point: np.ndarray, place: Box, label: str, leads: bool, size: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    back = axes.transData.inverted()
    middle = back.transform((place[0] + size[0] / 2, place[1] + size[1] / 2))
    axes.text(
        *middle,
        label,
        fontsize=FONT_SIZE,
        color=INK,
        ha="center",
        va="center",
        zorder=6,
        path_effects=[withStroke(linewidth=HALO_PIXELS * 72 / DPI, foreground="white")],
        **TEXT,
    )
    if leads:
        x = min(max(point[0], place[0]), place[2])
        y = min(max(point[1], place[1]), place[3])
        axes.plot(*zip(back.transform(point), back.transform((x, y))), color=INK, linewidth=0.6, alpha=0.6, zorder=5)
