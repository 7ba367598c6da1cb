"""Select kernel, radius and thresholds on the selection split.

The selection split is held out from the training split. With the protocol `published` it is the reported split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.jobs.replay import Replay
from harness.metrics.thresholds import best_thresholds
from harness.smoothing.candidates import SmoothingGrid


@dataclass(frozen=True)
class PostprocessingChoice:
    """The selected postprocessing.

    Attributes
    ----------
    kernel : str
        Name of the kernel; `none` if the radius is 0.
    radius : int
        Radius in frames.
    thresholds : tuple of 12 float or None
        Selected thresholds of the action units; None means 0.5 for all.
    value : float or None
        Metric on the selection split; None if nothing was selected.
    curves : dict of str to list of float
        Metric on the selection split at each radius, by kernel.
    """

    kernel: str
    radius: int
    thresholds: tuple[float, ...] | None
    value: float | None
    curves: dict[str, list[float]]


NO_POSTPROCESSING = PostprocessingChoice("none", 0, None, None, {})
"""The choice of a baseline without postprocessing."""


def select_postprocessing(replay: Replay, smoothing: SmoothingGrid, thresholds: str = "chosen") -> PostprocessingChoice:
    """Select the thresholds of unsmoothed outputs, then the kernel and radius with the best metric.

    Of several radii with the best metric, the smallest is selected. Thresholds come first, as in the paper (Savchenko
    2022).

    Parameters
    ----------
    replay : Replay
        Predictions and labels of the selection split.
    smoothing : SmoothingGrid
        Filters to select from.
    thresholds : {"chosen", "half"}
        Select the threshold of each action unit from a grid, or use 0.5.

    Returns
    -------
    PostprocessingChoice
        The selected postprocessing.
    """
    selected = _select_thresholds(replay) if thresholds == "chosen" else None
    radii = smoothing.radii() if replay.temporal else range(1)
    fixed = 0.5 if selected is None else np.array(selected)
    curves = {kernel: replay.metric_curve(kernel, radii, fixed) for kernel in smoothing.kernels}
    value, radius, kernel = max(
        ((value, -radius, kernel) for kernel, values in curves.items() for radius, value in zip(radii, values)),
        key=lambda candidate: (candidate[0], candidate[1], -smoothing.kernels.index(candidate[2])),
    )
    return PostprocessingChoice(kernel if radius else "none", -radius, selected, value, curves)


def _select_thresholds(replay: Replay) -> tuple[float, ...] | None:
    """Select the best threshold of each action unit from the grid; 0.5 for a unit that never occurs."""
    block = replay.task.slices().get("au")
    if block is None:
        return None
    valid = replay.task.valid(replay.targets)["au"]
    present = replay.targets["au"][valid]
    best = np.where(present.any(axis=0), best_thresholds(replay.raw_outputs()[valid][:, block], present), 0.5)
    return tuple(float(value) for value in best)
