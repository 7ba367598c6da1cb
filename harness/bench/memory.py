"""Benchmark of the memory for training a head on cached features, which must not grow with the number of rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench.figure import Measurement
from harness.utils.process_memory import resident_bytes

if TYPE_CHECKING:
    from harness.data.dataset import Labels
    from harness.features.entry import FeatureEntry

SMALL, LARGE, WIDTH, SEQUENCE = 50_000, 200_000, 1280, 10_000

_TRAIN_SCRIPT = """
import json, sys, threading, time
from pathlib import Path
from harness.bench.memory import make_random_features, watch_resident_memory
entry, labels = make_random_features(Path(sys.argv[1]), int(sys.argv[2]))
from harness.features.matrix import FeatureMatrix
from harness.training.heads.config import HeadConfig
from harness.training.heads.train import HeadTrainingSpec, train_head
from harness.metrics.tasks import get_task
import harness.training.lightning_module
peak = watch_resident_memory()
if sys.argv[3] == "whole":
    import numpy as np
    features = np.concatenate([np.asarray(entry.read(n, "embeddings")[0], np.float32) for n in entry.sequences])
matrix = FeatureMatrix(entry, "embeddings", labels)
spec = HeadTrainingSpec(HeadConfig("logistic_regression", hidden=0, epochs=1, batch_size=512))
train_head(get_task("expr"), spec, (matrix, labels), None, 0)
print(json.dumps(peak()))
"""


def measure() -> Iterator[Measurement]:
    """Measure how memory grows between two numbers of rows, compared with reading all features into memory."""
    with tempfile.TemporaryDirectory() as folder:
        small, large, whole = (
            _measure_peak_growth(folder, rows, mode)
            for rows, mode in ((SMALL, "blocks"), (LARGE, "blocks"), (LARGE, "whole"))
        )
    yield Measurement(
        "memory",
        f"growth of resident memory, {SMALL:,} to {LARGE:,} x {WIDTH} rows",
        large - small,
        "MB",
        "all features in memory as float32",
        whole - small,
        limit=100.0,
    )


def _measure_peak_growth(folder: str, rows: int, mode: str) -> float:
    process = subprocess.run(
        [sys.executable, "-c", _TRAIN_SCRIPT, folder, str(rows), mode], check=True, capture_output=True, text=True
    )
    return json.loads(process.stdout.splitlines()[-1]) / 1e6


def watch_resident_memory() -> Callable[[], int]:
    """Watch this process's resident memory, including mapped pages.

    Returns
    -------
    callable
        Function that stops watching and returns the peak growth since the start of watching, in bytes.
    """
    import threading

    start, peak, ended = resident_bytes(), [0], threading.Event()

    def poll() -> None:
        while not ended.wait(0.01):
            peak[0] = max(peak[0], resident_bytes() - start)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()

    def stop() -> int:
        ended.set()
        thread.join()
        return peak[0]

    return stop


def make_random_features(folder: Path, rows: int) -> tuple[FeatureEntry, Labels]:
    """Write random features to a feature store, unless they exist, and make a random label for each row.

    All videos have the same rows, each in a different order.
    """
    import numpy as np

    from harness.data.dataset import Labels
    from harness.features.store import FeatureStore

    store, key = FeatureStore(folder), f"bench{rows}"
    names = [f"video{i}" for i in range(rows // SEQUENCE)]
    if not (folder / key / "entry.json").is_file():
        first = np.random.default_rng(0).standard_normal((SEQUENCE, WIDTH), np.float32).astype(np.float16)
        for i, name in enumerate(names):
            values = np.roll(first, 31 * i, axis=0)
            store.write_sequence(
                key,
                name,
                {"embeddings": values, "scores": values[:, :8], "frames": np.arange(1, SEQUENCE + 1, dtype=np.int32)},
                [],
            )
        store.complete(
            key,
            names,
            {"backbone": {}, "data_digest": "", "dtype": "float16", "widths": {"embeddings": WIDTH, "scores": 8}},
        )
    video = np.repeat(np.arange(len(names), dtype=np.int32), SEQUENCE)
    labels = Labels(
        tuple(names),
        video,
        np.tile(np.arange(1, SEQUENCE + 1, dtype=np.int32), len(names)),
        tuple(names),
        video,
        tuple(names),
        {"expr": np.random.default_rng(0).integers(0, 8, rows)},
    )
    return store.entry(key), labels
