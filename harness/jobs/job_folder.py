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

if TYPE_CHECKING:
    from harness.jobs.predictions import Predictions
    from harness.metrics.unit_statistics import SufficientStatistics

STATISTICS = "statistics.npz"
HEAD = "head"
"""Name of a model's only network; those of several are called `head_` and the output they predict."""


@dataclass(frozen=True)
class JobFolder:
    """What one job writes.

    ========================  ==========================================================================
    ``training.json``         summary of the training, with the model's own files (``head*``)
    ``selection.npz``         predictions of the rows that the postprocessing is chosen on
    ``reported.npz``          predictions of the reported split
    ``choice.json``           the chosen postprocessing, with hashes of ``reported.npz`` and of the model
    ``statistics.npz``        sufficient statistics of the score, by unit
    ``pictures/``             figures, of one seed of a run
    ``record.json``           the record
    ========================  ==========================================================================

    The folder of a training's predictions holds the first three; jobs that share them link them.
    """

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "record.json"

    @property
    def choice(self) -> Path:
        return self.path / "choice.json"

    @property
    def training(self) -> Path:
        return self.path / "training.json"

    @property
    def selection(self) -> Path:
        return self.path / "selection.npz"

    @property
    def reported(self) -> Path:
        return self.path / "reported.npz"

    @property
    def statistics(self) -> Path:
        return self.path / STATISTICS

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def model(self) -> list[Path]:
        """The files that predict: those of the networks and the summary, which holds constants."""
        return sorted([*self.path.glob(f"{HEAD}*"), *self.path.glob(self.training.name)])

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
