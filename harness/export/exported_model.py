"""Load an exported model: its card and one of its model files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backbones.card import CARD
from backbones.regular_files import hash_file
from backbones.resizing import resize_batch
from harness.export.card_reader import ExportCard, ExportedFile, read_card
from harness.export.network import OUTPUTS
from harness.utils.errors import FramelightError, InputError

BATCH = 64


class ExportedModel:
    """An exported model file that maps crops to the outputs of the card's task.

    Attributes
    ----------
    card : ExportCard
    file : ExportedFile
        The file that is run.
    """

    def __init__(self, folder: Path, card: ExportCard, file: ExportedFile, threads: int = 1) -> None:
        self.card, self.file, self._path = card, file, folder / file.name
        self._model = card.form.open(self._path, threads)

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Compute the outputs of N crops, before any smoothing.

        Parameters
        ----------
        crops : sequence of ndarray of shape (H, W, 3)
            uint8 RGB; sizes may differ.

        Returns
        -------
        ndarray of shape (N, C)
            float32.

        Raises
        ------
        FramelightError
            If the file does not return outputs with C columns, one for each column of the task.
        """
        width = self.card.task.width
        batches = [np.zeros((0, width), np.float32)]
        for start in range(0, len(crops), BATCH):
            outputs = self._model(resize_batch(crops[start : start + BATCH], self.card.preprocessing)).get(OUTPUTS)
            if outputs is None or outputs.shape[1:] != (width,):
                raise FramelightError(
                    f"{self._path} returns no {OUTPUTS} with the {width} columns of task "
                    f"{self.card.task.name}; export the run again with --force"
                )
            batches.append(outputs)
        return np.concatenate(batches).astype(np.float32, copy=False)


def open_exported(folder: Path, threads: int = 1) -> ExportedModel:
    """Open the first model file that the card lists (float32 if there is one), after verifying its hashes.

    Parameters
    ----------
    folder : Path
        Folder of the export.
    threads : int

    Raises
    ------
    InputError
        If the folder is not an export, its card is invalid, a file is missing or has
        changed, or the package of the format is not installed.
    """
    folder = Path(folder)
    card = read_card(folder)
    file = next(iter(card.files.values()))
    for name, digest in file.parts.items():
        path = folder / name
        if not path.is_file() or hash_file(path) != digest:
            raise InputError(
                f"{path} {'does not match its hash in' if path.is_file() else 'is missing but listed in'} "
                f"{CARD}; export the run again with --force"
            )
    return ExportedModel(folder, card, file, threads)
