"""A training pass over features four times as large as the memory it may take, against reading the files in order."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.bench.ceilings import ceilings
from harness.bench.figure import Figure, interleaved
from harness.bench.memory import WIDTH, features, watch

ROWS, BATCH, BUFFER = 400_000, 256, 4 << 20


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    import numpy as np

    from harness.features.matrix import FeatureMatrix

    with tempfile.TemporaryDirectory() as folder:
        entry, labels = features(Path(folder), ROWS)
        files = [entry.path / name / "embeddings.npy" for name in entry.sequences]
        size = ROWS * WIDTH * 2
        matrix = FeatureMatrix(entry, "embeddings", labels, memory=size // 4)
        buffer = np.empty(BUFFER, np.uint8)

        def in_order() -> None:
            for path in files:
                np.load(path)

        def shuffled() -> None:
            for _ in matrix.stored(BATCH, 0, 0):
                pass

        def widened() -> None:
            for _ in matrix.batches(BATCH, 0, 0):
                pass

        def bare() -> None:
            for path in files:
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass

        tracemalloc.start()
        peak = watch()
        shuffled()
        resident, taken = peak(), tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        times = interleaved({"in order": in_order, "shuffled": shuffled, "widened": widened, "bare": bare})
    yield Figure("reading", f"batches of {BATCH}, {ROWS:,} x {WIDTH} float16 in shuffled blocks, memory for a quarter",
                 times.median("shuffled"), "s", "numpy.load of each file in order",
                 times.median("in order"), times.ratio("shuffled", "in order"), 0.7,
                 floor=ceilings().floor(2 * size),
                 note=f"{taken / 1e6:.0f} MB of buffers are held, and mapped pages are given back whenever "
                      f"{size / 4e6:.0f} MB were copied; with what the system maps around them, resident memory grows "
                      f"by {resident / 1e6:.0f} MB. The same bytes read in order into one small buffer that stays in "
                      f"the cache: {times.median('bare'):.3g} s. Batches widened to float32 as well: "
                      f"{times.median('widened'):.3g} s, ratio {times.ratio('widened', 'in order'):.2f}")
