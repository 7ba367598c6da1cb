"""Benchmark of one confidence interval over 70 videos of 4,000 frames, from the saved counts of each video."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.bench.figure import ROUNDS, Measurement, interleave_rounds
from harness.metrics.counts import expression_f1
from harness.metrics.intervals import confidence_interval
from harness.metrics.unit_statistics import compute_statistics

VIDEOS, FRAMES, CLASSES = 70, 4000, 8
INTERVALS_PER_ROUND = 20
LIMIT_S = 0.1


def measure() -> Iterator[Measurement]:
    """Compare an interval from per-video counts with counting all frames again for each video that is left out."""
    random = np.random.default_rng(0)
    unit = np.repeat(np.arange(VIDEOS), FRAMES)
    truth, outputs = random.integers(0, CLASSES, len(unit)), random.random((len(unit), CLASSES))
    statistics = compute_statistics("expr", outputs, {"expr": truth}, unit, VIDEOS)
    code = truth * CLASSES + outputs.argmax(axis=1)

    def compute_intervals() -> None:
        for _ in range(INTERVALS_PER_ROUND):
            confidence_interval([statistics], "P_EXPR")

    def count_without_each_video() -> list[float]:
        counts = [np.bincount(code[unit != video], minlength=CLASSES**2) for video in range(VIDEOS)]
        return [expression_f1(each.reshape(CLASSES, CLASSES))[0].mean() for each in counts]

    times = interleave_rounds({"ours": compute_intervals, "frames": count_without_each_video}, ROUNDS)
    yield Measurement(
        "interval",
        f"95% interval of P_EXPR over {VIDEOS} videos of {FRAMES:,} frames",
        times.median("ours") / INTERVALS_PER_ROUND,
        "s",
        "numpy: the frames counted again without each video",
        times.median("frames"),
        times.ratio("ours", "frames") * INTERVALS_PER_ROUND,
        20,
        limit=LIMIT_S,
        note="one seed, from the counts that a job saves",
    )
