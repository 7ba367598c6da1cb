"""The pictures of one run, in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.confusion import confusion_panel
from harness.analysis.style import panel, save, titled
from harness.tasks import EXPRESSIONS

if TYPE_CHECKING:
    from harness.jobs.choice import Choice
    from harness.jobs.replay import Replay
    from harness.records import Record
    from harness.statistics import UnitStatistics

FOLDER = "pictures"


def draw_run(folder: Path, record: Record, replay: Replay, choice: Choice, statistics: UnitStatistics
             ) -> tuple[Path, ...]:
    """Write the PNGs that the run's task has into folder/"pictures"; their paths, in the order they are looked at.

    replay: of the split that is reported; choice: kernel, radius and thresholds it was scored with, and the curves of
    the selection split; statistics: what that gave, by unit of `replay.units`.
    """
    written = []
    if "expr" in statistics.arrays:
        written.append(folder / FOLDER / "confusion.png")
        made = titled(7.2, 6.4, f"{record.backbone}: expressions")
        confusion_panel(panel(made, 1.9, 1.3, 4.9, 4.9), statistics.arrays["expr"].sum(axis=0), EXPRESSIONS, "frames")
        save(made, written[-1])
    return tuple(written)
