"""Torch on the CPU: as it comes, and with channels-last weights and activations."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch

from backbones.engines.allocator import retain_freed_memory

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class TorchEngine:
    """A copy of the backbone in float32 or bf16 (autocast); each call keeps to the caller's torch threads.

    channels_last: else colour plane after colour plane, as torch lays out what it is told nothing about.
    """

    concurrent = True

    def __init__(self, backbone: Backbone, channels_last: bool, precision: str = "float32") -> None:
        self.name = "torch channels-last" if channels_last else "torch"
        self.precision = precision
        self.channels_last = channels_last
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.backbone = copy.deepcopy(backbone).eval().to(memory_format=layout)
        retain_freed_memory(self)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode(), self._autocast():
            embeddings, scores = self.backbone(self._to_tensor(pixels))
        return embeddings.float().numpy(), scores.float().numpy()

    def _to_tensor(self, pixels: np.ndarray) -> torch.Tensor:
        if self.channels_last:
            return torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        return torch.from_numpy(np.ascontiguousarray(pixels))  # five times as fast as torch at this

    def _autocast(self) -> AbstractContextManager:
        return torch.autocast("cpu", torch.bfloat16) if self.precision == "bf16" else nullcontext()
