"""The files of a job: their names, and how they are written and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.jobs import job_statistics
from harness.tracking import records
from harness.tracking.records import Record
from harness.utils.files import write_json
from harness.utils.store import RelativePath

if TYPE_CHECKING:
    from harness.jobs.predictions import Predictions
    from harness.metrics.unit_statistics import SufficientStatistics

STATISTICS = "statistics.npz"
HEAD_NAME = "head"
"""Name of a model's only network; those of several are called `head_` and the output they predict."""


@dataclass(frozen=True)
class JobFolder:
    """What one job writes.

    The folder of a training's predictions holds the first three and the networks; jobs that share them link them.
    """

    path: Path

    training = RelativePath("training.json")
    """Summary of the training."""
    selection = RelativePath("selection.npz")
    """Predictions of the rows that the postprocessing is chosen on."""
    reported = RelativePath("reported.npz")
    """Predictions of the reported split."""
    choice = RelativePath("choice.json")
    """The chosen postprocessing, with hashes of the reported predictions and of the model."""
    statistics = RelativePath(STATISTICS)
    """Sufficient statistics of the score, by unit."""
    pictures = RelativePath("pictures")
    """Figures; one seed of a run has them."""
    record = RelativePath("record.json")

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def model(self) -> list[Path]:
        """The files that predict: those of the networks and the summary, which holds constants."""
        return sorted([*self.path.glob(f"{HEAD_NAME}*"), *self.path.glob(self.training.name)])

    def has_record(self) -> bool:
        return self.record.is_file()

    def read_record(self) -> Record:
        """The record; FramelightError where there is none or it cannot be read."""
        return records.read(self.record)

    def write_record(self, record: Record) -> None:
        records.write(self.record, record)

    def read_choice(self) -> Any:
        """The document of a frozen choice; OSError or ValueError where it cannot be read."""
        return json.loads(self.choice.read_text(encoding="utf-8"))

    def write_choice(self, document: dict[str, Any]) -> None:
        write_json(self.choice, document)

    def read_training(self) -> dict[str, Any]:
        """The summary of the training; OSError or ValueError where it cannot be read."""
        return json.loads(self.training.read_text(encoding="utf-8"))

    def write_training(self, selection: Predictions, reported: Predictions, summary: dict[str, Any]) -> None:
        """Write everything of a training but the model's networks."""
        selection.save(self.selection)
        reported.save(self.reported)
        write_json(self.training, summary)

    def write_statistics(self, units: Sequence[str], statistics: SufficientStatistics) -> None:
        job_statistics.save(self.statistics, units, statistics)
