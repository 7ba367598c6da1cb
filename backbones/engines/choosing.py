"""Which engine runs a backbone here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.engines.engine import Engine
from backbones.errors import unknown

if TYPE_CHECKING:
    from backbones.backbone import Backbone

NAMES = ("torch", "torch channels-last")


def available(backbone: Backbone) -> tuple[str, ...]:
    """Names of the engines that can run it here."""
    return NAMES


def open_engine(name: str, backbone: Backbone, cache: Path, batch: int, precision: str = "float32") -> Engine:
    """The engine of that name for batches of up to `batch` crops; what it must export first is kept in `cache`."""
    from backbones.engines.torch_engine import TorchEngine

    if name not in NAMES:
        raise unknown("engine", name, NAMES)
    return TorchEngine(backbone, name == "torch channels-last", precision)


def choose(backbone: Backbone, cache: Path, batch: int, workers: int, crops: int,
           say: Callable[[str], None] | None = None) -> str:
    """Name of the engine that runs `crops` crops soonest with that many workers."""
    return "torch channels-last"
