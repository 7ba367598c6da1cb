"""The project's entry in Lightning's checkpoint; it holds tensors and plain values only."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.training.fit import FitResult, OptimizerConfig
from harness.utils.errors import FramelightError

CHECKPOINT_KEY = "framelight"
"""Key of the entry in Lightning's checkpoint."""


def make_entry(config: OptimizerConfig, fitted: FitResult, **rest: Any) -> dict[str, Any]:
    """Build the entry from the configuration, the result so far and other values."""
    return {"optimisation": dataclasses.asdict(config), "fitted": dict(vars(fitted)), **rest}


def load_fit_result(path: Path, config: OptimizerConfig, state: Mapping[str, Tensor]) -> FitResult:
    """Load the result of the epochs trained so far from a checkpoint.

    Parameters
    ----------
    path : Path
    config : OptimizerConfig
        Configuration of the fit that resumes from the checkpoint.
    state : mapping of str to Tensor
        Tensors of the model that resumes from the checkpoint.

    Returns
    -------
    FitResult

    Raises
    ------
    FramelightError
        If the checkpoint is missing or damaged, if its configuration is different, or if its tensors have different
        names or shapes.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        entry, weights = checkpoint[CHECKPOINT_KEY], checkpoint["state_dict"]
        fitted = FitResult(**entry["fitted"])
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FramelightError(
            f"{path} is not a complete checkpoint ({reason}); remove it to train from the start"
        ) from error
    stored, expected = entry["optimisation"], dataclasses.asdict(config)
    changed = [name for name in expected if stored.get(name) != expected[name]]
    if changed:
        raise FramelightError(
            f"{path} was trained with {changed[0]} {stored.get(changed[0])}, not "
            f"{expected[changed[0]]}; remove it to train from the start"
        )
    shapes = [{name: tuple(value.shape) for name, value in tensors.items()} for tensors in (weights, state)]
    if shapes[0] != shapes[1]:
        name = sorted(name for name, _ in set(shapes[0].items()) ^ set(shapes[1].items()))[0]
        raise FramelightError(
            f"{path} belongs to a different model: the shape of {name} is {shapes[0].get(name, 'missing')} in the "
            f"checkpoint and {shapes[1].get(name, 'missing')} in this model; remove it to train from the start"
        )
    return fitted


def is_finished(fitted: FitResult, config: OptimizerConfig) -> bool:
    """Whether the fit was stopped or has trained all of its epochs."""
    return fitted.stopped or len(fitted.history) >= config.epochs
