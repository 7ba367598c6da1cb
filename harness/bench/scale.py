"""From ten thousand frames to Aff-Wild2's 2.66 million: how time grows, and how much memory is resident."""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.bench.figure import MEMORY_GIB, Measurement, Scaled, exponent
from harness.bench.hardware_limits import hardware_limits
from harness.bench.scale_process import SEQUENCE, WIDTH, key, names
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError
from harness.utils.parallel import run_module

logger = logging.getLogger(__name__)

FRAMES = (10_000, 100_000, 1_000_000, 2_660_000)
ROUNDS = {10_000: 5, 100_000: 5, 1_000_000: 1, 2_660_000: 1}
EXPONENT = 1.1
SPARE_BYTES = 1 << 30
BYTES = 2 * WIDTH
"""Of a frame's features."""
PASSES = 3
"""Reads of all features: their moments, one epoch, the predictions."""


def measure(folder: Path = Path("framelight-store"), plot: Path | None = None,
            frames: Sequence[int] = FRAMES) -> Iterator[Measurement]:
    """folder: where features are kept meanwhile; plot: a PNG to draw; frames: ascending multiples of SEQUENCE.

    FramelightError where the disk has no room, before anything is written.
    """
    _require_room(folder, max(frames) * BYTES)
    with tempfile.TemporaryDirectory(prefix=".bench-scale-", dir=folder) as place:
        logger.info(f"writing features of {max(frames):,} frames "
                    f"({max(frames) * BYTES / 1e9:.1f} GB, removed afterwards)")
        write_features(Path(place) / "features", frames)
        measured = []
        for size in frames:
            logger.info(f"{size:,} frames")
            measured.append(_measured(Path(place), size, ROUNDS.get(size, 1)))
    for one in measured:
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in one.seconds.items())
        yield Measurement(
            f"scale {one.frames:,}", f"head, smoothing, scores and record of {one.frames:,} frames x {WIDTH}",
            one.total, "s", floor=hardware_limits().floor(moved=PASSES * one.frames * BYTES, threads=1),
            note=f"{parts}; peak {one.peak_bytes / 2**30:.2f} GiB")
    yield from growth(measured)
    if plot is not None:
        from harness.bench.scale_plot import draw

        draw(plot, measured)
        logger.info(f"drawn: {plot}")


def growth(measured: Sequence[Scaled]) -> Iterator[Measurement]:
    """How time grows over all sizes and over the larger ones, where what every size takes no longer counts; memory."""
    for label, some in (("all", measured), ("from the second", measured[1:])):
        if len(some) > 1:
            yield Measurement(
                f"scale exponent, {label}", f"slope of log time over log frames, {some[0].frames:,} to "
                f"{some[-1].frames:,}", exponent(some), "", limit=EXPONENT)
    yield Measurement(
        "scale memory", f"peak resident memory at {measured[-1].frames:,} frames, libraries and mapped pages "
        "included", measured[-1].peak_bytes / 2**30, "GiB", limit=MEMORY_GIB)


def write_features(root: Path, frames: Sequence[int]) -> None:
    """Entries with the given numbers of frames; smaller ones link to the sequences of the largest. Always equal."""
    store, largest = FeatureStore(root), max(frames)
    random = np.random.default_rng(0)
    values = random.standard_normal((SEQUENCE, WIDTH), np.float32).astype(np.float16)
    numbers = np.arange(1, SEQUENCE + 1, dtype=np.int32)
    for i, name in enumerate(names(largest)):
        rolled = np.roll(values, 37 * i, axis=0)
        store.write_sequence(key(largest), name, {"embeddings": rolled, "scores": rolled[:, :8], "frames": numbers}, [])
    for size in frames:
        if size != largest:
            for name in names(size):
                link = store.sequence_path(key(size), name)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(store.sequence_path(key(largest), name).resolve())
        store.complete(key(size), names(size), {"backbone": {}, "data_digest": "", "dtype": "float16",
                                                "widths": {"embeddings": WIDTH, "scores": 8}})


def _measured(place: Path, frames: int, rounds: int) -> Scaled:
    found = [_run(place, frames) for _ in range(rounds)]
    seconds = {part: statistics.median(one["seconds"][part] for one in found) for part in found[0]["seconds"]}
    return Scaled(frames, seconds, max(one["peak_bytes"] for one in found))


def _run(place: Path, frames: int) -> dict[str, object]:
    done = run_module("harness.bench.scale_process", place, frames)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"{frames:,} frames could not be worked on ({last})")
    return json.loads(done.stdout.splitlines()[-1])


def _require_room(folder: Path, needed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise FramelightError(f"cannot write {folder}: {error.strerror}; choose another store with --store DIR") \
            from error
    if free < needed + SPARE_BYTES:
        raise FramelightError(f"{folder} has {free / 1e9:.1f} GB free, and {(needed + SPARE_BYTES) / 1e9:.1f} GB are "
                              "needed for a while; free some, or choose another place with --store DIR")
