"""Benchmark of a training pass over features that exceed the memory limit, against reading the files in order."""

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
    """Compare shuffled batches with `numpy.load` of the files in order."""
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
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer.data):
                        pass

        arrays = [entry.open(name, "embeddings") for name in entry.sequences]
        blocks, target = SEQUENCE // BLOCK_ROWS, np.empty((BLOCK_ROWS, WIDTH), np.float16)
        order = np.random.default_rng(0).permutation(len(arrays) * blocks).tolist()

        def copy_blocks() -> None:
            for block in order:
                first = block % blocks * BLOCK_ROWS
                target[...] = arrays[block // blocks].rows[first : first + BLOCK_ROWS]

        def copy_and_release_blocks() -> None:
            copy_blocks()
            for array in arrays:
                array.release()

        tracemalloc.start()
        peak = watch_resident_memory()
        read_shuffled()
        resident, allocated = peak(), tracemalloc.get_traced_memory()[1]
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
        copying = interleave_rounds({"blocks": copy_blocks}).median("blocks")
        copying_and_faults = interleave_rounds({"blocks": copy_and_release_blocks}).median("blocks")
    yield Measurement(
        "reading",
        f"batches of {BATCH}, {ROWS:,} x {WIDTH} float16 in shuffled blocks, memory for one quarter of them",
        times.median("shuffled"),
        "s",
        "numpy.load of each file in order",
        times.median("in order"),
        times.ratio("shuffled", "in order"),
        0.7,
        floor=hardware_limits().roofline_seconds(2 * size),
        note=f"resident memory {resident / 1e6:.0f} MB (allowed: {size / 4e6:.0f} MB), including "
        f"{allocated / 1e6:.0f} MB of buffers. Copying shuffled blocks of {BLOCK_ROWS} rows takes {copying:.3g} s; "
        f"page faults of released pages take {copying_and_faults - copying:.3g} s; ordering the rows takes "
        f"{times.median('shuffled') - copying_and_faults:.3g} s. numpy.load writes to memory that "
        "stays in the processor's cache. Reading the same bytes in order into one small buffer: "
        f"{times.median('bare'):.3g} s. With conversion to float32: "
        f"{times.median('widened'):.3g} s, ratio {times.ratio('widened', 'in order'):.2f}",
    )
