"""One scored run as its pictures need it: outputs and labels row by row, and the words above each picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.tasks import ACTION_UNITS
from harness.smoothing.kernels import required_lookahead
from harness.utils.plotting.style import truncate

if TYPE_CHECKING:
    from harness.jobs.replay import Replay
    from harness.jobs.selection import PostprocessingChoice
    from harness.metrics.unit_statistics import SufficientStatistics
    from harness.tracking.records import Record

OPTIMISM_WARNING = "optimistic: epoch, thresholds and filter were chosen on the very split that is reported"


@dataclass(frozen=True, eq=False)
class OutputRows:
    """The rows of one output (`expr`, `va`, `au`) whose label counts, M of them.

    target: as in `Labels`; raw, smoothed: float [M, C]; unit: int [M]; frame: int [M], 1-based.
    """

    target: np.ndarray
    raw: np.ndarray
    smoothed: np.ndarray
    unit: np.ndarray
    frame: np.ndarray

    def take(self, rows: np.ndarray) -> OutputRows:
        return OutputRows(self.target[rows], self.raw[rows], self.smoothed[rows], self.unit[rows], self.frame[rows])


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """What `plot_run` was given."""

    record: Record
    replay: Replay
    choice: PostprocessingChoice
    statistics: SufficientStatistics

    @property
    def unit_noun(self) -> str:
        """What is resampled, plural."""
        return f"{self.record.unit}s"

    @property
    def interval_label(self) -> str:
        return f"95 % intervals over {self.unit_noun}" if self.units > 1 else f"one {self.record.unit}, so no intervals"

    @property
    def row_noun(self) -> str:
        """What is counted, plural."""
        return "frames" if self.replay.temporal else "images"

    @cached_property
    def thresholds(self) -> np.ndarray:
        """[12] decisions on an action unit."""
        chosen = self.choice.thresholds
        return np.full(len(ACTION_UNITS), 0.5) if chosen is None else np.array(chosen)

    @property
    def units(self) -> int:
        return len(self.replay.units)

    @cached_property
    def blocks(self) -> Mapping[str, OutputRows]:
        """By name of the output, in the order of the task; none for an output without a label that counts."""
        replay, slices = self.replay, self.replay.task.slices()
        raw, smoothed = replay.raw_outputs(), replay.smoothed_outputs(self.choice.kernel, self.choice.radius)
        valid = replay.task.valid(replay.targets)
        return {
            name: OutputRows(
                replay.targets[name][rows],
                raw[rows, slices[name]],
                smoothed[rows, slices[name]],
                replay.unit[rows],
                replay.frames[rows],
            )
            for name, rows in valid.items()
            if rows.any()
        }

    @cached_property
    def heading(self) -> tuple[str, str]:
        """Two lines: what was run, and on what it was scored."""
        record = self.record
        smoothed = (
            "no smoothing"
            if record.kernel == "none"
            else f"{record.kernel.replace('_', ' ')}{_format_window(record.kernel, record.radius)} (radius {record.radius})"
        )
        backbone = truncate(record.backbone, 28) + (" (random)" if record.backbone_random else "")
        parts = [backbone, record.features, f"head {record.head}"]
        if self.replay.temporal:
            parts.append(smoothed)
        value = f"{record.metric} {record.metrics[record.metric]:.3f}"
        if record.ci_low is not None and record.ci_high is not None:
            value += f" [{record.ci_low:.3f}, {record.ci_high:.3f}]"
        return (
            " · ".join(parts),
            f"{truncate(record.dataset, 20)}, {record.split} · protocol {record.protocol} · run {record.group_id} · "
            f"seed {record.seed} · {value}",
        )

    @property
    def warning(self) -> str:
        return OPTIMISM_WARNING if self.record.protocol == "published" else ""


def _format_window(kernel: str, radius: int) -> str:
    """In words; `exponential` has none."""
    frames = radius + 1 + required_lookahead(kernel, radius)
    return "" if kernel == "exponential" else f" of {frames} frames"
