"""Arguments of Lightning's Trainer and the process state during a fit: output, signals, torch's switches."""

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


def make_trainer_options(config: OptimizerConfig, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the default arguments of Lightning's Trainer (CPU, one device, deterministic, silent) with `overrides`."""
    options = {
        **TRAINER_DEFAULTS,
        "max_epochs": config.epochs,
        "gradient_clip_val": config.clip or None,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        **overrides,
    }
    accelerated = options["accelerator"] != "cpu" and torch.accelerator.is_available()
    return {"deterministic": "warn" if accelerated else True, **options}


@contextmanager
def suppress_lightning_output() -> Iterator[None]:
    """Hide Lightning's messages and warnings; restore torch's determinism settings and random state afterwards."""
    loggers = [
        logging.getLogger(name)
        for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")
    ]
    levels = [logger.level for logger in loggers]
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    switches: Any = torch.utils.deterministic  # the type stub lacks the attribute
    fill = switches.fill_uninitialized_memory
    switches.fill_uninitialized_memory = False
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch)\b.*")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        switches.fill_uninitialized_memory = fill


@contextmanager
def propagate_signals(terminated: type[BaseException]) -> Iterator[None]:
    """Raise KeyboardInterrupt after Ctrl-C and exit with status 143 after SIGTERM.

    Without this, Lightning would exit with status 1 after Ctrl-C and with status 0 after SIGTERM.

    Parameters
    ----------
    terminated : type
        Exception that Lightning raises after SIGTERM.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except terminated as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error


@contextmanager
def train_mode(model: nn.Module, frozen: nn.Module | None) -> Iterator[None]:
    """Set the model to training mode; if a backbone is given, freeze it while the context lasts.

    Parameters
    ----------
    model : nn.Module
    frozen : nn.Module or None
        Backbone to freeze: only the weights of its classifier get gradients. None to freeze nothing.
    """
    required_grad = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    if frozen is not None:
        network: Any = frozen.network
        frozen.requires_grad_(False)
        network.get_classifier().requires_grad_(True)
    model.train()  # Lightning does not change the mode, and a loaded backbone is in evaluation mode
    try:
        yield
    finally:
        for parameter, flag in required_grad:
            parameter.requires_grad_(flag)
