"""Data of a run for its figures: outputs and labels by row, and the text of headings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.tasks import ACTION_UNITS
from harness.metrics.unit_statistics import SufficientStatistics
from harness.smoothing.kernels import required_lookahead
from harness.tracking.records import Record
from harness.utils.plotting.style import truncate

if TYPE_CHECKING:
    from harness.jobs.replay import Replay
    from harness.jobs.selection import PostprocessingChoice

OPTIMISM_WARNING = "optimistic: epoch, thresholds and filter were selected on the reported split"


@dataclass(frozen=True, eq=False)
class OutputRows:
    """The M rows of one output (`expr`, `va`, `au`) with a valid label.

    Attributes
    ----------
    target : ndarray
        Labels, see `Labels`.
    raw, smoothed : float ndarray of shape (M, C)
        Outputs before and after smoothing.
    unit : int ndarray of shape (M,)
        Index of the unit (video, or subject of a still image) of each row.
    frame : int ndarray of shape (M,)
        Frame numbers, from 1.
    """

    target: np.ndarray
    raw: np.ndarray
    smoothed: np.ndarray
    unit: np.ndarray
    frame: np.ndarray

    def take(self, rows: np.ndarray) -> OutputRows:
        """Select rows, by index or mask."""
        return OutputRows(self.target[rows], self.raw[rows], self.smoothed[rows], self.unit[rows], self.frame[rows])


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """A run and its data; see `plot_run` for the attributes."""

    record: Record
    replay: Replay
    choice: PostprocessingChoice
    statistics: SufficientStatistics

    @property
    def unit_noun(self) -> str:
        """Name of the units, plural."""
        return f"{self.record.unit}s"

    @property
    def interval_label(self) -> str:
        """Description of the confidence intervals."""
        return f"95% CI over {self.unit_noun}" if self.units > 1 else f"no CI for a single {self.record.unit}"

    @property
    def row_noun(self) -> str:
        """Name of the rows, plural."""
        return "frames" if self.replay.temporal else "images"

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Decision thresholds of the action units, [12]."""
        thresholds = self.choice.thresholds
        return np.full(len(ACTION_UNITS), 0.5) if thresholds is None else np.array(thresholds)

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.replay.units)

    @cached_property
    def blocks(self) -> Mapping[str, OutputRows]:
        """Rows of each output, in the order of the task; outputs without a valid label are left out."""
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
        """Two lines: the configuration, and the data with the score."""
        record = self.record
        if record.kernel == "none":
            smoothing = "no smoothing"
        else:
            window = _format_window(record.kernel, record.radius)
            smoothing = f"{record.kernel.replace('_', ' ')}{window} (radius {record.radius})"
        backbone = truncate(record.backbone, 28) + (" (random)" if record.backbone_random else "")
        parts = [backbone, record.features, f"head {record.head}"]
        if self.replay.temporal:
            parts.append(smoothing)
        value = f"{record.metric} {record.metrics[record.metric]:z.3f}"
        if record.ci_low is not None and record.ci_high is not None:
            value += f" [{record.ci_low:z.3f}, {record.ci_high:z.3f}]"
        return (
            " · ".join(parts),
            f"{truncate(record.dataset, 20)}, {record.split} · protocol {record.protocol} · run {record.group_id} · "
            f"seed {record.seed} · {value}",
        )

    @property
    def warning(self) -> str:
        """Warning below the heading, or an empty string."""
        return OPTIMISM_WARNING if self.record.protocol == "published" else ""


def _format_window(kernel: str, radius: int) -> str:
    """Describe the length of the window; return an empty string for `exponential`, which has no window."""
    frames = radius + 1 + required_lookahead(kernel, radius)
    return "" if kernel == "exponential" else f" of {frames} frames"
