"""Draw all figures of a run."""

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
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking.records import Record
from harness.utils.plotting.style import plotting_context

if TYPE_CHECKING:
    from harness.jobs.replay import Replay
    from harness.jobs.selection import PostprocessingChoice


def plot_run(
    folder: Path, record: Record, replay: Replay, choice: PostprocessingChoice, statistics: SufficientStatistics
) -> tuple[Path, ...]:
    """Draw the figures of a run as PNG files.

    Parameters
    ----------
    folder : Path
        Folder of the job.
    record : Record
        Record of the job.
    replay : Replay
        Predictions and labels of the scored split.
    choice : PostprocessingChoice
        The selected postprocessing.
    statistics : SufficientStatistics
        Statistics of the score, by unit.

    Returns
    -------
    tuple of Path
        Paths of the figures; some are only drawn for certain tasks or for videos.
    """
    run = ScoredRun(record, replay, choice, statistics)
    blocks = run.blocks
    figures = {
        "confusion.png": (draw_expression_confusion, "expr" in blocks),
        "f1.png": (draw_f1, "expr" in blocks or "au" in blocks),
        "ccc.png": (draw_ccc, "va" in blocks),
        "traces.png": (draw_traces, replay.temporal and bool(blocks)),
        "smoothing.png": (
            draw_smoothing,
            replay.temporal and any(len(curve["radius"]) > 1 for curve in record.curve.values()),
        ),
        "reliability.png": (draw_reliability, bool(blocks)),
    }
    functions = {JobFolder(folder).pictures / name: draw for name, (draw, applies) in figures.items() if applies}
    with plotting_context():
        for path, draw in functions.items():
            draw(path, run)
    return tuple(functions)
