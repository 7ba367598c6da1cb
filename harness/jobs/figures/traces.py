"""Figure of labels, raw outputs and smoothed outputs of the best, the median and the worst video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.jobs.figures.scored_run import OutputRows, ScoredRun
from harness.jobs.figures.timeline_panels import PANELS, draw_legends, total_height
from harness.metrics.counts import concordance, f1
from harness.utils.plotting.style import INK, TEXT, add_panel, make_titled_figure, save_png, truncate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_FRAMES = 10
"""Minimum number of scored frames of a selected video; ignored if no video has that many."""
LEFT, WIDTH = 0.95, 9.0
LABEL_HEIGHT, SPACING, LEGEND_HEIGHT = 0.34, 0.55, 0.26


@dataclass(frozen=True)
class SelectedVideo:
    """A video to draw.

    Attributes
    ----------
    unit : int
        Index of the video in the units of the run.
    place : str
        Description of its rank, such as `best of 12`.
    value : float
        Its score; NaN if undefined.
    """

    unit: int
    place: str
    value: float


def draw_traces(path: Path, run: ScoredRun) -> None:
    """Draw timelines of the best, the median and the worst video of a run."""
    values, measure = score_videos(run)
    videos = select_videos(
        values, np.bincount(np.concatenate([block.unit for block in run.blocks.values()]), minlength=run.units)
    )
    blocks = run.blocks
    video_height = sum(total_height(name, len(blocks) > 1) for name in blocks)
    total = len(videos) * (video_height + LABEL_HEIGHT + SPACING) + LEGEND_HEIGHT * len(blocks) + 0.05
    figure = make_titled_figure(
        WIDTH, total, "Labels, raw outputs and smoothed outputs of single videos", run.heading, run.warning
    )
    draw_legends(figure, tuple(blocks), run, total, LEGEND_HEIGHT)
    top = total - LEGEND_HEIGHT * len(blocks) - 0.05
    for video in videos:
        top -= LABEL_HEIGHT
        _draw_label(figure, run, video, top, measure)
        video_blocks = {name: block.take(block.unit == video.unit) for name, block in blocks.items()}
        _draw_video(figure, run, video_blocks, top)
        top -= video_height + SPACING
    save_png(figure, path)


def score_videos(run: ScoredRun) -> tuple[np.ndarray, str]:
    """Score each video by accuracy (`expr`), mean CCC (`va`) or F1 over all action units (`au`).

    For `mtl`, the score is the mean of these three.

    Parameters
    ----------
    run : ScoredRun
        The run.

    Returns
    -------
    values : float64 ndarray of shape (V,)
        Score of each video; NaN if undefined.
    name : str
        Name of the score.
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
            pooled, defined = f1(*np.moveaxis(arrays["au"][..., :3].sum(axis=1), -1, 0))
            values.append(np.where(defined, pooled, np.nan))
            names.append("F1 over all AUs")
    scores = np.stack(values)
    count = (~np.isnan(scores)).sum(axis=0)
    mean = np.divide(np.nansum(scores, axis=0), count, out=np.full(scores.shape[1], np.nan), where=count == len(scores))
    return mean, names[0] if len(names) == 1 else "mean of CCC, accuracy and F1"


def select_videos(values: np.ndarray, frames: np.ndarray) -> list[SelectedVideo]:
    """Select the best, the median and the worst video with a score.

    Parameters
    ----------
    values : float64 ndarray of shape (V,)
        Score of each video; NaN if undefined.
    frames : int ndarray of shape (V,)
        Number of scored frames of each video.

    Returns
    -------
    list of SelectedVideo
        At most three videos. If no video has a score, only the longest video.
    """
    candidates = np.flatnonzero(~np.isnan(values))
    long = candidates[frames[candidates] >= MIN_FRAMES]
    candidates = long if len(long) else candidates
    if not len(candidates):
        return [SelectedVideo(int(frames.argmax()), "longest", float("nan"))]
    order = candidates[np.argsort(-values[candidates], kind="stable")]
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    if len(order) == 1:
        return [SelectedVideo(int(order[0]), "only video", float(values[order[0]]))]
    if len(order) == 2:
        del places["median"]
    return [
        SelectedVideo(int(order[i]), f"{place} of {len(order)}", float(values[order[i]])) for place, i in places.items()
    ]


def _draw_label(figure: Figure, run: ScoredRun, video: SelectedVideo, top: float, measure: str) -> None:
    value = "undefined" if np.isnan(video.value) else f"{video.value:z.3f}"
    name = truncate(run.replay.units[video.unit], 60)
    figure.text(
        0.14 / WIDTH,
        (top + 0.07) / figure.get_figheight(),
        f"{name}   {video.place}, {measure}: {value}",
        fontsize=9.5,
        color=INK,
        weight="bold",
        va="bottom",
        **TEXT,
    )


def _draw_video(figure: Figure, run: ScoredRun, blocks: Mapping[str, OutputRows], top: float) -> None:
    frames = np.concatenate([block.frame for block in blocks.values()])
    first, last = int(frames.min()), int(frames.max())
    several = len(blocks) > 1
    for name, block in blocks.items():
        for draw, height in PANELS[name](run, block, several):
            axes = add_panel(figure, LEFT, top - height, WIDTH - LEFT - 0.25, height - 0.08)
            if len(block.frame):
                draw(axes, first, last)
            axes.set_xlim(first - 0.5, last + 0.5)
            axes.xaxis.set_visible(False)
            top -= height
    axes.xaxis.set_visible(True)
    axes.set_xlabel("frame", fontsize=8.5, color=INK, labelpad=2, **TEXT)
