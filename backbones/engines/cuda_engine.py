"""Torch on an NVIDIA GPU: channels-last in float32, bf16 or fp16, replayed as one CUDA graph."""

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
    """Engine that copies batches of fixed size through pinned memory to the GPU and replays a CUDA graph.

    Parameters
    ----------
    backbone : Backbone
        The backbone, which is copied.
    batch : int
        Crops per batch.
    precision : str
        `float32`, `bf16` or `fp16`.
    device : str
        A torch device; on devices other than CUDA, the forward pass runs without a graph.
    """

    name, concurrent = "cuda", False
    graph: torch.cuda.CUDAGraph | None

    def __init__(self, backbone: Backbone, batch: int, precision: str = "float32", device: str = "cuda") -> None:
        self.precision, self.batch = precision, batch
        self.device, dtype = torch.device(device), DTYPES[precision]
        self.backbone = copy.deepcopy(backbone).eval()
        self.backbone.to(self.device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (batch, 3, backbone.spec.input_size, backbone.spec.input_size)
        self.pixels = torch.zeros(shape, dtype=dtype, device=self.device).to(memory_format=torch.channels_last)
        self.graph, self.lock = None, threading.Lock()
        if self.device.type == "cuda":
            self.host = torch.zeros(shape).to(memory_format=torch.channels_last).pin_memory()
            self._capture_graph()
        else:
            self.host = torch.zeros(shape).to(memory_format=torch.channels_last)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and scores, see `Engine`."""
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
        """Record one forward pass, after warm-up passes on a stream other than the default one."""
        warmup_stream = torch.cuda.Stream(self.device)
        warmup_stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(warmup_stream):
            for _ in range(WARMUP_PASSES):
                self._forward()
        torch.cuda.current_stream(self.device).wait_stream(warmup_stream)
        graph = self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.outputs = self._forward()
