"""Lines and strips of colours over the frames of one video, broken where frames are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.style import PALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_COLUMNS = 1600
"""Pixels of a strip at most; of more frames the nearest ones are shown."""
MIN_GAP, GAP_FACTOR = 5.5, 2.2
"""A gap is shown where more frames are missing, and more than so many usual distances of two frames."""
LONG_VIDEO_FRAMES = 1200
"""Frames of a video that is long."""


def nearest_frames(frames: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of at most `MAX_COLUMNS` pixels between two frames: the nearest row of `frames` (ascending), and whether
    one is near at all.
    """
    width = min(last - first + 1, MAX_COLUMNS)
    wanted = first - 0.5 + (np.arange(width) + 0.5) * (last - first + 1) / width
    right = np.searchsorted(frames, wanted).clip(max=len(frames) - 1)
    left = (right - 1).clip(min=0)
    nearest = np.where(np.abs(frames[left] - wanted) <= np.abs(frames[right] - wanted), left, right)
    return nearest, np.abs(frames[nearest] - wanted) <= neighbor_distance(frames) / 2


def show_image(axes: Axes, colours: np.ndarray, first: int, last: int) -> None:
    """An image [rows, columns, 3] between two frames, without an edge; its rows are numbered from 0 at the top."""
    axes.imshow(
        colours, aspect="auto", interpolation="nearest", extent=(first - 0.5, last + 0.5, len(colours) - 0.5, -0.5)
    )
    axes.spines[:].set_visible(False)


def draw_strip(axes: Axes, colours: np.ndarray, frames: np.ndarray, first: int, last: int) -> None:
    """Colours [rows, M, 3] at their frames; white where no frame is near."""
    order = np.argsort(frames, kind="stable")
    nearest, near = nearest_frames(frames[order], first, last)
    image = colours[:, order][:, nearest]
    image[:, ~near] = 1
    show_image(axes, image, first, last)


def draw_raw_line(axes: Axes, frames: np.ndarray, values: np.ndarray) -> None:
    """Pale; fainter in a long video, where it would hide all else."""
    draw_line(
        axes,
        frames,
        values,
        PALE,
        0.8 if len(frames) < LONG_VIDEO_FRAMES else 0.5,
        1.0 if len(frames) < LONG_VIDEO_FRAMES else 0.45,
    )


def draw_line(
    axes: Axes, frames: np.ndarray, values: np.ndarray, colour: str, width: float, alpha: float = 1.0
) -> None:
    """A line that is broken where frames are missing."""
    order = np.argsort(frames, kind="stable")
    frames, values = frames[order], values[order]
    gaps = np.flatnonzero(np.diff(frames) > neighbor_distance(frames)) + 1
    axes.plot(
        np.insert(frames.astype(float), gaps, np.nan),
        np.insert(values.astype(float), gaps, np.nan),
        color=colour,
        linewidth=width,
        alpha=alpha,
        solid_capstyle="round",
    )


def neighbor_distance(frames: np.ndarray) -> float:
    """The distance up to which two frames are drawn as neighbours."""
    return max(MIN_GAP, GAP_FACTOR * float(np.median(np.diff(frames)))) if len(frames) > 1 else MIN_GAP


def color_to_rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
