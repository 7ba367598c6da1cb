"""Files of an unfinished backbone training, from which it resumes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.utils.errors import InputError
from harness.utils.files import atomic_write, remove_stale_temp_files, write_json
from harness.utils.json_text import read_json

if TYPE_CHECKING:
    from torch import Tensor

IDENTITY_FILE = "training.json"


class StageCheckpoints:
    """A folder with the finished stages and the checkpoint of the current stage.

    A finished stage has `<stage>.safetensors` and `<stage>.json`, written in this order; the current stage has
    `<stage>.ckpt`.

    Parameters
    ----------
    folder : Path
        Working folder. Files of a training with a different identity are removed.
    identity : str
        Hash of the settings, the initial weights and the images of the training.
    writes : bool
        Whether this process may change the folder; True for one process of a distributed training.

    Raises
    ------
    InputError
        If the folder has files that do not belong to a training.
    """

    def __init__(self, folder: Path, identity: str, writes: bool = True) -> None:
        self.folder, self.writes = Path(folder), writes
        if not writes:
            return
        stored = self._read_json(IDENTITY_FILE)
        if stored is None and not all(path.match(".*.aside") for path in self._list_files()):
            raise InputError(
                f"{self.folder} is not empty and does not belong to a training; choose another working folder"
            )
        if stored != {"identity": identity}:
            self.remove()
            write_json(self.folder / IDENTITY_FILE, {"identity": identity})
        remove_stale_temp_files(self.folder)

    def get_record(self, stage: str) -> dict[str, Any] | None:
        """Read the record that `save_stage` wrote; None if the stage is not finished."""
        return self._read_json(f"{stage}.json")

    def load_state(self, stage: str) -> dict[str, Tensor]:
        """Load the weights of a finished stage."""
        from safetensors.torch import load_file

        return load_file(self.folder / f"{stage}.safetensors")

    def checkpoint_path(self, stage: str) -> Path:
        """Return the path of Lightning's checkpoint of a stage."""
        return self.folder / f"{stage}.ckpt"

    def save_stage(self, stage: str, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Write the weights and the record of a finished stage and remove its checkpoint."""
        from safetensors.torch import save

        if not self.writes:
            return
        with atomic_write(self.folder / f"{stage}.safetensors") as tmp_path:
            tmp_path.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))
        write_json(self.folder / f"{stage}.json", dict(record))
        self.checkpoint_path(stage).unlink(missing_ok=True)

    def get_or_compute(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the stored result of `compute`; if there is none, call `compute` and store its result."""
        result = self._read_json(f"{name}.json")
        if result is None:
            result = compute()
            if self.writes:
                write_json(self.folder / f"{name}.json", result)
        return result

    def remove(self) -> None:
        """Remove the folder; its identity file goes last, so that an interrupted removal can be recognized."""
        if not self.writes:
            return
        for path in sorted(self._list_files(), key=lambda path: path.name == IDENTITY_FILE):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _list_files(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def _read_json(self, name: str) -> dict[str, Any] | None:
        try:
            return read_json(self.folder / name)
        except (FileNotFoundError, ValueError):
            return None
