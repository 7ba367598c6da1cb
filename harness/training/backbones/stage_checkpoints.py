"""What a training leaves while it runs, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.utils.errors import InputError
from harness.utils.files import atomic_write, remove_stale_temp_files, write_json

if TYPE_CHECKING:
    from torch import Tensor

IDENTITY_FILE = "training.json"


class StageCheckpoints:
    """A folder of finished stages (`<stage>.safetensors`, then `<stage>.json`) and the running one's `<stage>.ckpt`.

    identity: of the training; what another one left in the folder is removed. InputError where something else is.
    writes: whether this process may change the folder (one of several that train together does).
    """

    def __init__(self, folder: Path, identity: str, writes: bool = True) -> None:
        self.folder, self.writes = Path(folder), writes
        if not writes:
            return
        found = self._read_json(IDENTITY_FILE)
        if found is None and not all(path.match(".*.aside") for path in self._list_files()):
            raise InputError(f"{self.folder} is not empty and no training's; name another folder to work in")
        if found != {"identity": identity}:
            self.remove()
            write_json(self.folder / IDENTITY_FILE, {"identity": identity})
        remove_stale_temp_files(self.folder)

    def get_record(self, stage: str) -> dict[str, Any] | None:
        """The record of a finished stage, None of another."""
        return self._read_json(f"{stage}.json")

    def load_state(self, stage: str) -> dict[str, Tensor]:
        """The weights that a finished stage left."""
        from safetensors.torch import load_file

        return load_file(self.folder / f"{stage}.safetensors")

    def checkpoint_path(self, stage: str) -> Path:
        return self.folder / f"{stage}.ckpt"

    def save_stage(self, stage: str, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        from safetensors.torch import save

        if not self.writes:
            return
        with atomic_write(self.folder / f"{stage}.safetensors") as aside:
            aside.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))
        write_json(self.folder / f"{stage}.json", dict(record))
        self.checkpoint_path(stage).unlink(missing_ok=True)

    def get_or_compute(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `compute` gave when it was first asked for."""
        known = self._read_json(f"{name}.json")
        if known is None:
            known = compute()
            if self.writes:
                write_json(self.folder / f"{name}.json", known)
        return known

    def remove(self) -> None:
        """All of it, what says whose it is last: a process killed meanwhile leaves a folder that is still known."""
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
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
