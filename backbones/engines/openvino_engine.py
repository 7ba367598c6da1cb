"""OpenVINO engine, which runs the same files as ONNX Runtime; OpenVINO is an optional dependency."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from backbones.batching import run_in_batches
from backbones.processors import available_processors

if TYPE_CHECKING:
    from openvino import InferRequest

    from backbones.onnx_network import OnnxNetwork

PRECISION_HINTS = {"float32": "f32", "bf16": "bf16"}
"""OpenVINO's precision hint for each precision, set explicitly because OpenVINO defaults to bf16 where supported."""


class OpenVinoEngine:
    """Engine with one single-core OpenVINO stream per core and batches of fixed size.

    Parameters
    ----------
    network : OnnxNetwork
        The network to run.
    size : int
        Height and width of the crops in pixels.
    batch : int
        Crops per batch, unless the network fixes their number.
    precision : str
        `float32` or `bf16`.
    """

    name, concurrent = "openvino", True

    def __init__(self, network: OnnxNetwork, size: int, batch: int, precision: str = "float32") -> None:
        import openvino

        self.precision = precision
        self.source = network.weights_hash
        self.ports = network.ports
        self.batch = network.ports.batch or batch
        self.widths = network.widths
        model = openvino.Core().read_model(network.path)
        model.reshape({self.ports.input: [self.batch, 3, size, size]})
        cores = available_processors()
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
        self.thread_local = threading.local()

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and scores, see `Engine`."""
        return run_in_batches(np.ascontiguousarray(pixels), self.batch, self._run)

    def _run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        results = self._infer_request().infer({self.ports.input: pixels})
        embeddings = np.array(results[self.ports.embedding], np.float32).reshape(self.batch, self.widths[0])
        if self.ports.scores is None:
            return embeddings, embeddings[:, :0]
        return embeddings, np.array(results[self.ports.scores], np.float32).reshape(self.batch, self.widths[1])

    def _infer_request(self) -> InferRequest:
        if not hasattr(self.thread_local, "request"):
            self.thread_local.request = self.compiled.create_infer_request()
        return self.thread_local.request
