"""The folder of an export as a model: what card.json says, and the file behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backbones.checkpoint import hash_file
from backbones.resizing import resize_batch
from harness.export.card import CARD, ExportCard, ExportedFile, read_card
from harness.export.network import OUTPUTS
from harness.utils.errors import FramelightError, unknown_name_error

BATCH = 64


class ExportedModel:
    """Crops -> outputs in the space of the card's task."""

    def __init__(self, folder: Path, card: ExportCard, file: ExportedFile, threads: int = 1) -> None:
        self.card, self.file, self._path = card, file, folder / file.name
        self._model = card.form.open(self._path, threads)

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [H, W, 3] RGB crops, each of its own size -> float32 [N, C] outputs, before any smoothing.

        FramelightError for a file that gives none of that width.
        """
        width = self.card.task.width
        found = [np.zeros((0, width), np.float32)]
        for start in range(0, len(crops), BATCH):
            given = self._model(resize_batch(crops[start : start + BATCH], self.card.preprocessing)).get(OUTPUTS)
            if given is None or given.shape[1:] != (width,):
                raise FramelightError(
                    f"{self._path} gives no {OUTPUTS} of {width} columns, as task "
                    f"{self.card.task.name} has; export the run again with --force"
                )
            found.append(given)
        return np.concatenate(found).astype(np.float32, copy=False)


def open_exported(folder: Path, precision: str | None = None, threads: int = 1) -> ExportedModel:
    """The model in the folder of an export; precision: of its file (default: the first, float32 where there is one).

    InputError for a folder that is no export, a precision it has no file of and a format whose package is not
    installed; FramelightError for a card that cannot be understood, and a file that is gone or altered.
    """
    folder = Path(folder)
    card = read_card(folder)
    if precision is not None and precision not in card.files:
        raise unknown_name_error("precision", precision, card.files)
    file = next(iter(card.files.values())) if precision is None else card.files[precision]
    for name, digest in file.parts.items():
        path = folder / name
        if not path.is_file() or hash_file(path) != digest:
            raise FramelightError(
                f"{path} is {'altered' if path.is_file() else 'gone'}: it is not the file that "
                f"{CARD} speaks of; export the run again with --force"
            )
    return ExportedModel(folder, card, file, threads)
