"""Forward passes of every named backbone by the engine that is chosen, against the fastest there is."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from harness.bench.figure import ROUNDS, Measurement
from harness.bench.hardware_limits import hardware_limits
from harness.utils.console import suppress_logging

if TYPE_CHECKING:
    from backbones import Backbone
    from backbones.engines.engine import Engine

logger = logging.getLogger(__name__)

LEAST = 0.95
TURN_SECONDS = 0.3


def engines_cache() -> Path:
    """Where benchmarks keep exported networks between runs; what they measure is always new."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framelight" / "bench-engines"


def measure() -> Iterator[Measurement]:
    import backbones

    for name in backbones.names():
        yield measure_one(name)


def measure_one(name: str) -> Measurement:
    """One named backbone, random weights: its row."""
    import backbones
    from backbones import BackboneError
    from backbones.engines.benchmark import rates
    from backbones.engines.parity import drawn_pixels
    from backbones.engines.selection import available, choose, open_engine
    from harness.features.pipeline import batch_size

    workers, cache = os.cpu_count() or 1, engines_cache()
    backbone = backbones.build(name)
    batch = batch_size(backbone.spec.preprocessing)
    chosen = choose(backbone, cache, batch, workers, 0, force=True)
    logger.info(f"{name}: {chosen} is chosen; every engine again")
    engines: dict[str, Engine] = {}
    for each in available(backbone):
        with suppress(BackboneError):  # it was said why when one was chosen
            engines[each] = open_engine(each, backbone, cache, batch)
    found = rates(engines, drawn_pixels(backbone.spec.preprocessing, batch), workers, ROUNDS, TURN_SECONDS)
    best = max(found, key=lambda each: median(found[each]))
    ratio = median(own / other for own, other in zip(found[chosen], found[best]))
    macs = backbone.info().macs
    floor = None if macs is None else 1000 * hardware_limits().floor(flops=2 * macs)
    return Measurement(
        f"forward {name}", f"{chosen}, batches of {batch}, {workers} workers", _crop(found[chosen]), "ms",
        f"{best}, the fastest of {len(found)}", _crop(found[best]), ratio, LEAST, floor=floor,
        note="crops/s " + ", ".join(f"{each} {median(values):.0f}" for each, values in found.items()))


def _crop(rates: tuple[float, ...]) -> float:
    """Milliseconds of one crop."""
    return 1000 / median(rates)


CROPS = 10_000_000
"""Of the work that an engine is chosen for: enough for any preparation to be worth it."""


def measure_parity() -> Iterator[Measurement]:
    import backbones

    for name in backbones.names():
        logger.info(f"{name}: the chosen engine against torch eager")
        yield from parity_figures(backbones.build(name), name)


def parity_figures(backbone: Backbone, name: str) -> Iterator[Measurement]:
    """Its row at float32, and one without a requirement at bf16."""
    from backbones.engines.parity import LEAST_COSINE, MOST_OF_RANGE
    from backbones.engines.selection import choose, engine_difference, open_engine
    from harness.features.pipeline import batch_size

    cache, batch, workers = engines_cache(), batch_size(backbone.spec.preprocessing), os.cpu_count() or 1
    for precision in ("float32", "bf16"):
        with suppress_logging():
            chosen = choose(backbone, cache, batch, workers, CROPS, precision=precision)
        found = engine_difference(open_engine(chosen, backbone, cache, batch, precision), backbone)
        required = precision == "float32"
        limit = MOST_OF_RANGE if found.cosine > LEAST_COSINE else 0.0
        yield Measurement(
            f"parity {name}" if required else f"parity {name} {precision}",
            f"{chosen} in {precision} against torch eager in float32: largest difference", found.of_range,
            "of range", limit=limit if required else None,
            note=f"cosine {found.cosine:.7f}" + (f", must be above {LEAST_COSINE}" if required else
                                                 "; computed only on request"))
