"""OpenVINO, where it is installed, on the same file as ONNX Runtime."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np

from backbones.batching import run_in_batches

if TYPE_CHECKING:
    from openvino import InferRequest

    from backbones.onnx_network import OnnxNetwork

PRECISION_HINTS = {"float32": "f32", "bf16": "bf16"}
"""It computes in bf16 by itself where the processor can."""


class OpenVinoEngine:
    """One stream of one core for each caller; batches of a fixed number of crops."""

    name, concurrent = "openvino", True

    def __init__(self, network: OnnxNetwork, size: int, batch: int, precision: str = "float32") -> None:
        """size: pixels of a crop's side."""
        import openvino

        self.precision = precision
        self.source = network.weights_hash
        self.ports = network.ports
        self.batch = network.ports.batch or batch
        self.widths = network.widths
        model = openvino.Core().read_model(network.path)
        model.reshape({self.ports.input: [self.batch, 3, size, size]})
        cores = os.cpu_count() or 1
        self.compiled = openvino.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
                "ENABLE_CPU_PINNING": False,
            },
        )
        self.own = threading.local()

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return run_in_batches(np.ascontiguousarray(pixels), self.batch, self._run)

    def _run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        results = self._infer_request().infer({self.ports.input: pixels})
        embeddings, scores = (
            np.array(results[name], np.float32).reshape(self.batch, width)
            for name, width in zip((self.ports.embedding, self.ports.scores), self.widths)
        )
        return embeddings, scores

    def _infer_request(self) -> InferRequest:
        if not hasattr(self.own, "request"):
            self.own.request = self.compiled.create_infer_request()
        return self.own.request
