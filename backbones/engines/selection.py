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
from backbones.engines.fingerprint import backbone_fingerprint, machine_fingerprint
from backbones.engines.parity import OutputDifference, engine_difference, random_pixels
from backbones.engines.registry import ENGINES, PREFERENCE, is_usable, native_engine, require_engine
from backbones.errors import BackboneError

if TYPE_CHECKING:
    from backbones.backbone import Backbone

logger = logging.getLogger(__name__)

CHOICES, PARITY = "choices.json", "parity.json"
TIE_RATIO, CONTENDER_RATIO = 0.97, 0.7
MACS_PER_SECOND = 4e10
"""Of torch on a core or two: a constant, so that whether anything is measured does not depend on a clock."""
MAX_MEASURING_SECONDS = 20.0
"""Seconds after which measuring ends, as soon as it may."""
MIN_SAVING_FACTOR = 5
"""An engine must save work of so many times the seconds that its preparation takes."""


def available_engines(backbone: Backbone, precision: str = "float32") -> tuple[str, ...]:
    """Names of the engines that can run it here in that precision, the one that needs no preparation first."""
    own = native_engine(backbone)
    names = [name for name in PREFERENCE if is_usable(name, backbone, precision)]
    return tuple(sorted(names, key=lambda name: name != own))


def open_engine(name: str, backbone: Backbone, cache: Path, batch: int, precision: str = "float32") -> Engine:
    """The engine of that name for batches of up to `batch` crops; what it must make first is kept in `cache`.

    In float32 its outputs are held against torch's before it is used for the first time. BackboneError for a name
    that is not known, an engine that is not there or cannot run this backbone in this precision, and for outputs that
    differ; it says what to do.
    """
    require_engine(name, backbone, precision)
    engine = ENGINES[name].open(backbone, Path(cache), batch, precision)
    if name not in ("torch", native_engine(backbone)) and precision == "float32":
        found = _cached_difference(engine, backbone, Path(cache), batch)
        if not found.is_within_tolerance:
            raise BackboneError(
                f"{name} does not give the features of {backbone.label} that torch gives ({found})",
                f"let another engine run it: {native_engine(backbone)}",
            )
    return engine


def select_engine(  # noqa: PLR0913 - keyword settings of a measurement
    backbone: Backbone,
    cache: Path,
    batch: int,
    workers: int,
    crops: int,
    force: bool = False,
    precision: str = "float32",
) -> str:
    """Name of the engine that runs `crops` crops soonest, in batches of `batch`, with that many workers.

    An engine is considered where the work is worth its preparation. The first by a fixed preference that comes within
    3 % of the fastest is chosen, and what was measured is kept in `cache`. force: all that are available are
    considered and measured anew.
    """
    names = available_engines(backbone, precision)
    require_engine(names[0] if names else native_engine(backbone), backbone, precision)
    if not force:
        names = tuple(name for name in names if _is_worth_preparing(name, backbone, crops))
    if len(names) < 2:
        return names[0] if names else available_engines(backbone, precision)[0]
    key = f"{backbone_fingerprint(backbone)}, {precision}, batch {batch}, {workers} workers, {machine_fingerprint()}"
    found = None if force else _read_rates(Path(cache) / CHOICES, key, names)
    if found is None:
        found = _measure_rates(names, backbone, Path(cache), batch, workers, precision)
        write_fact(Path(cache) / CHOICES, key, found)
    best = max(found.values(), default=0.0)
    return next((name for name in PREFERENCE if name in found and found[name] >= TIE_RATIO * best), names[0])


def _is_worth_preparing(name: str, backbone: Backbone, crops: int) -> bool:
    if name == native_engine(backbone):
        return True
    preparation = ENGINES[name].preparation
    macs = cost(backbone.network, backbone.spec.input_size).macs
    return (
        preparation is not None
        and macs is not None
        and crops * macs / MACS_PER_SECOND >= MIN_SAVING_FACTOR * preparation
    )


def _read_rates(path: Path, key: str, names: tuple[str, ...]) -> dict[str, float] | None:
    """Crops a second of these engines; None where not all of them were measured."""
    kept = read_fact(path, key)
    if not isinstance(kept, Mapping) or not set(names) <= set(kept):
        return None
    return {name: float(kept[name]) for name in names}


def _measure_rates(
    names: tuple[str, ...], backbone: Backbone, cache: Path, batch: int, workers: int, precision: str
) -> dict[str, float]:
    """Crops a second by engine, of those that can be used; where one cannot, the next choice tries it again."""
    from backbones.engines.benchmark import measure_throughput

    engines: dict[str, Engine] = {}
    for name in names:
        try:
            engines[name] = open_engine(name, backbone, cache, batch, precision)
        except BackboneError as error:
            logger.info(f"{name} is left out: {error.message}")
    pixels = random_pixels(backbone.spec.preprocessing, batch)
    turns = measure_throughput(engines, pixels, workers, keep=CONTENDER_RATIO, limit=MAX_MEASURING_SECONDS)
    found = {name: max(values) for name, values in turns.items()}  # what else runs here can only slow a turn down
    logger.info(f"{backbone.label}, crops a second: " + ", ".join(f"{name} {rate:.0f}" for name, rate in found.items()))
    return {name: round(rate, 2) for name, rate in found.items()}


def _cached_difference(engine: Engine, backbone: Backbone, cache: Path, batch: int) -> OutputDifference:
    """Of an engine to torch, as it was found on this machine with these files."""
    key = (
        f"{engine.name}, {backbone_fingerprint(backbone)}, {getattr(engine, 'source', '')}, batch {batch}, "
        f"{machine_fingerprint()}"
    )
    kept = read_fact(cache / PARITY, key)
    if isinstance(kept, Mapping) and set(kept) == set(OutputDifference.__dataclass_fields__):
        return OutputDifference(**kept)
    found = engine_difference(engine, backbone)
    write_fact(cache / PARITY, key, asdict(found))
    return found
