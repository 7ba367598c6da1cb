"""Which engine runs a backbone here: the soonest by measurement, which is remembered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.cost import cost
from backbones.engines.cache import read_fact, write_fact
from backbones.engines.engine import Engine
from backbones.engines.fingerprint import identity, machine
from backbones.engines.parity import Difference, drawn_pixels, engine_difference
from backbones.engines.registry import KINDS, PREFERENCE, native, require, usable
from backbones.errors import BackboneError

if TYPE_CHECKING:
    from backbones.backbone import Backbone

logger = logging.getLogger(__name__)

CHOICES, PARITY = "choices.json", "parity.json"
NEAR, CONTENDING = 0.97, 0.7
MACS_PER_SECOND = 4e10
"""Of torch on a core or two: a constant, so that whether anything is measured does not depend on a clock."""
LONGEST = 20.0
"""Seconds after which measuring ends, as soon as it may."""
WORTH = 5
"""An engine must save work of so many times the seconds that its preparation takes."""


def available(backbone: Backbone, precision: str = "float32") -> tuple[str, ...]:
    """Names of the engines that can run it here in that precision, the one that needs no preparation first."""
    own = native(backbone)
    names = [name for name in PREFERENCE if usable(name, backbone, precision)]
    return tuple(sorted(names, key=lambda name: name != own))


def open_engine(name: str, backbone: Backbone, cache: Path, batch: int, precision: str = "float32") -> Engine:
    """The engine of that name for batches of up to `batch` crops; what it must make first is kept in `cache`.

    In float32 its outputs are held against torch's before it is used for the first time. BackboneError for a name
    that is not known, an engine that is not there or cannot run this backbone in this precision, and for outputs that
    differ; it says what to do.
    """
    require(name, backbone, precision)
    engine = KINDS[name].open(backbone, Path(cache), batch, precision)
    if name not in ("torch", native(backbone)) and precision == "float32":
        found = _parity(engine, backbone, Path(cache), batch)
        if not found.within:
            raise BackboneError(f"{name} does not give the features of {backbone.label} that torch gives ({found})",
                                f"let another engine run it: {native(backbone)}")
    return engine


def choose(backbone: Backbone, cache: Path, batch: int, workers: int, crops: int, force: bool = False,
           precision: str = "float32") -> str:
    """Name of the engine that runs `crops` crops soonest, in batches of `batch`, with that many workers.

    An engine is considered where the work is worth its preparation. The first by a fixed preference that comes within
    3 % of the fastest is chosen, and what was measured is kept in `cache`. force: all that are available are
    considered and measured anew.
    """
    names = available(backbone, precision)
    require(names[0] if names else native(backbone), backbone, precision)
    if not force:
        names = tuple(name for name in names if _is_worth(name, backbone, crops))
    if len(names) < 2:
        return names[0] if names else available(backbone, precision)[0]
    key = f"{identity(backbone)}, {precision}, batch {batch}, {workers} workers, {machine()}"
    found = None if force else _remembered(Path(cache) / CHOICES, key, names)
    if found is None:
        found = _measured(names, backbone, Path(cache), batch, workers, precision)
        write_fact(Path(cache) / CHOICES, key, found)
    best = max(found.values(), default=0.0)
    return next((name for name in PREFERENCE if name in found and found[name] >= NEAR * best), names[0])


def _is_worth(name: str, backbone: Backbone, crops: int) -> bool:
    if name == native(backbone):
        return True
    preparation = KINDS[name].preparation
    macs = cost(backbone.network, backbone.spec.input_size).macs
    return preparation is not None and macs is not None and crops * macs / MACS_PER_SECOND >= WORTH * preparation


def _remembered(path: Path, key: str, names: tuple[str, ...]) -> dict[str, float] | None:
    """Crops a second of these engines; None where not all of them were measured."""
    kept = read_fact(path, key)
    if not isinstance(kept, Mapping) or not set(names) <= set(kept):
        return None
    return {name: float(kept[name]) for name in names}


def _measured(names: tuple[str, ...], backbone: Backbone, cache: Path, batch: int, workers: int,
              precision: str) -> dict[str, float]:
    """Crops a second by engine, of those that can be used; where one cannot, the next choice tries it again."""
    from backbones.engines.benchmark import rates

    engines: dict[str, Engine] = {}
    for name in names:
        try:
            engines[name] = open_engine(name, backbone, cache, batch, precision)
        except BackboneError as error:
            logger.info(f"{name} is left out: {error.message}")
    pixels = drawn_pixels(backbone.spec.preprocessing, batch)
    turns = rates(engines, pixels, workers, keep=CONTENDING, limit=LONGEST)
    found = {name: max(values) for name, values in turns.items()}  # what else runs here can only slow a turn down
    logger.info(f"{backbone.label}, crops a second: " + ", ".join(f"{name} {rate:.0f}" for name, rate in found.items()))
    return {name: round(rate, 2) for name, rate in found.items()}


def _parity(engine: Engine, backbone: Backbone, cache: Path, batch: int) -> Difference:
    """Of an engine to torch, as it was found on this machine with these files."""
    key = f"{engine.name}, {identity(backbone)}, {getattr(engine, 'source', '')}, batch {batch}, {machine()}"
    kept = read_fact(cache / PARITY, key)
    if isinstance(kept, Mapping) and set(kept) == set(Difference.__dataclass_fields__):
        return Difference(**kept)
    found = engine_difference(engine, backbone)
    write_fact(cache / PARITY, key, asdict(found))
    return found
