"""Lines and color strips over the frames of a video, with gaps where frames are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.utils.plotting.style import PALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_COLUMNS = 1600
"""Maximum width of a strip in pixels; longer videos are sampled."""
MIN_GAP, GAP_FACTOR = 5.5, 2.2
"""A gap is drawn between two frames whose distance exceeds both `MIN_GAP` and `GAP_FACTOR` times the median."""
LONG_VIDEO_FRAMES = 1200
"""Number of frames from which a video is considered long."""


def nearest_frames(frames: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest frame for each pixel of a strip.

    Parameters
    ----------
    frames : ndarray of int
        Ascending frame numbers.
    first, last : int
        First and last frame of the strip, which has at most `MAX_COLUMNS` pixels.

    Returns
    -------
    nearest : ndarray of int, shape (pixels,)
        Index into `frames`.
    near : ndarray of bool, shape (pixels,)
        Whether that frame is close enough to be shown; see `neighbor_distance`.
    """
    width = min(last - first + 1, MAX_COLUMNS)
    positions = first - 0.5 + (np.arange(width) + 0.5) * (last - first + 1) / width
    right = np.searchsorted(frames, positions).clip(max=len(frames) - 1)
    left = (right - 1).clip(min=0)
    nearest = np.where(np.abs(frames[left] - positions) <= np.abs(frames[right] - positions), left, right)
    return nearest, np.abs(frames[nearest] - positions) <= neighbor_distance(frames) / 2


def show_image(axes: Axes, colors: np.ndarray, first: int, last: int) -> None:
    """Show an image [rows, columns, 3] from one frame to another, without a border; row 0 is at the top."""
    axes.imshow(
        colors, aspect="auto", interpolation="nearest", extent=(first - 0.5, last + 0.5, len(colors) - 0.5, -0.5)
    )
    axes.spines[:].set_visible(False)


def draw_strip(axes: Axes, colors: np.ndarray, frames: np.ndarray, first: int, last: int) -> None:
    """Draw the colors of M frames, [rows, M, 3], and white where no frame is near."""
    order = np.argsort(frames, kind="stable")
    nearest, near = nearest_frames(frames[order], first, last)
    image = colors[:, order][:, nearest]
    image[:, ~near] = 1
    show_image(axes, image, first, last)


def draw_raw_line(axes: Axes, frames: np.ndarray, values: np.ndarray) -> None:
    """Draw a pale line of unsmoothed values, fainter in a long video, where it would hide everything else."""
    width, alpha = (0.8, 1.0) if len(frames) < LONG_VIDEO_FRAMES else (0.5, 0.45)
    draw_line(axes, frames, values, PALE, width, alpha)


def draw_line(axes: Axes, frames: np.ndarray, values: np.ndarray, color: str, width: float, alpha: float = 1.0) -> None:
    """Draw a line that is interrupted where frames are missing."""
    order = np.argsort(frames, kind="stable")
    frames, values = frames[order], values[order]
    gaps = np.flatnonzero(np.diff(frames) > neighbor_distance(frames)) + 1
    axes.plot(
        np.insert(frames.astype(float), gaps, np.nan),
        np.insert(values.astype(float), gaps, np.nan),
        color=color,
        linewidth=width,
        alpha=alpha,
        solid_capstyle="round",
    )


def neighbor_distance(frames: np.ndarray) -> float:
    """Return the largest distance of two frames that are drawn without a gap between them."""
    return max(MIN_GAP, GAP_FACTOR * float(np.median(np.diff(frames)))) if len(frames) > 1 else MIN_GAP


def color_to_rgb(color: str) -> tuple[float, float, float]:
    """Convert a matplotlib color to red, green and blue between 0 and 1."""
    from matplotlib.colors import to_rgb

    return to_rgb(color)
