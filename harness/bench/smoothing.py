"""Benchmark of smoothing and scoring with all radii from 0 to 250: 280,000 frames x 8 outputs in 70 videos."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import TASKS
from harness.smoothing.curves import LabeledRows, statistics_by_radius

VIDEOS, FRAMES, RADII = 70, 4000, range(251)
SLICE_FRAMES, RADIUS_STEP = 200, 25
"""The plain loop is timed on SLICE_FRAMES frames and every RADIUS_STEP-th radius. In full it takes much longer."""
PARTS = {"mean": (VIDEOS, 200), "median": (VIDEOS // 7, 50)}
"""For each kernel: number of timed videos and required speedup. The running median takes half a second per video."""
TASK = TASKS["expr"]


def measure() -> Iterator[Measurement]:
    """Compare smoothing with all radii at once against a plain loop."""
    random = np.random.default_rng(0)
    videos = [random.random((FRAMES, TASK.width), np.float32) for _ in range(VIDEOS)]
    truth = random.integers(0, TASK.width, VIDEOS * FRAMES)
    for kernel, (timed, least) in PARTS.items():

        def score_all_radii(kernel: str = kernel, timed: int = timed) -> list[float]:
            rows = np.arange(timed * FRAMES)
            labels = LabeledRows(TASK, {"expr": truth[rows]}, np.zeros_like(rows), 1, rows)
            by_radius = statistics_by_radius(labels, videos[:timed], kernel, RADII, 0.5)
            return [score(statistics).metrics[TASK.metric] for statistics in by_radius]

        def score_by_loop(kernel: str = kernel) -> list[float]:
            return [_score_radius_by_loop(videos[0], truth, kernel, radius) for radius in RADII[::RADIUS_STEP]]

        times = interleave_rounds({"ours": score_all_radii, "loop": score_by_loop}, ROUNDS)
        value = times.median("ours") * VIDEOS / timed
        scale = VIDEOS * FRAMES / SLICE_FRAMES * len(RADII) / len(RADII[::RADIUS_STEP])
        yield Measurement(
            f"smoothing {kernel}",
            f"radii 0 to 250 of {VIDEOS * FRAMES:,} frames x {TASK.width}, smoothed and scored (P_EXPR), one thread",
            value,
            "s",
            "plain loop over frames and a score from its counts for each radius",
            times.median("loop") * scale,
            times.ratio("ours", "loop") * scale * timed / VIDEOS,
            least,
            floor=_floor_seconds(),
            note=_format_note(kernel, timed),
        )


def _score_radius_by_loop(video: np.ndarray, truth: np.ndarray, kernel: str, radius: int) -> float:
    """Compute P_EXPR of SLICE_FRAMES frames in the middle of a video, where windows are complete."""
    reduce, begin = getattr(np, kernel), (FRAMES - SLICE_FRAMES) // 2
    counts = np.zeros((TASK.width, TASK.width), int)
    for t in range(begin, begin + SLICE_FRAMES):
        smoothed = reduce(video[max(0, t - radius) : t + radius + 1], axis=0)
        counts[truth[t], smoothed.argmax()] += 1
    right = np.diagonal(counts)
    return float(np.mean(2 * right / np.maximum(counts.sum(0) + counts.sum(1), 1)))


def _floor_seconds() -> float:
    """Compute the time to read and write each value once for each radius, as float64, on one thread."""
    return hardware_limits().roofline_seconds(moved=2 * 8 * VIDEOS * FRAMES * TASK.width * len(RADII), threads=1)


def _format_note(kernel: str, timed: int) -> str:
    part = "" if timed == VIDEOS else f"; ours is timed on {timed} of {VIDEOS} videos and scaled"
    bound = {
        "mean": "The lower bound reads and writes each value once per radius",
        "median": "Limited by the heaps of the running median, not by memory",
    }
    return (
        f"the loop is timed on {SLICE_FRAMES} frames and {len(RADII[::RADIUS_STEP])} radii and scaled{part}. "
        f"{bound[kernel]}"
    )
