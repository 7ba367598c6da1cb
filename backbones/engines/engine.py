"""The interface of inference engines."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from backbones.errors import unknown_name_error

PRECISIONS = ("float32", "bf16", "fp16")
"""Precisions of a forward pass; only float32 is used unless the user asks for another."""

ENGINE_NAMES = ("cuda", "onnxruntime", "torch channels-last", "openvino", "torch")
"""Names of the engines, in the order of `backbones.engines.registry`. They are repeated here because that module
imports torch."""


def require_engine_name(name: str) -> None:
    """Raise BackboneError if no engine has this name."""
    if name not in ENGINE_NAMES:
        raise unknown_name_error("engine", name, ENGINE_NAMES)


class Engine(Protocol):
    """Engine that runs the network of one backbone on prepared crops.

    Attributes
    ----------
    name : str
        Name of the engine, such as `torch channels-last` or `onnxruntime`.
    precision : str
        One of `PRECISIONS`.
    concurrent : bool
        Whether several threads may call the engine at once, each call using one core. Otherwise, calls run one at a
        time, on a device or on all cores.
    """

    name: str
    precision: str
    concurrent: bool

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and scores.

        Parameters
        ----------
        pixels : ndarray
            Crops after the backbone's preprocessing, float32 of shape (N, 3, S, S), where S is the input size and N is
            from 1 to the batch size of the engine.

        Returns
        -------
        embeddings : ndarray
            float32 of shape (N, D), where D is the embedding width; newly allocated.
        scores : ndarray
            float32 of shape (N, K), where K is the number of score columns; newly allocated.
        """
