"""A choice on disk, beside the predictions and the model it is about: from then on nothing more is chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.jobs.choice import Choice
from harness.utils.files import sha256, write_json

FILE = "choice.json"


@dataclass(frozen=True)
class Frozen:
    """The choice of a job as it was written.

    epoch: whose weights predict; predictions: SHA-256 of the kept predictions of the reported split, empty where
    nothing is predicted before the labels are read; model: SHA-256 of each file of the model, by name.
    """

    path: Path
    job_id: str
    epoch: int
    choice: Choice
    predictions: str
    model: Mapping[str, str] = field(default_factory=dict)

    def stands(self) -> bool:
        """Whether the file is there and says just this."""
        try:
            return json.loads(self.path.read_text(encoding="utf-8")) == self.document()
        except (OSError, ValueError):
            return False

    def document(self) -> dict[str, Any]:
        choice = json.loads(json.dumps(dataclasses.asdict(self.choice)))
        return {"job": self.job_id, "epoch": self.epoch, "predictions": self.predictions, "model": dict(self.model),
                **choice}


def freeze(folder: Path, job_id: str, epoch: int, choice: Choice, predictions: Path | None,
           model: Iterable[Path] = ()) -> Frozen:
    """Write `choice.json` into `folder`; predictions: the file that keeps those of the reported split; model: the
    files of what predicted them."""
    frozen = Frozen(folder / FILE, job_id, epoch, choice, "" if predictions is None else sha256(predictions),
                    {path.name: sha256(path) for path in model})
    write_json(frozen.path, frozen.document())
    return frozen
