"""Summary figure of a result: the outputs of each face over time, and the frames in which the face was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.overlay.frame_faces import first_with_output
from harness.inference.result import PredictionResult
from harness.inference.timeline_panels import LABELS, PANELS, Timeline, legend_handles, panel_height, presence
from harness.utils.plotting.style import (
    GRAY,
    INK,
    TEXT,
    add_panel,
    make_titled_figure,
    plotting_context,
    save_png,
    truncate,
)
from harness.utils.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUMMARY = "summary.png"
WIDTH, LEFT, RIGHT = 9.6, 0.95, 0.2
ABOVE, BELOW, SEEN, LEGEND = 0.36, 0.5, 0.2, 0.24
TALLEST = 17.0
"""Maximum height in inches of the panels of all faces together; at least one face is always shown."""
LABEL = {1: 62, 2: 38, 3: 20}
"""For each number of runs: maximum length of a run's label, so that all labels fit on one line."""
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Possible distances in seconds between two ticks."""


def write_summary(result: PredictionResult, folder: Path) -> Path:
    """Write summary.png atomically and return its path.

    The figure shows for each face: the frames in which it was found, the probabilities of the expressions, the
    predicted expression before and after smoothing, valence and arousal, and action units. If there is no room for all
    faces, only the faces that were found in the most frames are shown.
    """
    faces, counts = np.unique(result.face[result.found], return_counts=True)
    names = [name for name in PANELS if len(faces) and first_with_output(result.outputs, name)]
    each = ABOVE + SEEN + sum(map(panel_height, names)) + BELOW
    longest = faces[np.lexsort((faces, -counts))][: max(1, int(TALLEST / each))]
    legends = LEGEND * (len(names) + 1)
    path = folder / SUMMARY
    with plotting_context():
        total = legends + 0.1 + max(len(longest) * each, 0.6)
        name = truncate(Path(result.source).name, 70)
        figure = make_titled_figure(WIDTH, total, f"Predictions for {name}", _heading(result, names, faces))
        if len(faces):
            _legends(figure, names, total)
        else:
            figure.text(
                0.14 / WIDTH, 0.45 / figure.get_figheight(), "No face was found.", fontsize=11, color=INK, **TEXT
            )
        for number, face in enumerate(sorted(longest)):
            _face(figure, Timeline(result, int(face)), names, total - legends - 0.1 - number * each)
        if len(longest) < len(faces):
            _note_omitted_faces(figure, faces, counts, longest)
        save_png(figure, path)
    return path


def _heading(result: PredictionResult, names: list[str], faces: np.ndarray) -> tuple[str, ...]:
    """Return two lines: counts of faces and frames, and the runs with their smoothing."""
    seen = len(np.unique(result.frame[result.found]))
    counts = f"{plural(len(faces), 'face')}, in {seen:,} of {plural(len(result.frames), 'frame')}"
    runs = {run.name: run for name in names if (run := first_with_output(result.outputs, name))}
    filters = {
        run.name: "no smoothing" if run.kernel == "none" else f"{run.kernel} r={run.radius}" for run in runs.values()
    }
    labels = "; ".join(
        f"{truncate(run.label or run.name, LABEL[len(runs)])} ({filters[run.name]})" for run in runs.values()
    )
    return counts, truncate(labels, 125)


def _legends(figure: Figure, names: list[str], top: float) -> None:
    """Draw one legend line for the presence of a face and for each output."""
    for number, name in enumerate(("", *names)):
        y = top - number * LEGEND
        figure.text(
            0.14 / WIDTH, (y - 0.045) / figure.get_figheight(), LABELS[name], fontsize=8.5, color=INK, va="top", **TEXT
        )
        figure.legend(
            handles=legend_handles(name),
            loc="upper left",
            ncols=8,
            fontsize=8,
            frameon=False,
            handlelength=1.1,
            bbox_to_anchor=(1.25 / WIDTH, y / figure.get_figheight()),
            columnspacing=1.1,
            handletextpad=0.4,
            borderaxespad=0,
        )


def _face(figure: Figure, face: Timeline, names: list[str], top: float) -> None:
    """Draw the panels of one face below each other, from `top` inches downwards."""
    share = f"{100 * face.seen / len(face.result.frames):.0f}%"
    top -= ABOVE
    figure.text(
        0.14 / WIDTH,
        (top + 0.07) / figure.get_figheight(),
        f"Face {face.face}",
        fontsize=10,
        color=INK,
        weight="bold",
        va="bottom",
        **TEXT,
    )
    figure.text(
        LEFT / WIDTH,
        (top + 0.07) / figure.get_figheight(),
        f"found in {plural(face.seen, 'frame')} ({share})",
        fontsize=8.5,
        color=GRAY,
        va="bottom",
        **TEXT,
    )
    panels = [(presence, SEEN), *(panel for name in names for panel in PANELS[name])]
    for draw, height in panels:
        axes = add_panel(figure, LEFT, top - height, WIDTH - LEFT - RIGHT, height - 0.08)
        draw(axes, face)
        axes.set_xlim(face.first - 0.5, face.last + 0.5)
        axes.xaxis.set_visible(False)
        top -= height
    axes.xaxis.set_visible(True)
    _label_time_axis(axes, face.result)


def _label_time_axis(axes: Axes, result: PredictionResult) -> None:
    """Label the x axis with seconds, or with frame numbers if there are no time stamps."""
    has_time = np.isfinite(result.seconds)
    if has_time.sum() < 2:
        axes.locator_params(axis="x", nbins=12, integer=True)
        axes.set_xlabel("frame", fontsize=8.5, color=INK, labelpad=2, **TEXT)
        return
    frames, seconds = result.frames[has_time], result.seconds[has_time]
    step = next((step for step in TICKS if (seconds[-1] - seconds[0]) / step <= 12), 2 * TICKS[-1])
    ticks = np.arange(np.ceil(seconds[0] / step - 1e-9), seconds[-1] / step + 1e-9) * step
    axes.set_xticks(np.interp(ticks, seconds, frames), [f"{tick:g}" for tick in ticks.round(1) + 0.0])
    axes.set_xlabel("seconds", fontsize=8.5, color=INK, labelpad=2, **TEXT)


def _note_omitted_faces(figure: Figure, faces: np.ndarray, counts: np.ndarray, shown: np.ndarray) -> None:
    omitted = ~np.isin(faces, shown)
    note = f"{plural(omitted.sum(), 'more face')} not shown, found in at most {plural(counts[omitted].max(), 'frame')}"
    figure.text(
        (WIDTH - RIGHT) / WIDTH, 0.1 / figure.get_figheight(), note, fontsize=8.5, color=GRAY, ha="right", **TEXT
    )
