"""A network that ONNX Runtime runs, in the place of a torch one: it gives features and cannot be trained."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from backbones.batching import run_in_batches
from backbones.errors import BackboneError
from backbones.onnx_session import open_session, run_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True)
class Ports:
    """Names of a graph's input and of the two outputs taken; batch: pictures of one run where the graph fixes them."""

    input: str
    embedding: str
    scores: str
    batch: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class OnnxNetwork(nn.Module):
    """Input float32 [N, 3, S, S]; embedding [N, D] and scores [N, K] from the two ports.

    Sessions are made at the first forward, one for each number of torch threads that callers have: a worker thread
    that torch gives one thread runs on that one alone, and two workers share its session.
    """

    def __init__(self, path: Path, ports: Ports, widths: tuple[int, int], parameters: int, weights_hash: str) -> None:
        super().__init__()
        self.path, self.ports, self.widths = Path(path), ports, widths
        self.stored_parameters, self.weights_hash = parameters, weights_hash
        self._sessions: dict[int, InferenceSession] = {}
        self._lock = threading.Lock()
        self.training = False

    @property
    def size_mb(self) -> float:
        return round(self.path.stat().st_size / 1e6, 3)

    def run(self, pixels: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 [N, 3, S, S] without gaps in memory, N >= 1 -> float32 [N, D] and [N, K], on that many cores."""
        session = self._get_session(threads)
        return run_in_batches(pixels, self.ports.batch or len(pixels), lambda piece: self._run_session(session, piece))

    def forward_features(self, x: Tensor) -> Tensor:
        """float32 [N, 3, S, S] -> embedding and scores side by side, [N, D + K], where the input lies."""
        pixels = np.ascontiguousarray(x.detach().float().cpu().numpy())
        if not len(pixels):
            return x.new_zeros((0, sum(self.widths)), dtype=torch.float32)
        return torch.from_numpy(np.concatenate(self.run(pixels, torch.get_num_threads()), axis=1)).to(x.device)

    def _run_session(self, session: InferenceSession, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 [count, D] and [count, K]."""
        count = len(pixels)
        arrays = run_session(session, (self.ports.input, self.ports.embedding, self.ports.scores), pixels, self.path)
        if [array.size for array in arrays] != [count * width for width in self.widths]:
            raise BackboneError(
                f"{self.path} gave {', '.join(str(array.shape) for array in arrays)} for {count} "
                f"pictures, not rows of {self.widths[0]} and {self.widths[1]}",
                "import it again",
            )
        embeddings, scores = (
            array.reshape(count, width).astype(np.float32, copy=False) for array, width in zip(arrays, self.widths)
        )
        return embeddings, scores

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        return x[:, : self.widths[0]] if pre_logits else x[:, self.widths[0] :]

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def train(self, mode: bool = True) -> OnnxNetwork:
        if mode:
            raise untrainable_error(self.path.parent.name)
        return super().train(mode)

    def _get_session(self, threads: int) -> InferenceSession:
        with self._lock:
            if threads not in self._sessions:
                self._sessions[threads] = open_session(self.path, threads)
            return self._sessions[threads]


def untrainable_error(name: str) -> BackboneError:
    return BackboneError(
        f"'{name}' runs through ONNX Runtime: it gives features and cannot be trained",
        "train on its features, or import the PyTorch file of the same network",
    )
