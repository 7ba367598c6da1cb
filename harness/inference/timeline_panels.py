"""Panels of one face over time: presence, expressions, valence and arousal, action units."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.overlay.frame_faces import first_with_output
from harness.inference.result import Outputs, PredictionResult
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.plotting.style import BLUE, CLASS_COLORS, GRAY, GRID, INK, ORANGE, PALE, TEXT, label_rows
from harness.utils.plotting.timeline import (
    color_to_rgb,
    draw_line,
    draw_raw_line,
    draw_strip,
    nearest_frames,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEEN, UNSEEN = GRAY, "#dde2e7"
STACK = 120
"""Height in pixels of the stacked probabilities."""
STEPS = 64
"""Number of blue shades for probabilities."""
LABELS = {"": "face", "expr": "expression", "va": "affect", "au": "action units"}


class Timeline:
    """Rows of one face in order of frames.

    Attributes
    ----------
    result : PredictionResult
    face : int
        Number of the face.
    rows : ndarray
        Indices of its rows in the result.
    frames : ndarray
        Frame number of each row.
    first, last : int
        First and last frame of the result.
    seen : int
        Number of frames in which the face was found.
    """

    def __init__(self, result: PredictionResult, face: int) -> None:
        self.result, self.face = result, face
        self.rows = np.flatnonzero(result.face == face)
        self.frames = result.frame[self.rows]
        self.first, self.last = int(result.frames[0]), int(result.frames[-1])
        self.seen = int(result.found[self.rows].sum())

    def run(self, name: str) -> Outputs:
        """Get the run whose values are drawn for an output: the first run that provides it."""
        run = first_with_output(self.result.outputs, name)
        assert run is not None
        return run

    def values(self, name: str, raw: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Get the frame numbers and the values of an output, raw or smoothed; rows with NaN are left out."""
        run = self.run(name)
        values = (run.raw if raw else run.smoothed)[self.rows, run.task.slices()[name]]
        valid = ~np.isnan(values).any(axis=1)
        return self.frames[valid], values[valid]

    def dense(self, name: str, raw: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Get the values [F, columns] of an output in all F frames of the result, and a mask [F] of valid rows."""
        frames, values = self.values(name, raw)
        at = np.searchsorted(self.result.frames, frames)
        valid = np.zeros(len(self.result.frames), dtype=bool)
        valid[at] = True
        dense = np.zeros((len(valid), values.shape[1]))
        dense[at] = values
        return dense, valid

    @cached_property
    def limit(self) -> float:
        """Limit of the axes of valence and arousal, a multiple of 0.25, common to all faces."""
        run = self.run("va")
        values = np.abs(np.stack([run.raw, run.smoothed])[..., run.task.slices()["va"]])
        values = values[~np.isnan(values)]
        return max(0.25, float(np.ceil(4 * np.percentile(values, 99.5)) / 4)) if len(values) else 1.0


def presence(axes: Axes, face: Timeline) -> None:
    """Draw a strip: one color where the face was found, another for its other rows, and white elsewhere."""
    colors = np.ones((1, len(face.result.frames), 3))
    at = np.searchsorted(face.result.frames, face.frames)
    colors[0, at] = np.where(face.result.found[face.rows][:, None], color_to_rgb(SEEN), color_to_rgb(UNSEEN))
    draw_strip(axes, colors, face.result.frames, face.first, face.last)
    label_rows(axes, (0,), ("found",), 0.05)


def _stacked_probabilities(axes: Axes, face: Timeline) -> None:
    """Draw the eight probabilities stacked, Neutral at the bottom; if they sum to less than 1, the rest is white."""
    values, valid = face.dense("expr")
    nearest, near = nearest_frames(face.result.frames, face.first, face.last)
    cumulative = values.cumsum(axis=1)[nearest]
    heights = 1 - (np.arange(STACK) + 0.5) / STACK
    image = _class_colors((cumulative[None, :, :-1] < heights[:, None, None]).sum(axis=2))
    image[cumulative[:, -1] < heights[:, None]] = 1
    image[:, ~(near & valid[nearest])] = 1
    show_image(axes, image, face.first, face.last)
    axes.set_yticks([-0.5, STACK / 2 - 0.5, STACK - 0.5], ["1", "0.5", "0"])
    top, _, bottom = axes.get_yticklabels()
    top.set_verticalalignment("top")
    bottom.set_verticalalignment("bottom")
    axes.set_ylabel("probability", fontsize=8.5, color=INK, **TEXT)


def _predicted_expression(raw: bool, axes: Axes, face: Timeline) -> None:
    values, valid = face.dense("expr", raw)
    colors = np.where(valid[:, None], _class_colors(values.argmax(axis=1)), 1.0)
    draw_strip(axes, colors[None], face.result.frames, face.first, face.last)
    label_rows(axes, (0,), ("raw" if raw else "smoothed",), 0.05)


def _class_colors(index: np.ndarray) -> np.ndarray:
    """Map class indices of any shape to RGB colors in a new last axis."""
    return np.array([color_to_rgb(color) for color in CLASS_COLORS])[index]


def _affect(i: int, axes: Axes, face: Timeline) -> None:
    axes.axhline(0, color=GRID, linewidth=0.8)
    for raw in (True, False):
        frames, values = face.values("va", raw)
        if len(frames) and raw:
            draw_raw_line(axes, frames, values[:, i])
        elif len(frames):
            draw_line(axes, frames, values[:, i], BLUE, 1.6)
            if len(frames) == 1:
                axes.plot(frames, values[:, i], "o", color=BLUE, markersize=5)
    limit = face.limit
    axes.set_ylim(-1.07 * limit, 1.07 * limit)
    axes.set_yticks([-limit, 0, limit], [f"−{limit:g}", "0", f"+{limit:g}"])  # noqa: RUF001 - typographic minus
    bottom, _, top = axes.get_yticklabels()
    bottom.set_verticalalignment("bottom")
    top.set_verticalalignment("top")
    axes.set_ylabel(AFFECTS[i], fontsize=8.5, color=INK, **TEXT)


def _action_units(axes: Axes, face: Timeline) -> None:
    """Draw three rows per action unit: its probability, a thin row that marks where it is active, and a white row."""
    values, valid = face.dense("au")
    thresholds = face.run("au").thresholds
    active = values >= (0.5 if thresholds is None else np.array(thresholds))
    colors = np.ones((len(ACTION_UNITS), 4, len(values), 3))
    colors[:, :3] = _blues()[np.round(values.T * (STEPS - 1)).astype(int).clip(0, STEPS - 1)][:, None]
    colors[:, 2][active.T] = color_to_rgb(ORANGE)
    colors[:, :, ~valid] = 1
    draw_strip(axes, colors.reshape(-1, len(values), 3), face.result.frames, face.first, face.last)
    label_rows(axes, 4 * np.arange(len(ACTION_UNITS)) + 1, ACTION_UNITS, 0.05, 8)


def _blues() -> np.ndarray:
    from matplotlib import colormaps

    return colormaps["Blues"](np.linspace(0.04, 0.95, STEPS))[:, :3]


PANELS: dict[str, tuple[tuple[Callable[[Axes, Timeline], None], float], ...]] = {
    "expr": (
        (_stacked_probabilities, 1.08),
        (partial(_predicted_expression, True), 0.22),
        (partial(_predicted_expression, False), 0.26),
    ),
    "va": ((partial(_affect, 0), 0.8), (partial(_affect, 1), 0.8)),
    "au": ((_action_units, 12 * 0.15 + 0.08),),
}
"""Panels of each output with their heights in inches, from the top."""


def panel_height(name: str) -> float:
    """Compute the height in inches of all panels of an output."""
    return sum(height for _, height in PANELS[name])


def legend_handles(name: str) -> list:
    """Make the legend entries of an output; an empty name stands for the presence of a face."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if name == "expr":
        return [Patch(color=color, label=label) for label, color in zip(EXPRESSIONS, CLASS_COLORS)]
    if name == "va":
        return [
            Line2D([], [], color=PALE, linewidth=1, label="raw"),
            Line2D([], [], color=BLUE, linewidth=1.6, label="smoothed"),
        ]
    if name == "au":
        shades = _blues()
        return [
            Patch(color=shades[4], label="probability near 0"),
            Patch(color=shades[-1], label="near 1"),
            Patch(color=ORANGE, label="active"),
        ]
    return [Patch(color=SEEN, label="found"), Patch(color=UNSEEN, label="not found: filled in or left empty")]
