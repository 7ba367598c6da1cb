"""The files of a job: their names, and functions that read and write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.jobs import job_statistics
from harness.tracking import record_json
from harness.tracking.records import Record
from harness.utils.files import write_json
from harness.utils.json_text import read_json
from harness.utils.store import RelativePath

if TYPE_CHECKING:
    from harness.jobs.predictions import Predictions
    from harness.metrics.unit_statistics import SufficientStatistics

STATISTICS = "statistics.npz"
HEAD_NAME = "head"
"""Name of a model's only network; if there are several, their names are ``head_<output>``."""
NETWORK_SUFFIXES = (".json", ".safetensors")
"""Suffixes of the files of a network, as `TrainedHead.save` writes them."""

METRIC_NAMES = {"loss": "loss", "value": "selection"}
"""Values that a training records for each epoch, with the names of their curves in MLflow."""


@dataclass(frozen=True)
class JobFolder:
    """The files of one job; the only place that defines their names.

    The folder with the predictions of a training has the files `training`, `selection`, `reported` and `hashes` and the
    files of the networks. A job has links to these files, or copies of them. `TrainedHead.save` writes the files of a
    network; their names are the `network_name` with each of `NETWORK_SUFFIXES`.

    Attributes
    ----------
    path : Path
        The folder.
    training : Path
        Summary of the training.
    selection : Path
        Predictions of the rows that the postprocessing is selected on.
    reported : Path
        Predictions of the reported split.
    choice : Path
        The selected postprocessing, with hashes of the reported predictions and of the model.
    statistics : Path
        Sufficient statistics of the score, by unit.
    pictures : Path
        Folder of figures, which are drawn for only one seed of a run.
    record : Path
        The record.
    hashes : Path
        Hashes of the other files, see `harness.jobs.file_hashes`.
    """

    path: Path

    training = RelativePath("training.json")
    selection = RelativePath("selection.npz")
    reported = RelativePath("reported.npz")
    choice = RelativePath("choice.json")
    statistics = RelativePath(STATISTICS)
    pictures = RelativePath("pictures")
    record = RelativePath("record.json")
    hashes = RelativePath("hashes.json")

    def __fspath__(self) -> str:
        return str(self.path)

    @staticmethod
    def network_name(output: str = "") -> str:
        """Return the name of the network that predicts one output, or of the only network."""
        return f"{HEAD_NAME}_{output}" if output else HEAD_NAME

    @property
    def networks(self) -> list[Path]:
        """The existing files of all networks."""
        return [path for path in sorted(self.path.glob(f"{HEAD_NAME}*")) if path.suffix in NETWORK_SUFFIXES]

    @property
    def model(self) -> list[Path]:
        """The existing files that predictions depend on: the networks, and the summary with the baseline constant."""
        return sorted([*self.networks, *self.path.glob(self.training.name)])

    @property
    def arrays(self) -> list[Path]:
        """The existing files of predictions and statistics."""
        return [path for path in (self.selection, self.reported, self.statistics) if path.is_file()]

    def has_record(self) -> bool:
        """Whether the record exists."""
        return self.record.is_file()

    def read_record(self) -> Record:
        """Read the record; raise FramelightError if it is missing or cannot be read."""
        return record_json.read(self.record)

    def write_record(self, record: Record) -> None:
        """Write the record."""
        record_json.write(self.record, record)

    def read_choice(self) -> dict[str, Any]:
        """Read the selected postprocessing; raise OSError or ValueError if this is not possible."""
        return _read_object(self.choice)

    def write_choice(self, document: dict[str, Any]) -> None:
        """Write the selected postprocessing."""
        write_json(self.choice, document)

    def read_training(self) -> dict[str, Any]:
        """Read the summary of the training; raise OSError or ValueError if this is not possible."""
        return _read_object(self.training)

    def epoch_metrics(self) -> list[tuple[str, float, int]]:
        """Return the loss and the selection score of each epoch as (name, value, epoch); empty without a training."""
        try:
            summary = self.read_training()
            histories = {"": summary.get("history", []), **summary.get("histories", {})}
            return [
                (f"epoch/{prefix}{METRIC_NAMES[key]}", float(epoch[key]), int(epoch["epoch"]))
                for output, history in histories.items()
                for prefix in [f"{output}/" if output else ""]
                for epoch in history
                for key in METRIC_NAMES.keys() & epoch.keys()
            ]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return []

    def write_training(self, selection: Predictions, reported: Predictions, summary: dict[str, Any]) -> None:
        """Write the predictions and the summary of a training."""
        selection.save(self.selection)
        reported.save(self.reported)
        write_json(self.training, summary)

    def write_statistics(self, units: Sequence[str], statistics: SufficientStatistics) -> None:
        """Write the sufficient statistics of the score."""
        job_statistics.save(self.statistics, units, statistics)


def _read_object(path: Path) -> dict[str, Any]:
    values = read_json(path)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values
