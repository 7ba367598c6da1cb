"""Select the fastest engine for a backbone on this machine; measurements are cached."""

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
from backbones.engines.parity import OutputDifference, engine_difference, random_pixels, reference_engine
from backbones.engines.registry import ENGINES, PREFERENCE, is_usable, native_engine, require_engine
from backbones.errors import BackboneError

if TYPE_CHECKING:
    from backbones.backbone import Backbone

logger = logging.getLogger(__name__)

CHOICES, PARITY = "choices.json", "parity.json"
TIE_RATIO, CONTENDER_RATIO = 0.97, 0.7
MACS_PER_SECOND = 4e10
"""Assumed throughput of torch on one or two cores; constant, so that the decision to measure is reproducible."""
MAX_MEASURING_SECONDS = 20.0
"""Seconds after which no further round of measurements starts. A minimum number of rounds is always run."""
MIN_SAVING_FACTOR = 5
"""An engine is considered if the work would take torch at least this many times as long as preparing the engine."""


def available_engines(backbone: Backbone, precision: str = "float32") -> tuple[str, ...]:
    """List the engines that can run a backbone on this machine.

    Parameters
    ----------
    backbone : Backbone
        The backbone.
    precision : str
        One of `PRECISIONS`.

    Returns
    -------
    tuple of str
        Names of the engines; the result of `native_engine` is first if it supports the precision.
    """
    native = native_engine(backbone)
    names = [name for name in PREFERENCE if is_usable(name, backbone, precision)]
    return tuple(sorted(names, key=lambda name: name != native))


def open_engine(name: str, backbone: Backbone, cache: Path, batch: int, precision: str = "float32") -> Engine:
    """Open an engine; in float32, engines other than torch and the native one are checked before their first use.

    The check compares the outputs of the engine with those of the reference engine, see `engine_difference`.

    Parameters
    ----------
    name : str
        Name of the engine.
    backbone : Backbone
        The backbone to run.
    cache : Path
        Folder for exported networks and measurements.
    batch : int
        Largest number of crops per call.
    precision : str
        One of `PRECISIONS`.

    Returns
    -------
    Engine
        The engine.

    Raises
    ------
    BackboneError
        If the engine is unknown, is not available, cannot run the backbone in this precision or fails the check, or
        if a file in `cache` cannot be written.
    """
    require_engine(name, backbone, precision)
    engine = ENGINES[name].open(backbone, Path(cache), batch, precision)
    if name not in ("torch", native_engine(backbone)) and precision == "float32":
        difference = _cached_difference(engine, backbone, Path(cache), batch)
        if not difference.is_within_tolerance:
            raise BackboneError(
                f"{name} does not reproduce the features of {backbone.label} "
                f"(compared with {reference_engine(backbone).name}: {difference})",
                f"use another engine: {native_engine(backbone)}",
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
    """Select the engine that processes a number of crops in the shortest time.

    Engines are considered if the amount of work justifies their preparation. Of the engines within 3% of the fastest,
    the first in a fixed order of preference is selected. Measurements are cached.

    Parameters
    ----------
    backbone : Backbone
        The backbone to run.
    cache : Path
        Folder for exported networks and measurements.
    batch : int
        Crops per call.
    workers : int
        Number of threads that call the engine.
    crops : int
        Number of crops to process.
    force : bool
        Whether to measure all available engines again.
    precision : str
        One of `PRECISIONS`.

    Returns
    -------
    str
        Name of the engine.

    Raises
    ------
    BackboneError
        If no available engine supports the precision, or if the measurements cannot be written.
    """
    names = available_engines(backbone, precision)
    require_engine(names[0] if names else native_engine(backbone), backbone, precision)
    if not force:
        names = tuple(name for name in names if _is_worth_preparing(name, backbone, crops))
    if len(names) < 2:
        return names[0] if names else available_engines(backbone, precision)[0]
    key = f"{backbone_fingerprint(backbone)}, {precision}, batch {batch}, {workers} workers, {machine_fingerprint()}"
    rates = None if force else _read_rates(Path(cache) / CHOICES, key, names)
    if rates is None:
        rates = _measure_rates(names, backbone, Path(cache), batch, workers, precision)
        write_fact(Path(cache) / CHOICES, key, rates)
    best = max(rates.values(), default=0.0)
    return next((name for name in PREFERENCE if name in rates and rates[name] >= TIE_RATIO * best), names[0])


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
    """Return the cached crops per second of some engines; None unless all of them were measured."""
    rates = read_fact(path, key)
    if not isinstance(rates, Mapping) or not set(names) <= set(rates):
        return None
    return {name: float(rates[name]) for name in names}


def _measure_rates(
    names: tuple[str, ...], backbone: Backbone, cache: Path, batch: int, workers: int, precision: str
) -> dict[str, float]:
    """Measure crops per second by engine; engines that fail are omitted, so that the next selection retries them."""
    from backbones.engines.benchmark import measure_throughput

    engines: dict[str, Engine] = {}
    for name in names:
        try:
            engines[name] = open_engine(name, backbone, cache, batch, precision)
        except BackboneError as error:
            logger.info(f"engine {name} is skipped: {error.message}")
    pixels = random_pixels(backbone.spec.preprocessing, batch)
    rounds = measure_throughput(engines, pixels, workers, keep=CONTENDER_RATIO, limit=MAX_MEASURING_SECONDS)
    rates = {name: max(values) for name, values in rounds.items()}  # other load can only slow a round down
    logger.info(f"{backbone.label}, crops/s: " + ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items()))
    return {name: round(rate, 2) for name, rate in rates.items()}


def _cached_difference(engine: Engine, backbone: Backbone, cache: Path, batch: int) -> OutputDifference:
    """Return the difference between an engine and the reference engine, cached for this machine."""
    key = (
        f"{engine.name}, {backbone_fingerprint(backbone)}, {getattr(engine, 'source', '')}, batch {batch}, "
        f"{machine_fingerprint()}"
    )
    fields = read_fact(cache / PARITY, key)
    if isinstance(fields, Mapping) and set(fields) == set(OutputDifference.__dataclass_fields__):
        return OutputDifference(**fields)
    difference = engine_difference(engine, backbone)
    write_fact(cache / PARITY, key, asdict(difference))
    return difference
