"""What a fit adds to Lightning's checkpoint, and what a later fit reads from it; only tensors and plain values."""

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
"""Where in Lightning's checkpoint ours lies."""


def make_entry(optimisation: OptimizerConfig, fitted: FitResult, **rest: Any) -> dict[str, Any]:
    return {"optimisation": dataclasses.asdict(optimisation), "fitted": dict(vars(fitted)), **rest}


def load_fit_result(path: Path, optimisation: OptimizerConfig, state: Mapping[str, Tensor]) -> FitResult:
    """What had been fitted when the checkpoint was written; FramelightError when it is damaged or another fit's.

    state: the tensors of the model that is to go on from it.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        kept, weights = checkpoint[CHECKPOINT_KEY], checkpoint["state_dict"]
        fitted = FitResult(**kept["fitted"])
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FramelightError(
            f"{path} is not a whole checkpoint ({reason}); remove it to train from the start"
        ) from error
    wanted = dataclasses.asdict(optimisation)
    changed = [name for name in wanted if kept["optimisation"].get(name) != wanted[name]]
    if changed:
        raise FramelightError(
            f"{path} was trained with {changed[0]} {kept['optimisation'].get(changed[0])}, not "
            f"{wanted[changed[0]]}; remove it to train from the start"
        )
    shapes = [{name: tuple(value.shape) for name, value in tensors.items()} for tensors in (weights, state)]
    if shapes[0] != shapes[1]:
        name = sorted(name for name, _ in set(shapes[0].items()) ^ set(shapes[1].items()))[0]
        raise FramelightError(
            f"{path} is of another model: {name} is {shapes[0].get(name, 'not in it')}, here "
            f"{shapes[1].get(name, 'there is none')}; remove it to train from the start"
        )
    return fitted


def is_finished(fitted: FitResult, optimisation: OptimizerConfig) -> bool:
    return fitted.stopped or len(fitted.history) >= optimisation.epochs
