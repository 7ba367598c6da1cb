"""The process around a fit: what Lightning may say, which signals it may take, where torch's switches stand, and
what learns.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from harness.training.fit import OptimizerConfig
from harness.training.rank import TRAINER_DEFAULTS


def make_trainer_options(optimisation: OptimizerConfig, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of Lightning's Trainer: the defaults (CPU, one device, silent), replaced by those given."""
    chosen = {
        **TRAINER_DEFAULTS,
        "max_epochs": optimisation.epochs,
        "gradient_clip_val": optimisation.clip or None,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        **given,
    }
    accelerated = chosen["accelerator"] != "cpu" and torch.accelerator.is_available()
    return {"deterministic": "warn" if accelerated else True, **chosen}


@contextmanager
def suppress_lightning_output() -> Iterator[None]:
    """Neither Lightning's notes nor its advice reach the user; torch's switches and random state are put back."""
    loggers = [
        logging.getLogger(name)
        for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")
    ]
    levels = [logger.level for logger in loggers]
    deterministic = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch)\b.*")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        torch.use_deterministic_algorithms(deterministic, warn_only=only_warned)
        torch.utils.deterministic.fill_uninitialized_memory = fill


@contextmanager
def propagate_signals(terminated: type[BaseException]) -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt, SIGTERM ends with 143: Lightning turns them into exits with codes 1 and 0.

    terminated: what Lightning raises after a SIGTERM.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except terminated as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from error


@contextmanager
def train_mode(model: nn.Module, frozen: nn.Module | None) -> Iterator[None]:
    """In train mode; while it lasts, the body of a frozen backbone has no gradients.

    frozen: the backbone that is; its classifier learns nevertheless.
    """
    learns = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    if frozen is not None:
        frozen.requires_grad_(False)
        frozen.network.get_classifier().requires_grad_(True)
    model.train()  # Lightning keeps the mode it finds, and a loaded backbone is in eval mode
    try:
        yield
    finally:
        for parameter, flag in learns:
            parameter.requires_grad_(flag)
