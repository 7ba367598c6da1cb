"""Torch on a GPU: channels-last, in float32, bf16 or fp16, the whole forward pass replayed as one CUDA graph."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

import numpy as np
import torch

from backbones.batching import run_in_batches

if TYPE_CHECKING:
    from backbones.backbone import Backbone

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WARMUP_PASSES = 3


class CudaEngine:
    """Batches of a fixed number of crops, copied through pinned memory into the place that the graph reads.

    device: on one without CUDA the same steps run without a graph.
    """

    name, concurrent = "cuda", False

    def __init__(self, backbone: Backbone, batch: int, precision: str = "float32", device: str = "cuda") -> None:
        self.precision, self.batch = precision, batch
        self.device, kind = torch.device(device), DTYPES[precision]
        self.backbone = copy.deepcopy(backbone).eval().to(self.device, kind, memory_format=torch.channels_last)
        shape = (batch, 3, backbone.spec.input_size, backbone.spec.input_size)
        self.pixels = torch.zeros(shape, dtype=kind, device=self.device).to(memory_format=torch.channels_last)
        self.graph, self.lock = None, threading.Lock()
        if self.device.type == "cuda":
            self.host = torch.zeros(shape).to(memory_format=torch.channels_last).pin_memory()
            self._capture_graph()
        else:
            self.host = torch.zeros(shape).to(memory_format=torch.channels_last)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self.lock:
            return run_in_batches(pixels, self.batch, self._run)

    def _run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.host.copy_(torch.from_numpy(pixels))
        self.pixels.copy_(self.host, non_blocking=True)
        if self.graph is None:
            outputs = self._forward()
        else:
            self.graph.replay()
            outputs = self.outputs
        embeddings, scores = (output.float().cpu().numpy() for output in outputs)
        return embeddings, scores

    def _forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            return self.backbone(self.pixels)

    def _capture_graph(self) -> None:
        """Record one forward pass; the passes before it choose kernels and must not be on the default stream."""
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(WARMUP_PASSES):
                self._forward()
        torch.cuda.current_stream(self.device).wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = self._forward()
