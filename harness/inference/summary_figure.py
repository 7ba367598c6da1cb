"""One picture of all that was read: for each face what it showed over time, and where it was seen."""

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
    from matplotlib.figure import Figure

SUMMARY = "summary.png"
WIDTH, LEFT, RIGHT = 9.6, 0.95, 0.2
ABOVE, BELOW, SEEN, LEGEND = 0.36, 0.5, 0.2, 0.24
TALLEST = 17.0
"""Inches of all panels, of which there is a face's at least."""
LABEL = {1: 62, 2: 38, 3: 20}
"""Letters of a run's label, by how many runs there are: all have to go on one line."""
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Seconds between two numbers below the panels."""


def write_summary(result: PredictionResult, folder: Path) -> Path:
    """Write summary.png, whole or not at all.

    For each face, those longest in view as far as there is room: where it was seen, the probabilities of the
    expressions, the expression decided before and after the filter, valence and arousal, action units.
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
        made = make_titled_figure(WIDTH, total, f"What was read of {name}", _heading(result, names, faces))
        if len(faces):
            _legends(made, names, total)
        else:
            made.text(0.14 / WIDTH, 0.45 / made.get_figheight(), "No face was found.", fontsize=11, color=INK, **TEXT)
        for number, face in enumerate(sorted(longest)):
            _face(made, Timeline(result, int(face)), names, total - legends - 0.1 - number * each)
        if len(longest) < len(faces):
            _note_omitted_faces(made, faces, counts, longest)
        save_png(made, path)
    return path


def _heading(result: PredictionResult, names: list[str], faces: np.ndarray) -> tuple[str, ...]:
    """Frames and faces; the runs that are shown and their filters."""
    seen = len(np.unique(result.frame[result.found]))
    found = f"{plural(len(faces), 'face')}, in {seen:,} of {plural(len(result.frames), 'frame')}"
    runs = {one.name: one for name in names if (one := first_with_output(result.outputs, name))}
    filters = {
        one.name: "no filter" if one.kernel == "none" else f"{one.kernel} r={one.radius}" for one in runs.values()
    }
    said = "; ".join(
        f"{truncate(one.label or one.name, LABEL[len(runs)])} ({filters[one.name]})" for one in runs.values()
    )
    return found, truncate(said, 125)


def _legends(made: Figure, names: list[str], top: float) -> None:
    """One line of colors for the presence of a face and for each output."""
    for number, name in enumerate(("", *names)):
        place = top - number * LEGEND
        made.text(
            0.14 / WIDTH,
            (place - 0.045) / made.get_figheight(),
            LABELS[name],
            fontsize=8.5,
            color=INK,
            va="top",
            **TEXT,
        )
        made.legend(
            handles=legend_handles(name),
            loc="upper left",
            ncols=8,
            fontsize=8,
            frameon=False,
            handlelength=1.1,
            bbox_to_anchor=(1.25 / WIDTH, place / made.get_figheight()),
            columnspacing=1.1,
            handletextpad=0.4,
            borderaxespad=0,
        )


def _face(made: Figure, face: Timeline, names: list[str], top: float) -> None:
    """The panels of one face below each other, from `top` inches downwards."""
    share = f"{100 * face.seen / len(face.result.frames):.0f} %"
    top -= ABOVE
    made.text(
        0.14 / WIDTH,
        (top + 0.07) / made.get_figheight(),
        f"Face {face.face}",
        fontsize=10,
        color=INK,
        weight="bold",
        va="bottom",
        **TEXT,
    )
    made.text(
        LEFT / WIDTH,
        (top + 0.07) / made.get_figheight(),
        f"seen in {plural(face.seen, 'frame')} ({share})",
        fontsize=8.5,
        color=GRAY,
        va="bottom",
        **TEXT,
    )
    panels = [(presence, SEEN), *(one for name in names for one in PANELS[name])]
    for draw, height in panels:
        axes = add_panel(made, LEFT, top - height, WIDTH - LEFT - RIGHT, height - 0.08)
        draw(axes, face)
        axes.set_xlim(face.first - 0.5, face.last + 0.5)
        axes.xaxis.set_visible(False)
        top -= height
    axes.xaxis.set_visible(True)
    _label_time_axis(axes, face.result)


def _label_time_axis(axes, result: PredictionResult) -> None:
    """Seconds below the frames they belong to; frame numbers where there is no time."""
    known = np.isfinite(result.seconds)
    if known.sum() < 2:
        axes.locator_params(axis="x", nbins=12, integer=True)
        axes.set_xlabel("frame", fontsize=8.5, color=INK, labelpad=2, **TEXT)
        return
    frames, seconds = result.frames[known], result.seconds[known]
    step = next((step for step in TICKS if (seconds[-1] - seconds[0]) / step <= 12), 2 * TICKS[-1])
    wanted = np.arange(np.ceil(seconds[0] / step - 1e-9), seconds[-1] / step + 1e-9) * step
    axes.set_xticks(np.interp(wanted, seconds, frames), [f"{one:g}" for one in wanted.round(1) + 0.0])
    axes.set_xlabel("seconds", fontsize=8.5, color=INK, labelpad=2, **TEXT)


def _note_omitted_faces(made: Figure, faces: np.ndarray, counts: np.ndarray, shown: np.ndarray) -> None:
    out = ~np.isin(faces, shown)
    said = f"{plural(out.sum(), 'more face')} not shown, seen in at most {plural(counts[out].max(), 'frame')}"
    made.text((WIDTH - RIGHT) / WIDTH, 0.1 / made.get_figheight(), said, fontsize=8.5, color=GRAY, ha="right", **TEXT)
