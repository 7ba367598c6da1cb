"""The folder of an export as a model: what card.json says, and the file behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backbones.checkpoint import hash_file
from backbones.resizing import resize_all
from backbones.spec import Preprocessing
from harness.errors import FramelightError, InputError, unknown
from harness.export.card import CARD, KIND, VERSION
from harness.export.formats import usable
from harness.export.network import OUTPUTS
from harness.jobs.filter import Filter
from harness.tasks import Task
from harness.tasks import task as task_named

BATCH = 64


class ExportedModel:
    """Crops -> outputs in the space of `task`; card: as `harness.export.card` has it; precision: of its file."""

    def __init__(self, folder: Path, card: Mapping[str, Any], file: Mapping[str, Any], threads: int = 1) -> None:
        self.card, self.precision = card, str(file["precision"])
        self.task: Task = task_named(card["task"])
        self.size = int(card["input"]["size"])
        self._preprocessing = Preprocessing(self.size, card["input"]["interpolation"])
        self._model = usable(card["format"]).open(folder / file["file"], threads)

    @property
    def filter(self) -> Filter:
        """What the run chose to do with outputs."""
        smoothing, thresholds = self.card["smoothing"], self.card["thresholds"]
        return Filter(smoothing["kernel"], int(smoothing["radius"]), smoothing["gaps"],
                      None if thresholds is None else tuple(thresholds))

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [H, W, 3] RGB crops, each of its own size -> float32 [N, C] outputs, before any smoothing."""
        found = [np.zeros((0, self.task.width), np.float32)]
        for start in range(0, len(crops), BATCH):
            found.append(self._model(resize_all(crops[start:start + BATCH], self._preprocessing))[OUTPUTS])
        return np.concatenate(found).astype(np.float32, copy=False)


def open_exported(folder: Path, precision: str | None = None, threads: int = 1) -> ExportedModel:
    """The model in the folder of an export; precision: of its file (default: the first, float32 where there is one).

    InputError for a folder that is no export, a precision it has no file of and a format whose package is not
    installed; FramelightError for a file that is gone or altered.
    """
    folder = Path(folder)
    card = read_card(folder)
    files = {file["precision"]: file for file in card["files"]}
    if precision is not None and precision not in files:
        raise unknown("precision", precision, files)
    file = card["files"][0] if precision is None else files[precision]
    for name, digest in file["parts"].items():
        path = folder / name
        if not path.is_file() or hash_file(path) != digest:
            raise FramelightError(f"{path} is {'altered' if path.is_file() else 'gone'}: it is not the file that "
                                  f"{CARD} speaks of; export the run again with --force")
    return ExportedModel(folder, card, file, threads)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an export; InputError where the folder holds none, FramelightError where it cannot be understood."""
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not the folder of an export: it has no {CARD}") from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); export the run again with --force") from error
    if not isinstance(card, dict) or card.get("kind") != KIND or not card.get("files"):
        raise InputError(f"{path} is not the card of an export")
    if card["version"] != VERSION:
        raise InputError(f"{path} is of version {card['version']}, but this Framelight reads version {VERSION}; export "
                         "the run again")
    return card
