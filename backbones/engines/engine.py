"""What runs a backbone's forward pass."""

from __future__ import annotations

from typing import Protocol

import numpy as np

PRECISIONS = ("float32", "bf16", "fp16")
"""What a forward pass computes in. Only float32 is ever chosen by itself."""


class Engine(Protocol):
    """One way to run one backbone's network on prepared crops.

    name: such as `torch channels-last` or `onnxruntime`; precision: of PRECISIONS.
    concurrent: several threads may call it at once and each call keeps to one core; otherwise one caller at a time
    feeds a device (or all cores).
    """

    name: str
    precision: str
    concurrent: bool

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 [N, 3, S, S], prepared by the backbone's spec, N from 1 to the batch size it was opened for ->
        float32 embeddings [N, D] and scores [N, K], in arrays of their own.
        """
