"""Whether what a finished job left is still what its choice was frozen with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.jobs.frozen import FILE
from harness.jobs.training import REPORTED
from harness.utils.errors import FramelightError
from harness.utils.files import sha256


def require_model(folder: Path, job_id: str, again: str) -> bool:
    """FramelightError for a file of the model that is gone or altered, and for a choice that cannot be read.

    again: what to do then, in words. False where nothing can be said: jobs of earlier versions hashed no model.
    """
    choice = _choice(folder, job_id, again)
    hashes = choice.get("model")
    for name, expected in (hashes or {}).items():
        _require(folder / name, expected, "the model of this run", again)
    return hashes is not None


def require_predictions(folder: Path, job_id: str, again: str) -> None:
    """FramelightError where the kept predictions of the reported split are gone or altered."""
    expected = _choice(folder, job_id, again).get("predictions")
    if expected:
        _require(folder / REPORTED, expected, "the kept predictions of this run", again)


def _choice(folder: Path, job_id: str, again: str) -> dict[str, Any]:
    path = folder / FILE
    try:
        choice = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FramelightError(f"{path} is gone, which says what this run chose; {again}") from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); {again}") from error
    if not isinstance(choice, dict) or choice.get("job") != job_id:
        raise FramelightError(f"{path} is not the choice of job {job_id}; {again}")
    return choice


def _require(path: Path, expected: str, what: str, again: str) -> None:
    try:
        found = sha256(path)
    except FileNotFoundError as error:
        raise FramelightError(f"{path} is gone; it is part of {what}: {again}") from error
    except OSError as error:
        raise FramelightError(f"{path} cannot be read ({error.strerror}); {again}") from error
    if found != expected:
        raise FramelightError(f"{path} was altered since the run was made (its SHA-256 begins {found[:12]}, not "
                              f"{expected[:12]}); it is part of {what}: {again}")
