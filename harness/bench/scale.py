"""Benchmark of the time and memory of jobs with 10,000 frames up to 2.66 million, the size of Aff-Wild2."""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.bench.figure import MAX_MEMORY_GIB, Measurement, ScaleResult, growth_exponent
from harness.bench.hardware_limits import hardware_limits
from harness.bench.scale_process import SEQUENCE, WIDTH, entry_key, sequence_names
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError
from harness.utils.parallel import run_module_in_subprocess

logger = logging.getLogger(__name__)

FRAMES = (10_000, 100_000, 1_000_000, 2_660_000)
ROUNDS = {10_000: 5, 100_000: 5, 1_000_000: 1, 2_660_000: 1}
MAX_EXPONENT = 1.1
SPARE_BYTES = 1 << 30
BYTES_PER_FRAME = 2 * WIDTH
"""Bytes of the embedding of one frame, in float16."""
PASSES = 3
"""Number of passes over all features: mean and standard deviation, one epoch, predictions."""


def measure(
    folder: Path = Path("framelight-store"), plot: Path | None = None, frames: Sequence[int] = FRAMES
) -> Iterator[Measurement]:
    """Measure jobs of several sizes.

    Parameters
    ----------
    folder : Path
        Features are written here temporarily.
    plot : Path, optional
        PNG file to write.
    frames : sequence of int
        Numbers of frames, ascending multiples of SEQUENCE.

    Raises
    ------
    FramelightError
        If a job fails, or if the folder cannot be written or has too little space. The space is checked before anything
        is written.
    """
    _check_disk_space(folder, max(frames) * BYTES_PER_FRAME)
    with tempfile.TemporaryDirectory(prefix=".bench-scale-", dir=folder) as temp_dir:
        logger.info(
            f"writing features of {max(frames):,} frames "
            f"({max(frames) * BYTES_PER_FRAME / 1e9:.1f} GB, removed afterwards)"
        )
        write_features(Path(temp_dir) / "features", frames)
        measured = []
        for size in frames:
            logger.info(f"{size:,} frames")
            measured.append(_measure_size(Path(temp_dir), size, ROUNDS.get(size, 1)))
    for result in measured:
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in result.seconds.items())
        yield Measurement(
            f"scale {result.frames:,}",
            f"head, smoothing, scores and record of {result.frames:,} frames x {WIDTH}",
            result.total,
            "s",
            floor=hardware_limits().roofline_seconds(moved=PASSES * result.frames * BYTES_PER_FRAME, threads=1),
            note=f"{parts}; peak {result.peak_bytes / 2**30:.2f} GiB",
        )
    yield from growth_measurements(measured)
    if plot is not None:
        from harness.bench.scale_plot import plot_scaling

        plot_scaling(plot, measured)
        logger.info(f"plot written to {plot}")


def growth_measurements(measured: Sequence[ScaleResult]) -> Iterator[Measurement]:
    """Yield the growth exponents of time, and the peak memory of the largest job.

    The first exponent covers all sizes. The second leaves out the smallest job, whose time hardly depends on its number
    of frames.
    """
    for label, results in (("all", measured), ("from the second", measured[1:])):
        if len(results) > 1:
            yield Measurement(
                f"scale exponent, {label}",
                f"slope of log time over log frames, {results[0].frames:,} to {results[-1].frames:,}",
                growth_exponent(results),
                "",
                limit=MAX_EXPONENT,
            )
    yield Measurement(
        "scale memory",
        f"peak resident memory at {measured[-1].frames:,} frames, including libraries and mapped pages",
        measured[-1].peak_bytes / 2**30,
        "GiB",
        limit=MAX_MEMORY_GIB,
    )


def write_features(root: Path, frames: Sequence[int]) -> None:
    """Write deterministic features for each number of frames; the smaller sets link to files of the largest set."""
    store, largest = FeatureStore(root), max(frames)
    random = np.random.default_rng(0)
    values = random.standard_normal((SEQUENCE, WIDTH), np.float32).astype(np.float16)
    numbers = np.arange(1, SEQUENCE + 1, dtype=np.int32)
    for i, name in enumerate(sequence_names(largest)):
        rolled = np.roll(values, 37 * i, axis=0)
        store.write_sequence(
            entry_key(largest), name, {"embeddings": rolled, "scores": rolled[:, :8], "frames": numbers}, []
        )
    for size in frames:
        if size != largest:
            for name in sequence_names(size):
                link = store.sequence_path(entry_key(size), name)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(store.sequence_path(entry_key(largest), name).resolve())
        store.complete(
            entry_key(size),
            sequence_names(size),
            {"backbone": {}, "data_digest": "", "dtype": "float16", "widths": {"embeddings": WIDTH, "scores": 8}},
        )


def _measure_size(folder: Path, frames: int, rounds: int) -> ScaleResult:
    results = [_run_in_subprocess(folder, frames) for _ in range(rounds)]
    seconds = {part: statistics.median(result["seconds"][part] for result in results) for part in results[0]["seconds"]}
    return ScaleResult(frames, seconds, max(result["peak_bytes"] for result in results))


def _run_in_subprocess(folder: Path, frames: int) -> dict[str, Any]:
    process = run_module_in_subprocess("harness.bench.scale_process", folder, frames)
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"the job with {frames:,} frames failed ({last})")
    return json.loads(process.stdout.splitlines()[-1])


def _check_disk_space(folder: Path, needed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise FramelightError(
            f"cannot write {folder}: {error.strerror}; choose another store with --store DIR"
        ) from error
    if free < needed + SPARE_BYTES:
        raise FramelightError(
            f"{folder} has {free / 1e9:.1f} GB free, but {(needed + SPARE_BYTES) / 1e9:.1f} GB are "
            "needed temporarily; free some space, or choose another store with --store DIR"
        )
