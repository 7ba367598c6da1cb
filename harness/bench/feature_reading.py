"""A training pass over features four times as large as the memory it may take, against reading the files in order."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from harness.bench.figure import Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits
from harness.bench.memory import SEQUENCE, WIDTH, make_random_features, watch_resident_memory

ROWS, BATCH, BUFFER = 400_000, 256, 4 << 20


def measure() -> Iterator[Measurement]:
    import numpy as np

    from harness.features.matrix import BLOCK_ROWS, FeatureMatrix

    with tempfile.TemporaryDirectory() as folder:
        entry, labels = make_random_features(Path(folder), ROWS)
        files = [entry.path / name / "embeddings.npy" for name in entry.sequences]
        size = ROWS * WIDTH * 2
        matrix = FeatureMatrix(entry, "embeddings", labels, memory=size // 4)
        buffer = np.empty(BUFFER, np.uint8)

        def load_in_order() -> None:
            for path in files:
                np.load(path)

        def read_shuffled() -> None:
            for _ in matrix.stored_batches(BATCH, 0, 0):
                pass

        def read_float32_batches() -> None:
            for _ in matrix.batches(BATCH, 0, 0):
                pass

        def read_raw_bytes() -> None:
            for path in files:
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass

        arrays = [entry.open(name, "embeddings") for name in entry.sequences]
        height, room = SEQUENCE // BLOCK_ROWS, np.empty((BLOCK_ROWS, WIDTH), np.float16)
        order = np.random.default_rng(0).permutation(len(arrays) * height).tolist()

        def copy_blocks() -> None:
            for block in order:
                first = block % height * BLOCK_ROWS
                room[...] = arrays[block // height].rows[first : first + BLOCK_ROWS]

        def copy_and_release_blocks() -> None:
            copy_blocks()
            for array in arrays:
                array.release()

        tracemalloc.start()
        peak = watch_resident_memory()
        read_shuffled()
        resident, taken = peak(), tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        times = interleave_rounds(
            {
                "in order": load_in_order,
                "shuffled": read_shuffled,
                "widened": read_float32_batches,
                "bare": read_raw_bytes,
            }
        )
        copy_blocks()
        kept = interleave_rounds({"blocks": copy_blocks}).median("blocks")
        parts = interleave_rounds({"blocks": copy_and_release_blocks}).median("blocks")
    yield Measurement(
        "reading",
        f"batches of {BATCH}, {ROWS:,} x {WIDTH} float16 in shuffled blocks, memory for a quarter",
        times.median("shuffled"),
        "s",
        "numpy.load of each file in order",
        times.median("in order"),
        times.ratio("shuffled", "in order"),
        0.7,
        floor=hardware_limits().roofline_seconds(2 * size),
        note=f"of {size / 4e6:.0f} MB allowed {resident / 1e6:.0f} MB are resident, {taken / 1e6:.0f} MB of "
        f"them buffers. Of the time, copying shuffled blocks of {BLOCK_ROWS} rows, nothing else: "
        f"{kept:.3g} s; the faults of pages that were given back: {parts - kept:.3g} s; bringing rows "
        f"into their order: {times.median('shuffled') - parts:.3g} s. numpy.load writes to memory that "
        "stays in the processor's cache. The same bytes read in order into one small buffer: "
        f"{times.median('bare'):.3g} s. Batches widened to float32 as well: "
        f"{times.median('widened'):.3g} s, ratio {times.ratio('widened', 'in order'):.2f}",
    )
