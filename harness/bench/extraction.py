"""Benchmark of feature extraction from JPEG files, against forward passes alone with the same engine."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.engines.engine import Engine
from backbones.processors import available_processors
from harness.bench.crops import BenchmarkCrops, render_crops
from harness.bench.figure import Measurement, interleave_rounds, median_seconds
from harness.bench.hardware_limits import hardware_limits
from harness.features.engine_choice import EngineSelector

if TYPE_CHECKING:
    from backbones import Backbone

logger = logging.getLogger(__name__)

MIN_RATIO = 0.85
PASS_SECONDS = 1.0
AFFWILD2_CROPS = 2_658_822
"""Number of crops of Aff-Wild2; the engine is selected for this number."""

MAX_BATCHES_IN_MEMORY = 16
"""Maximum number of prepared batches, which forward passes use in turn."""


@dataclass(frozen=True)
class OpenEngineSelector(EngineSelector):
    """Engine selector that returns an engine that is open already, so that opening it is not timed.

    Attributes
    ----------
    running : Engine
    """

    running: Engine | None = None

    def engine(self, entry: Path, backbone: Backbone, workers: int, crops: int) -> Engine:
        """Return the open engine."""
        assert self.running is not None
        return self.running


def measure() -> Iterator[Measurement]:
    """Measure the extraction of features with every backbone in `backbones.names()`."""
    import backbones

    with tempfile.TemporaryDirectory() as folder:
        paths = render_crops(Path(folder))
        for name in backbones.names():
            yield measure_backbone(name, paths, Path(folder))


def measure_backbone(name: str, paths: list[Path], folder: Path) -> Measurement:
    """Measure the extraction of features with one named backbone with random weights.

    Parameters
    ----------
    name : str
        Name of the backbone.
    paths : list of Path
        Crops.
    folder : Path
        Features are written here.
    """
    import backbones
    from backbones.engines.selection import open_engine, select_engine
    from harness.bench.forward import engine_cache_dir
    from harness.features.extraction import extract
    from harness.features.pipeline import batch_size, engine_batch_size
    from harness.features.store import FeatureStore

    workers, cache = available_processors(), engine_cache_dir()
    backbone = backbones.build(name)
    selected = select_engine(backbone, cache, batch_size(backbone.spec.preprocessing), workers, AFFWILD2_CROPS)
    batch = engine_batch_size(selected, backbone.spec.preprocessing)
    engine = open_engine(selected, backbone, cache, batch)
    batches = _prepare_batches(backbone, paths, batch)
    passes = _batches_per_round(engine, batches, workers)
    logger.info(f"{name}: {passes * batch} crops with {selected}, six times from disk and six times from memory")
    crops, stores = BenchmarkCrops(folder, paths, passes * batch), count()

    def extract_from_disk() -> None:
        store = FeatureStore(folder / f"{name}-{next(stores)}")
        selector = OpenEngineSelector(cache, running=engine)
        extract(crops, backbone, store, threads=workers, images="bench", computing=selector)

    times = interleave_rounds(
        {"disk": extract_from_disk, "memory": lambda: _run_forward_passes(engine, batches, passes, workers)}
    )
    ms_per_crop = 1000 / (passes * batch)
    steps = [
        *_time_preprocessing_steps(backbone, paths[:batch]),
        ("network", workers * ms_per_crop * times.median("memory")),
    ]
    macs = backbone.info().macs
    return Measurement(
        f"extraction {name}",
        f"{passes * batch} JPEGs of 112 pixels to stored features, {selected}",
        times.median("disk") * ms_per_crop,
        "ms",
        "forward passes alone, batches in memory",
        times.median("memory") * ms_per_crop,
        times.ratio("disk", "memory"),
        MIN_RATIO,
        floor=None if macs is None else 1000 * hardware_limits().roofline_seconds(flops=2 * macs),
        note="per crop on one core: " + ", ".join(f"{step} {value:.3f} ms" for step, value in steps),
    )


def _prepare_batches(backbone: Backbone, paths: list[Path], batch: int) -> list[np.ndarray]:
    from backbones.preprocessing import normalize
    from backbones.resizing import resize_batch
    from harness.data.image_decoding import decode_image

    preprocessing = backbone.spec.preprocessing
    starts = range(0, min(len(paths) - batch + 1, MAX_BATCHES_IN_MEMORY * batch), batch)
    return [
        normalize(
            resize_batch([decode_image(path) for path in paths[start : start + batch]], preprocessing), preprocessing
        )
        for start in starts
    ]


def _run_forward_passes(engine: Engine, batches: list[np.ndarray], passes: int, workers: int) -> None:
    """Run batches in single-threaded workers, as extraction does; in one worker if the engine is not concurrent."""
    import torch

    before = torch.get_num_threads()
    callers = workers if engine.concurrent else 1

    def run(number: int) -> None:
        engine(batches[number % len(batches)])

    with ThreadPoolExecutor(callers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(run, range(passes)))
    torch.set_num_threads(before)


def _batches_per_round(engine: Engine, batches: list[np.ndarray], workers: int) -> int:
    """Find a number of batches, a multiple of `workers`, whose forward passes take about PASS_SECONDS."""
    _run_forward_passes(engine, batches, workers, workers)
    began = time.perf_counter()
    _run_forward_passes(engine, batches, workers, workers)
    return workers * max(1, round(PASS_SECONDS / (time.perf_counter() - began)))


def _time_preprocessing_steps(backbone: Backbone, paths: list[Path]) -> list[tuple[str, float]]:
    """Time each step before the network in milliseconds per crop on one core."""
    import torch

    from backbones.preprocessing import normalize
    from backbones.resizing import resize_batch
    from harness.data.image_decoding import decode_image

    preprocessing = backbone.spec.preprocessing
    images = [decode_image(path) for path in paths]
    resized = resize_batch(images, preprocessing)
    steps = {
        "decoding": lambda: [decode_image(path) for path in paths],
        "resizing": lambda: resize_batch(images, preprocessing),
        "normalizing": lambda: normalize(resized, preprocessing),
    }
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return [
            (name, 1000 * pool.submit(median_seconds, step, 5).result() / len(paths)) for name, step in steps.items()
        ]
