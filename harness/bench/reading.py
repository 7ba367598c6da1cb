"""A training pass over features four times as large as the memory it may take, against reading the files in order."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.bench.ceilings import ceilings
from harness.bench.figure import Figure, interleaved
from harness.bench.memory import SEQUENCE, WIDTH, features

ROWS, BATCH, BUFFER = 400_000, 256, 4 << 20


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    import numpy as np

    from harness.features.matrix import BLOCK_ROWS, FeatureMatrix
    from harness.features.rows import aligned

    with tempfile.TemporaryDirectory() as folder:
        entry, labels = features(Path(folder), ROWS)
        files = [entry.path / name / "embeddings.npy" for name in entry.sequences]
        size = ROWS * WIDTH * 2
        matrix = FeatureMatrix(entry, "embeddings", labels, memory=size // 4)
        buffer = aligned(1, BUFFER, np.dtype(np.uint8))

        def in_order() -> None:
            for path in files:
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass

        def shuffled() -> None:
            for _ in matrix.stored(BATCH, 0, 0):
                pass

        def widened() -> None:
            for _ in matrix.batches(BATCH, 0, 0):
                pass

        arrays = [entry.open(name, "embeddings") for name in entry.sequences]
        room = aligned(BLOCK_ROWS, WIDTH, np.dtype(np.float16))
        height = SEQUENCE // BLOCK_ROWS
        order = np.random.default_rng(0).permutation(ROWS // SEQUENCE * height).tolist()

        def alone() -> None:
            for block in order:
                arrays[block // height].read(block % height * BLOCK_ROWS, room)

        tracemalloc.start()
        shuffled()
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        times = interleaved({"in order": in_order, "shuffled": shuffled, "widened": widened, "alone": alone})
    yield Figure("reading", f"batches of {BATCH}, {ROWS:,} x {WIDTH} float16 in shuffled blocks, memory for a quarter",
                 times.median("shuffled"), "s", "numpy reads the files in order into one buffer",
                 times.median("in order"), times.ratio("shuffled", "in order"), 0.7,
                 floor=ceilings().floor(2 * size), note=f"{taken / 1e6:.0f} MB taken, of "
                 f"{size / 4e6:.0f} MB allowed. Blocks of {BLOCK_ROWS} rows, the unit of shuffling, read and nothing "
                 f"done with them: ratio {times.ratio('alone', 'in order'):.2f}. Batches widened to float32 as well: "
                 f"{times.median('widened'):.3g} s, ratio {times.ratio('widened', 'in order'):.2f}")
