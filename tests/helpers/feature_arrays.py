"""Features and labels as arrays, to train heads without a store."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.data.dataset import Labels


@dataclass
class ArrayMatrix:
    """The rows of a [N, D] array under the interface of FeatureMatrix; `without` lists label rows with no crop."""

    features: np.ndarray
    without: tuple[int, ...] = ()
    epochs: list[int] = field(default_factory=list)

    @property
    def rows(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.features)), self.without)

    @property
    def width(self) -> int:
        return self.features.shape[1]

    def gather(self, rows):
        return self.features[rows]

    def batches(self, size, seed, epoch):
        self.epochs.append(epoch)
        order = np.random.default_rng([seed, epoch]).permutation(self.rows)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield rows, self.features[rows]

    def stored_batches(self, size, seed, epoch):
        return self.batches(size, seed, epoch)


def labels_of(targets: dict[str, np.ndarray], videos: int = 10) -> Labels:
    count = len(next(iter(targets.values())))
    video = (np.arange(count) * videos // count).astype(np.int32)
    names = tuple(f"video{i}" for i in range(videos))
    return Labels(names, video, np.arange(1, count + 1, dtype=np.int32), names, video, names, targets)


def problem(count: int = 1500, width: int = 24, seed: int = 0):
    """Features with noisy linear evidence for every target, classes imbalanced: ([N, D], targets)."""
    random = np.random.default_rng(seed)
    world = np.random.default_rng(99)
    features = random.standard_normal((count, width)).astype(np.float32)
    noisy = features + 0.3 * random.standard_normal(features.shape)
    logits = noisy @ world.standard_normal((width, 8)) + np.array([3, 0, 0, -1, 2, 2, 1, 3])
    affect = np.tanh(noisy @ world.standard_normal((width, 2)) / 4)
    units = noisy @ world.standard_normal((width, 12)) > 2
    return features, {
        "expr": logits.argmax(axis=1).astype(np.int64),
        "va": affect.astype(np.float32),
        "au": units.astype(np.int8),
    }
