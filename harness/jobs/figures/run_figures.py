"""The pictures of one run, in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.jobs.figures.classification import draw_expression_confusion, draw_f1
from harness.jobs.figures.concordance import draw_ccc
from harness.jobs.figures.reliability import draw_reliability
from harness.jobs.figures.scored_run import ScoredRun
from harness.jobs.figures.smoothing_curve import draw_smoothing
from harness.jobs.figures.traces import draw_traces
from harness.jobs.job_folder import JobFolder
from harness.utils.plotting.style import plotting_context

if TYPE_CHECKING:
    from harness.jobs.replay import Replay
    from harness.jobs.selection import PostprocessingChoice
    from harness.metrics.unit_statistics import SufficientStatistics
    from harness.tracking.records import Record


def plot_run(
    folder: Path, record: Record, replay: Replay, choice: PostprocessingChoice, statistics: SufficientStatistics
) -> tuple[Path, ...]:
    """Write the PNGs that the run's task has into the folder's pictures; their paths, in the order they are looked at.

    replay: of the split that is reported; choice: kernel, radius and thresholds it was scored with, and the curves of
    the selection split; statistics: what that gave, by unit of `replay.units`.
    """
    run = ScoredRun(record, replay, choice, statistics)
    held = run.blocks
    wanted = {
        "confusion.png": (draw_expression_confusion, "expr" in held),
        "f1.png": (draw_f1, "expr" in held or "au" in held),
        "ccc.png": (draw_ccc, "va" in held),
        "traces.png": (draw_traces, replay.temporal and bool(held)),
        "smoothing.png": (
            draw_smoothing,
            replay.temporal and any(len(curve["radius"]) > 1 for curve in record.curve.values()),
        ),
        "reliability.png": (draw_reliability, bool(held)),
    }
    drawn = {JobFolder(folder).pictures / name: draw for name, (draw, has) in wanted.items() if has}
    with plotting_context():
        for path, draw in drawn.items():
            draw(path, run)
    return tuple(drawn)
