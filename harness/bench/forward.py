"""Benchmark of forward passes: the selected engine against the fastest one, for every backbone of the catalogue."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from backbones.processors import available_processors
from harness.bench.figure import ROUNDS, Measurement
from harness.bench.hardware_limits import hardware_limits
from harness.utils.console import suppress_logging

if TYPE_CHECKING:
    from backbones import Backbone
    from backbones.engines.engine import Engine

logger = logging.getLogger(__name__)

MIN_RATIO = 0.95
TURN_SECONDS = 0.3


def engine_cache_dir() -> Path:
    """Return the folder in which engines cache exported networks and measurements between benchmark runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framelight" / "bench-engines"


def measure() -> Iterator[Measurement]:
    """Measure the forward passes of every backbone in `backbones.names()`."""
    import backbones

    for name in backbones.names():
        yield measure_backbone(name)


def measure_backbone(name: str) -> Measurement:
    """Measure the forward passes of one named backbone with random weights; the engine is selected anew."""
    import backbones
    from backbones import BackboneError
    from backbones.engines.benchmark import measure_throughput
    from backbones.engines.parity import random_pixels
    from backbones.engines.selection import available_engines, open_engine, select_engine
    from harness.features.pipeline import batch_size

    workers, cache = available_processors(), engine_cache_dir()
    backbone = backbones.build(name)
    batch = batch_size(backbone.spec.preprocessing)
    selected = select_engine(backbone, cache, batch, workers, 0, force=True)
    logger.info(f"{name}: {selected} is selected; measuring every engine again")
    engines: dict[str, Engine] = {}
    for engine in available_engines(backbone):
        with suppress(BackboneError):  # the selection has logged the reason
            engines[engine] = open_engine(engine, backbone, cache, batch)
    rates = measure_throughput(
        engines, random_pixels(backbone.spec.preprocessing, batch), workers, ROUNDS, TURN_SECONDS
    )
    best = max(rates, key=lambda engine: median(rates[engine]))
    ratio = median(rate / fastest for rate, fastest in zip(rates[selected], rates[best]))
    macs = backbone.info().macs
    floor = None if macs is None else 1000 * hardware_limits().roofline_seconds(flops=2 * macs)
    return Measurement(
        f"forward {name}",
        f"{selected}, batches of {batch}, {workers} workers",
        _ms_per_crop(rates[selected]),
        "ms",
        f"{best}, the fastest of {len(rates)}",
        _ms_per_crop(rates[best]),
        ratio,
        MIN_RATIO,
        floor=floor,
        note="crops/s " + ", ".join(f"{engine} {median(values):.0f}" for engine, values in rates.items()),
    )


def _ms_per_crop(rates: tuple[float, ...]) -> float:
    """Convert crops per second to milliseconds per crop."""
    return 1000 / median(rates)


WORKLOAD_CROPS = 10_000_000
"""Number of crops for which an engine is selected: so many that even an engine with long preparation pays off."""


def measure_parity() -> Iterator[Measurement]:
    """Compare the outputs of the selected engine with those of eager torch for every backbone of the catalogue."""
    import backbones

    for name in backbones.names():
        logger.info(f"{name}: the selected engine against eager torch")
        yield from measure_backbone_parity(backbones.build(name), name)


def measure_backbone_parity(backbone: Backbone, name: str) -> Iterator[Measurement]:
    """Compare the selected engine, in float32 and in bf16, with eager torch in float32; bf16 has no requirement."""
    from backbones.engines.parity import MAX_OF_RANGE, MIN_COSINE
    from backbones.engines.selection import engine_difference, open_engine, select_engine
    from harness.features.pipeline import batch_size

    cache, batch, workers = engine_cache_dir(), batch_size(backbone.spec.preprocessing), available_processors()
    for precision in ("float32", "bf16"):
        with suppress_logging():
            selected = select_engine(backbone, cache, batch, workers, WORKLOAD_CROPS, precision=precision)
        difference = engine_difference(open_engine(selected, backbone, cache, batch, precision), backbone)
        required = precision == "float32"
        limit = MAX_OF_RANGE if difference.cosine > MIN_COSINE else 0.0
        yield Measurement(
            f"parity {name}" if required else f"parity {name} {precision}",
            f"{selected} in {precision} against eager torch in float32: largest difference",
            difference.of_range,
            "of range",
            limit=limit if required else None,
            note=f"cosine {difference.cosine:.7f}"
            + (f", must be above {MIN_COSINE}" if required else "; used only on request"),
        )
