"""Which expressions a run takes for which."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.scored import ScoredRun
from harness.metrics.tasks import EXPRESSIONS
from harness.utils.plotting.confusion_matrix import confusion_panel, share_bar
from harness.utils.plotting.style import panel, save, titled


def draw_expressions(path: Path, run: ScoredRun) -> None:
    """Write the picture of task `expr` or `mtl`."""
    made = titled(8.2, 6.45, "Confusion of expressions", run.heading, run.warning)
    image = confusion_panel(panel(made, 1.75, 1.1, 5.3, 5.3), run.statistics.arrays["expr"].sum(axis=0), EXPRESSIONS,
                            run.rows)
    share_bar(made, image, cax=panel(made, 7.25, 1.1, 0.15, 5.3))
    save(made, path)
