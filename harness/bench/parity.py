"""How far the chosen engine's embeddings are from torch's own, eager and in float32, for every named backbone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.bench.figure import Figure
from harness.bench.forward import engines_cache

if TYPE_CHECKING:
    from backbones import Backbone

CROPS = 10_000_000
"""Of the work that an engine is chosen for: enough for any preparation to be worth it."""


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    import backbones

    for name in backbones.names():
        say(f"{name}: the chosen engine against torch eager")
        yield from measure_one(backbones.build(name), name)


def measure_one(backbone: Backbone, name: str) -> Iterator[Figure]:
    """Its row at float32, and one without a requirement at bf16."""
    from backbones.engines.choosing import choose, engine_difference, open_engine
    from backbones.engines.parity import LEAST_COSINE, MOST_OF_RANGE
    from harness.features.pipeline import batch_size

    cache, batch, workers = engines_cache(), batch_size(backbone.spec.preprocessing), os.cpu_count() or 1
    for precision in ("float32", "bf16"):
        chosen = choose(backbone, cache, batch, workers, CROPS, precision=precision)
        found = engine_difference(open_engine(chosen, backbone, cache, batch, precision), backbone)
        required = precision == "float32"
        limit = MOST_OF_RANGE if found.cosine > LEAST_COSINE else 0.0
        yield Figure(f"parity {name}" if required else f"parity {name} {precision}",
                     f"{chosen} in {precision} against torch eager in float32: largest difference", found.of_range,
                     "of range", limit=limit if required else None,
                     note=f"cosine {found.cosine:.7f}" + (f", must be above {LEAST_COSINE}" if required else
                                                          "; computed only on request"))
