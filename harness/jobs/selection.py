"""What the selection split decides: kernel, radius and thresholds. Sees no other split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.jobs.replay import Replay
from harness.metrics.unit_statistics import best_thresholds
from harness.smoothing.candidates import SmoothingGrid


@dataclass(frozen=True)
class PostprocessingChoice:
    """kernel: `none` at radius 0; thresholds: 12 values, None where 0.5 is kept and for a task without action units.

    value: the task's metric on the selection split, None where nothing was chosen; curves: the same at each radius,
    by kernel.
    """

    kernel: str
    radius: int
    thresholds: tuple[float, ...] | None
    value: float | None
    curves: dict[str, list[float]]


NO_POSTPROCESSING = PostprocessingChoice("none", 0, None, None, {})
"""Where there is nothing to choose."""


def select_postprocessing(replay: Replay, smoothing: SmoothingGrid, thresholds: str = "chosen") -> PostprocessingChoice:
    """The smallest radius with the best metric. Thresholds are chosen before smoothing, then kept (the paper's order).

    thresholds: `chosen` for each action unit, or `half`, which keeps 0.5.
    """
    chosen = _select_thresholds(replay) if thresholds == "chosen" else None
    radii = smoothing.radii() if replay.temporal else range(1)
    applied = 0.5 if chosen is None else np.array(chosen)
    curves = {kernel: replay.metric_curve(kernel, radii, applied) for kernel in smoothing.kernels}
    value, radius, kernel = max(
        ((value, -radius, kernel) for kernel, values in curves.items() for radius, value in zip(radii, values)),
        key=lambda candidate: (candidate[0], candidate[1], -smoothing.kernels.index(candidate[2])),
    )
    return PostprocessingChoice(kernel if radius else "none", -radius, chosen, value, curves)


def _select_thresholds(replay: Replay) -> tuple[float, ...] | None:
    """The best on the grid; 0.5 for an action unit that never occurs there, on which every threshold scores 0."""
    block = replay.task.slices().get("au")
    if block is None:
        return None
    valid = replay.task.valid(replay.targets)["au"]
    present = replay.targets["au"][valid]
    best = np.where(present.any(axis=0), best_thresholds(replay.raw_outputs()[valid][:, block], present), 0.5)
    return tuple(float(value) for value in best)
