"""A choice on disk, beside the predictions it is about: from then on nothing more is chosen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files import write_json
from harness.jobs.choice import Choice

FILE = "choice.json"


@dataclass(frozen=True)
class Frozen:
    """The choice of a job as it was written.

    epoch: whose weights predict; predictions: SHA-256 of the kept predictions of the reported split, empty where
    nothing is predicted before the labels are read.
    """

    path: Path
    job_id: str
    epoch: int
    choice: Choice
    predictions: str

    def stands(self) -> bool:
        """Whether the file is there and says just this."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8")) == self.document()
        except (OSError, ValueError):
            return False

    def document(self) -> dict[str, Any]:
        choice = json.loads(json.dumps(dataclasses.asdict(self.choice)))
        return {"job": self.job_id, "epoch": self.epoch, "predictions": self.predictions, **choice}


def freeze(folder: Path, job_id: str, epoch: int, choice: Choice, predictions: Path | None) -> Frozen:
    """Write `choice.json` into `folder`; predictions: the file that keeps those of the reported split."""
    frozen = Frozen(folder / FILE, job_id, epoch, choice, "" if predictions is None else _sha256(predictions))
    write_json(frozen.path, frozen.document())
    return frozen


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
