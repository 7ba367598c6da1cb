"""Compare the outputs of engines with those of the reference engine: eager torch, or ONNX Runtime for ONNX models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backbones.onnx_network import OnnxNetwork
from backbones.preprocessing import normalize
from backbones.spec import Preprocessing

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from backbones.engines.engine import Engine

MAX_OF_RANGE, MIN_COSINE = 1e-3, 0.99999
CROPS, PATCH = 5, 8


@dataclass(frozen=True)
class OutputDifference:
    """Difference between the outputs of two engines.

    Each attribute is computed for the embeddings and for the scores; the worse of the two values is stored.

    Attributes
    ----------
    largest : float
        Largest absolute difference.
    of_range : float
        Largest absolute difference, as a fraction of the range (maximum minus minimum) of the reference outputs.
    cosine : float
        Smallest cosine similarity over the crops.
    """

    largest: float
    of_range: float
    cosine: float

    @property
    def is_within_tolerance(self) -> bool:
        """Whether the features of the two engines are interchangeable."""
        return self.of_range <= MAX_OF_RANGE and self.cosine > MIN_COSINE

    def __str__(self) -> str:
        return f"largest difference {self.largest:.2g} ({self.of_range:.2g} of the range), cosine {self.cosine:.7f}"


def engine_difference(engine: Engine, backbone: Backbone) -> OutputDifference:
    """Compare an engine with the reference engine of its backbone on a fixed batch of random images.

    Parameters
    ----------
    engine : Engine
        The engine to check.
    backbone : Backbone
        The backbone that the engine runs.

    Returns
    -------
    OutputDifference
        The difference of the outputs.
    """
    pixels = random_pixels(backbone.spec.preprocessing)
    return output_difference(engine(pixels), reference_engine(backbone)(pixels))


def reference_engine(backbone: Backbone) -> Engine:
    """Return the engine that others are compared with: eager torch, or ONNX Runtime for an ONNX backbone."""
    if isinstance(backbone.network, OnnxNetwork):
        from backbones.engines.onnx_engine import OnnxEngine

        return OnnxEngine(backbone.network)
    from backbones.engines.torch_engine import TorchEngine

    return TorchEngine(backbone, channels_last=False)


def random_pixels(preprocessing: Preprocessing, crops: int = CROPS) -> np.ndarray:
    """Return a fixed batch of noisy color patches, normalized like face crops.

    Parameters
    ----------
    preprocessing : Preprocessing
        Gives the size S and the normalization.
    crops : int
        Number of images.

    Returns
    -------
    ndarray
        float32 [crops, 3, S, S], the same for the same arguments.
    """
    rng, size = np.random.default_rng(0), preprocessing.input_size
    side = -(-size // PATCH)
    patches = rng.integers(0, 256, (crops, side, side, 3))
    images = patches.repeat(PATCH, axis=1).repeat(PATCH, axis=2)[:, :size, :size]
    noise = rng.integers(-32, 33, images.shape)
    return normalize(np.clip(images + noise, 0, 255).astype(np.uint8), preprocessing)


def output_difference(
    outputs: tuple[np.ndarray, np.ndarray], reference: tuple[np.ndarray, np.ndarray]
) -> OutputDifference:
    """Compare embeddings and scores with a reference.

    Parameters
    ----------
    outputs, reference : tuple of ndarray
        Embeddings float32 [N, D] and scores float32 [N, K]; scores without columns are ignored.

    Returns
    -------
    OutputDifference
        The difference of the outputs.
    """
    parts = [_array_difference(output, expected) for output, expected in zip(outputs, reference) if expected.shape[1]]
    largest, of_range, cosine = np.array([(part.largest, part.of_range, part.cosine) for part in parts]).T
    return OutputDifference(float(largest.max()), float(of_range.max()), float(cosine.min()))


def _array_difference(output: np.ndarray, expected: np.ndarray) -> OutputDifference:
    output, expected = output.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(output, axis=1) * np.linalg.norm(expected, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        largest, value_range = np.abs(output - expected).max(), np.ptp(expected)
        cosines = np.where(norms != 0, (output * expected).sum(axis=1) / norms, (output == expected).all(axis=1))
        return OutputDifference(float(largest), float(largest / value_range) if largest else 0.0, float(cosines.min()))
