"""Truth, raw and smoothed outputs over the frames of the best, the median and the worst video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.jobs.figures.scored_run import OutputRows, ScoredRun
from harness.jobs.figures.timeline_panels import PANELS, draw_legends, total_height
from harness.metrics.counts import concordance, f1
from harness.utils.plotting.style import INK, TEXT, add_panel, make_titled_figure, save_png, truncate

MIN_FRAMES = 10
"""Scored frames of a video that is shown, where any has so many."""
LEFT, WIDTH = 0.95, 9.0
LABEL_HEIGHT, SPACING, LEGEND_HEIGHT = 0.34, 0.55, 0.26


@dataclass(frozen=True)
class SelectedVideo:
    """One video: its number in `units`, its place in words, its value."""

    unit: int
    place: str
    value: float


def draw_traces(path: Path, run: ScoredRun) -> None:
    """Write the picture of a run on videos."""
    values, measure = score_videos(run)
    shown = select_videos(
        values, np.bincount(np.concatenate([block.unit for block in run.blocks.values()]), minlength=run.units)
    )
    blocks = run.blocks
    each = sum(total_height(name, len(blocks) > 1) for name in blocks)
    total = len(shown) * (each + LABEL_HEIGHT + SPACING) + LEGEND_HEIGHT * len(blocks) + 0.05
    made = make_titled_figure(
        WIDTH, total, "Truth, raw and smoothed outputs of single videos", run.heading, run.warning
    )
    draw_legends(made, tuple(blocks), run, total, LEGEND_HEIGHT)
    top = total - LEGEND_HEIGHT * len(blocks) - 0.05
    for video in shown:
        top -= LABEL_HEIGHT
        _draw_label(made, run, video, top, measure)
        held = {name: block.take(block.unit == video.unit) for name, block in blocks.items()}
        _draw_video(made, run, held, top)
        top -= each + SPACING
    save_png(made, path)


def score_videos(run: ScoredRun) -> tuple[np.ndarray, str]:
    """float64 [V] by which videos are ranked, NaN where undefined, and its name.

    Share of right frames, mean CCC, F1 over all action units together; their mean where a task has several.
    """
    arrays, values, names = run.statistics.arrays, [], []
    with np.errstate(invalid="ignore"):
        if "va" in arrays:
            ccc, defined = concordance(arrays["va"])
            values.append(np.where(defined.all(axis=1), ccc.mean(axis=1), np.nan))
            names.append("mean CCC")
        if "expr" in arrays:
            values.append(np.trace(arrays["expr"], axis1=1, axis2=2) / arrays["expr"].sum(axis=(1, 2)))
            names.append("accuracy")
        if "au" in arrays:
            together, defined = f1(*np.moveaxis(arrays["au"][..., :3].sum(axis=1), -1, 0))
            values.append(np.where(defined, together, np.nan))
            names.append("F1 over all AUs")
    held = np.stack(values)
    count = (~np.isnan(held)).sum(axis=0)
    mean = np.divide(np.nansum(held, axis=0), count, out=np.full(held.shape[1], np.nan), where=count == len(held))
    return mean, names[0] if len(names) == 1 else "the mean of CCC, accuracy and F1"


def select_videos(values: np.ndarray, frames: np.ndarray) -> list[SelectedVideo]:
    """The best, the median and the worst of the videos that have a value; fewer where there are fewer."""
    able = np.flatnonzero(~np.isnan(values))
    long = able[frames[able] >= MIN_FRAMES]
    able = long if len(long) else able
    if not len(able):
        return [SelectedVideo(int(frames.argmax()), "longest", float("nan"))]
    order = able[np.argsort(-values[able], kind="stable")]
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    if len(order) == 1:
        return [SelectedVideo(int(order[0]), "the only one", float(values[order[0]]))]
    if len(order) == 2:
        del places["median"]
    return [
        SelectedVideo(int(order[at]), f"{place} of {len(order)}", float(values[order[at]]))
        for place, at in places.items()
    ]


def _draw_label(made, run: ScoredRun, video: SelectedVideo, top: float, measure: str) -> None:
    value = "undefined" if np.isnan(video.value) else f"{round(video.value, 3) + 0.0:.3f}"
    name = truncate(run.replay.units[video.unit], 60)
    made.text(
        0.14 / WIDTH,
        (top + 0.07) / made.get_figheight(),
        f"{name}   {video.place}, {measure}: {value}",
        fontsize=9.5,
        color=INK,
        weight="bold",
        va="bottom",
        **TEXT,
    )


def _draw_video(made, run: ScoredRun, held: Mapping[str, OutputRows], top: float) -> None:
    frames = np.concatenate([block.frame for block in held.values()])
    first, last = int(frames.min()), int(frames.max())
    several = len(held) > 1
    for name, block in held.items():
        for draw, height in PANELS[name](run, block, several):
            axes = add_panel(made, LEFT, top - height, WIDTH - LEFT - 0.25, height - 0.08)
            if len(block.frame):
                draw(axes, first, last)
            axes.set_xlim(first - 0.5, last + 0.5)
            axes.xaxis.set_visible(False)
            top -= height
    axes.xaxis.set_visible(True)
    axes.set_xlabel("frame", fontsize=8.5, color=INK, labelpad=2, **TEXT)
