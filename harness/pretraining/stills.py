"""Stills become a backbone checkpoint: identities first, then expressions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from harness.pretraining.config import REVISION, StillsConfig

if TYPE_CHECKING:
    from harness.data.image_table import Stills


@dataclass(frozen=True)
class TrainedStills:
    """folder: the checkpoint. metrics: those of its card. images_per_second: trained images, augmentation included."""

    folder: Path
    metrics: dict[str, float]
    seconds: float
    images_per_second: float


def train_stills(config: StillsConfig, train: Stills, validation: Stills, folder: Path, *, name: str | None = None,
                 checkpoints: Path | None = None, say: Callable[[str], None] = lambda _: None) -> TrainedStills:
    """Train `config.backbone` on the stills and write it to `folder`, aside and renamed.

    name: what the checkpoint's card calls it (default: the folder's name); checkpoints: where trained entries that
    `config.backbone` names are found. Its scores are logits of the eight expressions in Aff-Wild2's order (of the
    training subjects when expression_epochs is 0).
    `identity_accuracy` is on held-out stills of the training subjects, `expression_macro_f1` on the validation
    stills, over the expressions that occur there. Deterministic: torch works on `config.threads` threads, whatever
    the caller or the environment had set.
    InputError when the stills cannot teach what is asked.
    """
    import backbones
    from harness.pretraining import pictures, steps

    started = time.perf_counter()
    backbone = backbones.load(config.backbone, checkpoints)
    parent, parent_hash = backbone.weights, backbone.weights_hash
    say(f"reading {len(train.images) + len(validation.images)} stills")
    fit = pictures.read(train, backbone.spec.preprocessing, say)
    select = pictures.read(validation, backbone.spec.preprocessing, say)
    metrics, read = {}, time.perf_counter()
    with torch.random.fork_rng(devices=[]), _threads(config.threads):
        torch.manual_seed(config.seed)
        if config.identity_epochs:
            metrics |= steps.learn_identities(config, backbone, fit, say)
        if config.expression_epochs:
            metrics |= steps.learn_expressions(config, backbone, fit, select, say)
    trained = time.perf_counter() - read
    card = {"name": name or Path(folder).name, "data_digest": fit.digest(), "stills": len(fit), "parent": parent,
            "parent_hash": parent_hash, "metrics": metrics, "recipe": {**_plain(config), "revision": REVISION}}
    backbones.save_checkpoint(Path(folder), backbone.eval(), card)
    seen = len(fit) * (config.identity_epochs + config.expression_epochs)
    return TrainedStills(Path(folder), metrics, time.perf_counter() - started, seen / trained)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(config: StillsConfig) -> dict[str, Any]:
    return dataclasses.asdict(config)
