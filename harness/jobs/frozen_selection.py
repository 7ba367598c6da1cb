"""A choice on disk, beside the predictions and the model it is about: from then on nothing more is chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.jobs.job_folder import JobFolder
from harness.jobs.selection import PostprocessingChoice
from harness.utils.errors import FramelightError
from harness.utils.files import sha256


@dataclass(frozen=True)
class SelectionRecord:
    """The choice of a job as it was written.

    epoch: whose weights predict; predictions: SHA-256 of the kept predictions of the reported split, empty where
    nothing is predicted before the labels are read; model: SHA-256 of each file of the model, by name.
    """

    folder: Path
    job_id: str
    epoch: int
    choice: PostprocessingChoice
    predictions: str
    model: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return JobFolder(self.folder).choice

    def is_valid(self) -> bool:
        """Whether the file is there and says just this."""
        try:
            return JobFolder(self.folder).read_choice() == self.to_dict()
        except (OSError, ValueError):
            return False

    def to_dict(self) -> dict[str, Any]:
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
    """Write the choice into `folder`; predictions: the file that keeps those of the reported split; model: the
    files of what predicted them.
    """
    frozen = SelectionRecord(
        folder,
        job_id,
        epoch,
        choice,
        "" if predictions is None else sha256(predictions),
        {path.name: sha256(path) for path in model},
    )
    JobFolder(folder).write_choice(frozen.to_dict())
    return frozen


def verify_model_files(folder: Path, job_id: str, again: str) -> bool:
    """FramelightError for a file of the model that is gone or altered, and for a choice that cannot be read.

    again: what to do then, in words. False where nothing can be said: jobs of earlier versions hashed no model.
    """
    choice = _read_choice(folder, job_id, again)
    hashes = choice.get("model")
    for name, expected in (hashes or {}).items():
        _verify_hash(folder / name, expected, "the model of this run", again)
    return hashes is not None


def verify_predictions(folder: Path, job_id: str, again: str) -> None:
    """FramelightError where the kept predictions of the reported split are gone or altered."""
    expected = _read_choice(folder, job_id, again).get("predictions")
    if expected:
        _verify_hash(JobFolder(folder).reported, expected, "the kept predictions of this run", again)


def _read_choice(folder: Path, job_id: str, again: str) -> dict[str, Any]:
    path = JobFolder(folder).choice
    try:
        choice = JobFolder(folder).read_choice()
    except FileNotFoundError as error:
        raise FramelightError(f"{path} is gone, which says what this run chose; {again}") from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); {again}") from error
    if not isinstance(choice, dict) or choice.get("job") != job_id:
        raise FramelightError(f"{path} is not the choice of job {job_id}; {again}")
    return choice


def _verify_hash(path: Path, expected: str, what: str, again: str) -> None:
    try:
        found = sha256(path)
    except FileNotFoundError as error:
        raise FramelightError(f"{path} is gone; it is part of {what}: {again}") from error
    except OSError as error:
        raise FramelightError(f"{path} cannot be read ({error.strerror}); {again}") from error
    if found != expected:
        raise FramelightError(
            f"{path} was altered since the run was made (its SHA-256 begins {found[:12]}, not "
            f"{expected[:12]}); it is part of {what}: {again}"
        )
