"""How far an engine's outputs are from torch's own, eager and in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backbones.onnx_network import OnnxNetwork
from backbones.preprocessing import normalize

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from backbones.engines.engine import Engine
    from backbones.spec import Preprocessing

MAX_OF_RANGE, MIN_COSINE = 1e-3, 0.99999
CROPS, PATCH = 5, 8


@dataclass(frozen=True)
class OutputDifference:
    """largest: of any value, in the output's unit; of_range: that as a share of the reference's range (largest less
    smallest value of the batch); cosine: the least of any crop. Of embeddings and scores the worse.
    """

    largest: float
    of_range: float
    cosine: float

    @property
    def is_within_tolerance(self) -> bool:
        """Whether features of the one may stand for the other's."""
        return self.of_range <= MAX_OF_RANGE and self.cosine > MIN_COSINE

    def __str__(self) -> str:
        return f"largest difference {self.largest:.2g} ({self.of_range:.2g} of the range), cosine {self.cosine:.7f}"


def engine_difference(engine: Engine, backbone: Backbone) -> OutputDifference:
    """An engine of this backbone against the backbone run eagerly in float32, on a fixed batch of drawn pictures.

    A backbone that ONNX Runtime runs is held against itself there.
    """
    pixels = random_pixels(backbone.spec.preprocessing)
    return output_difference(engine(pixels), reference_engine(backbone)(pixels))


def reference_engine(backbone: Backbone) -> Engine:
    """The engine whose outputs the others' are held against."""
    if isinstance(backbone.network, OnnxNetwork):
        from backbones.engines.onnx_engine import OnnxEngine

        return OnnxEngine(backbone.network)
    from backbones.engines.torch_engine import TorchEngine

    return TorchEngine(backbone, channels_last=False)


def random_pixels(preprocessing: Preprocessing, crops: int = CROPS) -> np.ndarray:
    """float32 [crops, 3, S, S], the same at every call: patches of colour under grain, prepared as crops are."""
    random, size = np.random.default_rng(0), preprocessing.input_size
    side = -(-size // PATCH)
    patches = random.integers(0, 256, (crops, side, side, 3))
    whole = patches.repeat(PATCH, axis=1).repeat(PATCH, axis=2)[:, :size, :size]
    grain = random.integers(-32, 33, whole.shape)
    return normalize(np.clip(whole + grain, 0, 255).astype(np.uint8), preprocessing)


def output_difference(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> OutputDifference:
    """Of embeddings and scores, float32 [N, D] and [N, K]; outputs without columns do not count."""
    parts = [_array_difference(own, other) for own, other in zip(ours, theirs) if other.shape[1]]
    largest, of_range, cosine = np.array([(part.largest, part.of_range, part.cosine) for part in parts]).T
    return OutputDifference(float(largest.max()), float(of_range.max()), float(cosine.min()))


def _array_difference(own: np.ndarray, other: np.ndarray) -> OutputDifference:
    own, other = own.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        largest, whole = np.abs(own - other).max(), np.ptp(other)
        cosines = np.where(lengths != 0, (own * other).sum(axis=1) / lengths, (own == other).all(axis=1))
        return OutputDifference(float(largest), float(largest / whole) if largest else 0.0, float(cosines.min()))
