"""Trained heads: prediction, and the two files of a head, `.safetensors` (tensors) and `.json` (the rest)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.metrics import tasks
from harness.training.heads import modules
from harness.training.heads.config import HeadConfig
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import atomic_write, write_json
from harness.utils.json_checks import Check, find_faults, is_count, is_flag, is_label, is_number, list_of
from harness.utils.json_text import read_json

DEFAULT_NAME = "head"
"""Default name of a head's files."""

BLOCK_ROWS = 8192
"""Rows per forward pass in prediction; fixed, so that outputs do not depend on the caller."""


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A trained head.

    Attributes
    ----------
    state : dict of str to ndarray
        Tensors by name.
    config : HeadConfig
    task : str
    in_width : int
        Number of feature columns.
    epoch : int
        The selected epoch, whose weights are in `state`; counted from 1.
    history : list of dict
        One entry per epoch with `epoch` and `loss`. With selection rows the entry also has `value`, the task's metric
        on them without smoothing. If another criterion selected the epoch, the entry has `criterion` too; the largest
        is best.
    seconds : float
        Training time.
    pruned : bool
        Whether `on_epoch` ended the training early.
    """

    state: dict[str, np.ndarray]
    config: HeadConfig
    task: str
    in_width: int
    epoch: int
    history: list[dict[str, float]]
    seconds: float
    pruned: bool = False

    @property
    def value(self) -> float | None:
        """The task's metric on the selection rows after the selected epoch; None without selection rows."""
        return self.history[self.epoch - 1].get("value")

    @property
    def parameters(self) -> int:
        """Number of trained parameters, without the statistics of the standardization."""
        return sum(v.size for name, v in self.state.items() if not name.startswith("standardise."))

    @cached_property
    def module(self) -> modules.Head:
        """The head as a torch module that maps features [N, D] to logits [N, C]."""
        with torch.device("meta"):
            head = modules.build_head(self.config, self.in_width, tasks.get_task(self.task))
        head.load_state_dict({name: torch.from_numpy(value) for name, value in self.state.items()}, assign=True)
        return head

    def save(self, folder: Path, name: str = DEFAULT_NAME) -> None:
        """Write both files to `folder` atomically, the JSON file last."""
        from safetensors.numpy import save_file

        tensors, path = _head_paths(folder, name)
        with atomic_write(tensors) as tmp_path:
            save_file(self.state, tmp_path)
        card = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "state"}
        write_json(path, {**card, "config": dataclasses.asdict(self.config)})


def load(folder: Path, name: str = DEFAULT_NAME) -> TrainedHead:
    """Load a head.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the head's files, without the suffix.

    Raises
    ------
    InputError
        If a file is missing.
    FramelightError
        If a file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    tensors, path = _head_paths(folder, name)
    try:
        card = read_json(path)
        _check_card(card)
        trained = TrainedHead(load_file(tensors), **{**card, "config": HeadConfig.from_jsonable(card["config"])})
        _ = trained.module  # raises an error if the tensors do not have the configured shapes
        return trained
    except FileNotFoundError as error:
        raise InputError(f"no trained head in {folder}: {path.name} and {tensors.name} are needed") from error
    except (*DAMAGES, SafetensorError) as error:
        raise FramelightError(
            f"the trained head in {folder} is damaged ({error}); run its job again with --force"
        ) from error


def _check_card(card: Any) -> None:
    """Raise ValueError unless a card, the content of the JSON file, has the fields of a head."""
    names = {field.name for field in dataclasses.fields(TrainedHead)} - {"state"}
    if not isinstance(card, dict) or not names >= card.keys() >= names - {"pruned"}:
        raise ValueError("its fields are not those of a head")
    faults = find_faults({name: card[name] for name in CARD_FIELDS if name in card}, CARD_FIELDS)
    if faults or not 1 <= card["epoch"] <= len(card["history"]):
        raise ValueError(faults[0] if faults else f"epoch {card['epoch']} is not in its history")


CARD_FIELDS: Mapping[str, Check] = {
    "config": (lambda value: isinstance(value, dict), "the settings of a head"),
    "task": (is_label, "the name of a task"),
    "in_width": (is_count, "a whole number"),
    "epoch": (is_count, "a whole number"),
    "history": (list_of(lambda value: isinstance(value, dict)), "a list of epochs"),
    "seconds": (is_number, "a number"),
    "pruned": (is_flag, "true or false"),
}
DAMAGES = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
    InputError,
)
"""Errors raised if a file is damaged or the tensors do not fit the card."""


def _head_paths(folder: Path, name: str) -> tuple[Path, Path]:
    return Path(folder) / f"{name}.safetensors", Path(folder) / f"{name}.json"


def predict(trained: TrainedHead, features: np.ndarray) -> np.ndarray:
    """Compute the activated outputs of a head.

    Parameters
    ----------
    trained : TrainedHead
    features : ndarray of shape (N, D)

    Returns
    -------
    ndarray of shape (N, C)
        float32, activated by `Task.activate` of the head's task.

    Raises
    ------
    InputError
        If D is not the width that the head was trained on.
    FramelightError
        If an output is not finite.
    """
    task = tasks.get_task(trained.task)
    if features.ndim != 2 or features.shape[1] != trained.in_width:
        raise InputError(f"the head takes features [N, {trained.in_width}], not {list(features.shape)}")
    if not len(features):
        return np.zeros((0, task.width), np.float32)
    logits = _forward(trained.module, features)
    if not np.isfinite(logits).all():
        raise FramelightError(
            f"the head's outputs are not finite for {int((~np.isfinite(logits)).any(axis=1).sum())} of "
            f"{len(features)} rows; extract their features again"
        )
    return task.activate(logits).astype(np.float32)


@torch.inference_mode()
def _forward(head: torch.nn.Module, features: np.ndarray) -> np.ndarray:
    blocks = [
        head(torch.from_numpy(np.ascontiguousarray(features[i : i + BLOCK_ROWS], np.float32))).numpy()
        for i in range(0, len(features), BLOCK_ROWS)
    ]
    return np.concatenate(blocks)
