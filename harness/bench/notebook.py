"""Benchmark of extraction with efficientnet_b0, against the loop in the notebook published by Savchenko (2022)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.processors import available_processors
from harness.bench.crops import BenchmarkCrops, render_crops
from harness.bench.extraction import AFFWILD2_CROPS, OpenEngineSelector
from harness.bench.figure import Measurement, interleave_rounds
from harness.bench.hardware_limits import hardware_limits

if TYPE_CHECKING:
    from backbones import Backbone

logger = logging.getLogger(__name__)

BACKBONE, MIN_RATIO = "efficientnet_b0", 4.0
CROPS, BATCH = 192, 96


def measure() -> Iterator[Measurement]:
    """Compare extraction with the loop of the published notebook."""
    import backbones
    from backbones.engines.selection import open_engine, select_engine
    from harness.bench.forward import engine_cache_dir
    from harness.features.extraction import extract
    from harness.features.pipeline import batch_size, engine_batch_size
    from harness.features.store import FeatureStore

    workers, cache = available_processors(), engine_cache_dir()
    ours, theirs = backbones.build(BACKBONE), backbones.build(BACKBONE)
    selected = select_engine(ours, cache, batch_size(ours.spec.preprocessing), workers, AFFWILD2_CROPS)
    batch = engine_batch_size(selected, ours.spec.preprocessing)
    engine = open_engine(selected, ours, cache, batch)
    with tempfile.TemporaryDirectory() as folder:
        crops, stores = BenchmarkCrops(Path(folder), render_crops(Path(folder)), CROPS), count()

        def extract_with_harness() -> None:
            extract(
                crops,
                ours,
                FeatureStore(Path(folder) / f"features-{next(stores)}"),
                threads=workers,
                images="bench",
                computing=OpenEngineSelector(cache, running=engine),
            )

        logger.info(f"{CROPS} crops, six times with {selected} and six times with the notebook's loop")
        times = interleave_rounds(
            {"harness": extract_with_harness, "notebook": lambda: _run_notebook_loop(theirs, crops.paths)}
        )
    ms_per_crop, macs = 1000 / CROPS, ours.info().macs
    yield Measurement(
        "notebook",
        f"{BACKBONE}, {CROPS} JPEGs of 112 pixels to stored features, {selected}",
        times.median("harness") * ms_per_crop,
        "ms",
        f"the notebook's loop: Pillow, eager torch with defaults, batches of {BATCH}, repeated concatenation",
        times.median("notebook") * ms_per_crop,
        times.ratio("harness", "notebook"),
        MIN_RATIO,
        floor=None if macs is None else 1000 * hardware_limits().roofline_seconds(flops=2 * macs),
    )


def _run_notebook_loop(backbone: Backbone, paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Compute embeddings and scores as the published notebook does.

    It uses one process, torch with all threads, Pillow's bilinear resizing, torchvision's transforms, and arrays that
    are concatenated batch by batch.
    """
    import torch
    from PIL import Image
    from torchvision import transforms

    preprocessing = backbone.spec.preprocessing
    size = preprocessing.input_size
    transform = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    embeddings = scores = None
    images: list[torch.Tensor] = []
    for path in paths:
        images.append(transform(Image.open(path)))
        if len(images) == BATCH or path is paths[-1]:
            with torch.no_grad():
                outputs = [part.numpy() for part in backbone(torch.stack(images))]
            if embeddings is None or scores is None:
                embeddings, scores = outputs
            else:
                embeddings, scores = (np.concatenate(pair) for pair in zip((embeddings, scores), outputs))
            images = []
    assert embeddings is not None and scores is not None
    return embeddings, scores
