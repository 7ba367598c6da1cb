"""A trained head: its outputs, and its two files, `.safetensors` (tensors) and `.json` (the rest)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from harness.metrics import tasks
from harness.training.heads import modules
from harness.training.heads.config import HeadConfig
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import atomic_write, write_json

DEFAULT_NAME = "head"
"""What a head's files are called where nothing else is said."""

BLOCK_ROWS = 8192
"""Rows per forward when nothing is learned; fixed, so that outputs do not depend on who asks."""


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A trained head: its tensors by name, what it was built from, and how training went.

    epoch: the epoch (from 1) whose weights these are; history: per epoch `epoch`, `loss` and, when there were
    selection rows, `value` (the task's metric on them, unsmoothed) and, where something else chose the epoch,
    `criterion` (the greatest is best); pruned: `on_epoch` ended the training early.
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
        """The task's metric on the selection rows after the epoch that was kept; None without selection rows."""
        return self.history[self.epoch - 1].get("value")

    @property
    def parameters(self) -> int:
        """Learned numbers: every tensor but the standardisation's."""
        return sum(v.size for name, v in self.state.items() if not name.startswith("standardise."))

    @cached_property
    def module(self) -> modules.Head:
        """The head as a torch module: features [N, D] -> logits [N, C]."""
        with torch.device("meta"):
            head = modules.build_head(self.config, self.in_width, tasks.get_task(self.task))
        head.load_state_dict({name: torch.from_numpy(value) for name, value in self.state.items()}, assign=True)
        return head

    def save(self, folder: Path, name: str = DEFAULT_NAME) -> None:
        """Write both files into `folder`, each aside and renamed, the card last."""
        from safetensors.numpy import save_file

        tensors, path = _head_paths(folder, name)
        with atomic_write(tensors) as aside:
            save_file(self.state, aside)
        card = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "state"}
        write_json(path, {**card, "config": dataclasses.asdict(self.config)})


def load(folder: Path, name: str = DEFAULT_NAME) -> TrainedHead:
    """The head saved in `folder`; InputError when there is none, FramelightError when its files are damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    tensors, path = _head_paths(folder, name)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        trained = TrainedHead(load_file(tensors), **{**card, "config": HeadConfig.from_jsonable(card["config"])})
        _ = trained.module  # fails for tensors of another shape than the card says
        return trained
    except FileNotFoundError as error:
        raise InputError(f"no trained head in {folder}: {path.name} and {tensors.name} are needed") from error
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise FramelightError(
            f"the trained head in {folder} is damaged ({error}); run its job again with --force"
        ) from error


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
        float32, in the space of the head's task.

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
            f"{int((~np.isfinite(logits)).any(axis=1).sum())} of {len(features)} rows give outputs "
            "that are not finite; extract their features again"
        )
    return task.activate(logits).astype(np.float32)


@torch.inference_mode()
def _forward(head: torch.nn.Module, features: np.ndarray) -> np.ndarray:
    blocks = [
        head(torch.from_numpy(np.ascontiguousarray(features[i : i + BLOCK_ROWS], np.float32))).numpy()
        for i in range(0, len(features), BLOCK_ROWS)
    ]
    return np.concatenate(blocks)
