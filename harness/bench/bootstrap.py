"""Benchmark of one confidence interval: 10,000 replicates over 70 videos of 4,000 frames, from saved statistics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.metrics.counts import expression_f1
from harness.metrics.intervals import DEFAULT_METHOD, REPLICATES, confidence_interval
from harness.metrics.unit_statistics import compute_statistics

VIDEOS, FRAMES, CLASSES = 70, 4000, 8
TIMED_REPLICATES, INTERVALS_PER_ROUND = 20, 20
"""Number of replicates for which frames are resampled, and of intervals computed, per round."""


def measure() -> Iterator[Measurement]:
    """Compare the interval from statistics with resampling of frames."""
    random = np.random.default_rng(0)
    unit = np.repeat(np.arange(VIDEOS), FRAMES)
    truth, outputs = random.integers(0, CLASSES, len(unit)), random.random((len(unit), CLASSES))
    statistics = compute_statistics("expr", outputs, {"expr": truth}, unit, VIDEOS)
    predicted, frames = outputs.argmax(axis=1), np.split(np.arange(len(unit)), VIDEOS)

    seeds = count(1)

    def compute_intervals() -> None:
        for _ in range(INTERVALS_PER_ROUND):
            confidence_interval([statistics], "P_EXPR", seed=next(seeds))

    def resample_frames() -> tuple[float, float]:
        scores = []
        for _ in range(TIMED_REPLICATES):
            drawn = np.concatenate([frames[video] for video in random.integers(VIDEOS, size=VIDEOS)])
            counts = np.bincount(truth[drawn] * CLASSES + predicted[drawn], minlength=CLASSES**2)
            scores.append(expression_f1(counts.reshape(CLASSES, CLASSES))[0].mean())
        return tuple(np.quantile(scores, (0.025, 0.975)))

    times = interleave_rounds({"ours": compute_intervals, "frames": resample_frames}, ROUNDS)
    scale = REPLICATES / TIMED_REPLICATES
    yield Measurement(
        "bootstrap",
        f"{DEFAULT_METHOD} interval of P_EXPR, {REPLICATES:,} replicates over {VIDEOS} videos",
        times.median("ours") / INTERVALS_PER_ROUND,
        "s",
        "numpy: frames of the resampled videos gathered and counted again",
        times.median("frames") * scale,
        times.ratio("ours", "frames") * scale * INTERVALS_PER_ROUND,
        1000,
        floor=hardware_limits().roofline_seconds(flops=2 * REPLICATES * VIDEOS * 3 * CLASSES * 2, threads=1),
        note="one seed, from the counts that a job saves, with new bootstrap weights, which the rows of a leaderboard "
        f"share; frames are resampled {TIMED_REPLICATES} times and the time is scaled. The lower bound is two float32 "
        "matrix products of weights and counts",
    )
