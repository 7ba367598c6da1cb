"""Write the selected postprocessing of a job to disk with hashes of its predictions and model, and verify those files.

After the selected postprocessing is written, nothing more is selected.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backbones.regular_files import hash_file
from harness.jobs.job_folder import JobFolder
from harness.jobs.selection import PostprocessingChoice
from harness.utils.errors import FramelightError
from harness.utils.names import is_file_name, is_id


@dataclass(frozen=True)
class SelectionRecord:
    """The selection of a job as it was written to disk.

    Attributes
    ----------
    folder : Path
        Folder of the job.
    job_id : str
        Id of the job.
    epoch : int
        Selected epoch.
    choice : PostprocessingChoice
        Selected postprocessing.
    predictions : str
        SHA-256 of the saved predictions of the reported split; empty for a baseline that predicts from labels.
    model : mapping of str to str
        SHA-256 of each file of the model, by name.
    """

    folder: Path
    job_id: str
    epoch: int
    choice: PostprocessingChoice
    predictions: str
    model: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that contains the selection."""
        return JobFolder(self.folder).choice

    def is_valid(self) -> bool:
        """Whether the file exists and has exactly this content."""
        try:
            return JobFolder(self.folder).read_choice() == self.to_dict()
        except (OSError, ValueError):
            return False

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the file, as JSON types."""
        choice = json.loads(json.dumps(dataclasses.asdict(self.choice)))
        return {
            "job": self.job_id,
            "epoch": self.epoch,
            "predictions": self.predictions,
            "model": dict(self.model),
            **choice,
        }


def freeze_selection(
    folder: Path,
    job_id: str,
    epoch: int,
    choice: PostprocessingChoice,
    predictions: Path | None,
    model: Iterable[Path] = (),
) -> SelectionRecord:
    """Write the selection of a job to its folder.

    Parameters
    ----------
    folder : Path
        Folder of the job.
    job_id : str
        Id of the job.
    epoch : int
        Selected epoch.
    choice : PostprocessingChoice
        Selected postprocessing.
    predictions : Path or None
        File with the predictions of the reported split; None for a baseline that predicts from labels.
    model : iterable of Path
        Files of the model.

    Returns
    -------
    SelectionRecord
        The written record.
    """
    selection = SelectionRecord(
        folder,
        job_id,
        epoch,
        choice,
        "" if predictions is None else hash_file(predictions),
        {path.name: hash_file(path) for path in model},
    )
    JobFolder(folder).write_choice(selection.to_dict())
    return selection


def verify_model_files(folder: Path, job_id: str, hint: str) -> bool:
    """Compare the model files of a job with their hashes.

    Parameters
    ----------
    folder : Path
        Folder of the job.
    job_id : str
        Id of the job.
    hint : str
        Advice for the user, appended to the error message.

    Returns
    -------
    bool
        Whether the model files have hashes; False if an earlier version of Framelight ran the job.

    Raises
    ------
    FramelightError
        If a model file is missing or modified, or the selection cannot be read.
    """
    hashes = _read_choice(folder, job_id, hint).get("model")
    if hashes is not None and not _is_hashes(hashes):
        raise FramelightError(f"{JobFolder(folder).choice}: 'model' must map file names to SHA-256 hashes; {hint}")
    for name, expected in (hashes or {}).items():
        _verify_hash(folder / name, expected, "the model of this run", hint)
    return hashes is not None


def verify_predictions(folder: Path, job_id: str, hint: str) -> None:
    """Raise FramelightError if the selection is unreadable, or the reported predictions are missing or modified.

    See `verify_model_files` for the parameters.
    """
    expected = _read_choice(folder, job_id, hint).get("predictions")
    if expected is not None and not isinstance(expected, str):
        raise FramelightError(f"{JobFolder(folder).choice}: 'predictions' is not a hash; {hint}")
    if expected:
        _verify_hash(JobFolder(folder).reported, expected, "the predictions of this run", hint)


def _read_choice(folder: Path, job_id: str, hint: str) -> dict[str, Any]:
    path = JobFolder(folder).choice
    try:
        choice = JobFolder(folder).read_choice()
    except FileNotFoundError as error:
        raise FramelightError(f"{path}, with the settings that this run selected, is missing; {hint}") from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); {hint}") from error
    if choice.get("job") != job_id:
        raise FramelightError(f"{path} is not the selection of job {job_id}; {hint}")
    return choice


def _is_hashes(values: Any) -> bool:
    return isinstance(values, dict) and all(map(is_file_name, values)) and all(map(is_id, values.values()))


def _verify_hash(path: Path, expected: str, what: str, hint: str) -> None:
    try:
        actual = hash_file(path)
    except FileNotFoundError as error:
        raise FramelightError(f"{path} is missing; it is part of {what}: {hint}") from error
    except OSError as error:
        raise FramelightError(f"{path} cannot be read ({error.strerror}); {hint}") from error
    if actual != expected:
        raise FramelightError(
            f"{path} was modified after the run was finished (its SHA-256 begins with {actual[:12]}, expected "
            f"{expected[:12]}); it is part of {what}: {hint}"
        )
