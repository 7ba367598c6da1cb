"""All radii 0 to 250 of one kernel over 280,000 frames x 8 outputs in 70 videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from harness.bench.figure import Figure, seconds
from harness.smoothing import curve

VIDEOS, FRAMES, CLASSES, RADII = 70, 4000, 8, range(251)
SLICE, EVERY = 400, 25


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    random = np.random.default_rng(0)
    videos = [random.random((FRAMES, CLASSES), np.float32) for _ in range(VIDEOS)]
    for kernel, least in (("mean", 200), ("median", 50)):
        ours = seconds(lambda kernel=kernel: [None for _ in curve(videos, kernel, RADII)])
        some = RADII[::EVERY]
        scale = VIDEOS * FRAMES / SLICE * len(RADII) / len(some)
        naive = scale * seconds(lambda kernel=kernel, some=some: [_loop(videos[0][:SLICE], kernel, r) for r in some])
        yield Figure(f"smoothing {kernel}", "251 radii, 280,000 x 8", ours, "s",
                     f"plain loop over frames ({SLICE} frames, {len(some)} radii, scaled)", naive, naive / ours, least)


def _loop(outputs: np.ndarray, kernel: str, radius: int) -> np.ndarray:
    reduce = getattr(np, kernel)
    return np.stack([reduce(outputs[max(0, t - radius):t + radius + 1], axis=0) for t in range(len(outputs))])
