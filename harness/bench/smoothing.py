"""All radii 0 to 250 of one kernel over 280,000 frames x 8 outputs in 70 videos, smoothed and scored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import score
from harness.smoothing.curves import LabeledRows, statistics_by_radius

VIDEOS, FRAMES, RADII = 70, 4000, range(251)
SLICE_FRAMES, RADIUS_STEP = 200, 25
"""Frames and radii of which the plain loop is timed; the least of them would take it ten minutes."""
PARTS = {"mean": (VIDEOS, 200), "median": (VIDEOS // 7, 50)}
"""Videos that ours is timed on in each round, of which the running median takes half a second a piece; the ratio that
must be reached."""
TASK = TASKS["expr"]


def measure() -> Iterator[Measurement]:
    random = np.random.default_rng(0)
    videos = [random.random((FRAMES, TASK.width), np.float32) for _ in range(VIDEOS)]
    truth = random.integers(0, TASK.width, VIDEOS * FRAMES)
    for kernel, (timed, least) in PARTS.items():

        def score_all_radii(kernel: str = kernel, timed: int = timed) -> list[float]:
            rows = np.arange(timed * FRAMES)
            labels = LabeledRows(TASK, {"expr": truth[rows]}, np.zeros_like(rows), 1, rows)
            counted = statistics_by_radius(labels, videos[:timed], kernel, RADII, 0.5)
            return [score(one).metrics[TASK.metric] for one in counted]

        def score_by_loop(kernel: str = kernel) -> list[float]:
            return [_score_radius_by_loop(videos[0], truth, kernel, radius) for radius in RADII[::RADIUS_STEP]]

        times = interleave_rounds({"ours": score_all_radii, "loop": score_by_loop}, ROUNDS)
        own = times.median("ours") * VIDEOS / timed
        scale = VIDEOS * FRAMES / SLICE_FRAMES * len(RADII) / len(RADII[::RADIUS_STEP])
        yield Measurement(
            f"smoothing {kernel}",
            f"radii 0 to 250 of {VIDEOS * FRAMES:,} frames x {TASK.width}, smoothed and scored (P_EXPR), one thread",
            own,
            "s",
            "plain loop over frames, then a score from its counts, for each radius",
            times.median("loop") * scale,
            times.ratio("ours", "loop") * scale * timed / VIDEOS,
            least,
            floor=_floor_seconds(),
            note=_format_note(kernel, timed),
        )


def _score_radius_by_loop(video: np.ndarray, truth: np.ndarray, kernel: str, radius: int) -> float:
    """P_EXPR of SLICE frames in the middle of a video, where windows are whole."""
    reduce, begin = getattr(np, kernel), (FRAMES - SLICE_FRAMES) // 2
    counts = np.zeros((TASK.width, TASK.width), int)
    for t in range(begin, begin + SLICE_FRAMES):
        smoothed = reduce(video[max(0, t - radius) : t + radius + 1], axis=0)
        counts[truth[t], smoothed.argmax()] += 1
    right = np.diagonal(counts)
    return float(np.mean(2 * right / np.maximum(counts.sum(0) + counts.sum(1), 1)))


def _floor_seconds() -> float:
    """Each value read and written once for each radius, as float64, on one thread."""
    return hardware_limits().roofline_seconds(moved=2 * 8 * VIDEOS * FRAMES * TASK.width * len(RADII), threads=1)


def _format_note(kernel: str, timed: int) -> str:
    part = "" if timed == VIDEOS else f"; ours on {timed} of {VIDEOS} videos, and scaled"
    bound = {
        "mean": "The floor reads and writes each value once a radius, in memory",
        "median": "Bound by the heaps of the running median, not by memory",
    }
    return (
        f"the loop is timed on {SLICE_FRAMES} frames and {len(RADII[::RADIUS_STEP])} radii, and scaled{part}. "
        f"{bound[kernel]}"
    )
