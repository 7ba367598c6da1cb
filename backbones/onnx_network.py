"""Network that runs through ONNX Runtime instead of torch; to train it, see `trainable`."""

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


MAX_BATCH = 2**16


@dataclass(frozen=True)
class Ports:
    """Names of the input and outputs of an ONNX graph.

    Attributes
    ----------
    input, embedding : str
        Names of the input and of the output with the embedding.
    scores : str or None
        Name of the output with the scores; None if there is none.
    batch : int or None
        Batch size of the graph if it is fixed; None if the graph accepts batches of any size.
    """

    input: str
    embedding: str
    scores: str | None
    batch: int | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return (self.embedding,) if self.scores is None else (self.embedding, self.scores)

    def validate(self) -> None:
        """Raise ValueError if a field, which may come from a file, has an invalid type or value."""
        if not all(isinstance(name, str) for name in (self.input, *self.outputs)):
            raise ValueError("the names of its ports are not text")
        if self.batch is not None and (type(self.batch) is not int or not 0 < self.batch <= MAX_BATCH):
            raise ValueError(f"its batch is {self.batch!r}, not an integer from 1 to {MAX_BATCH} or null")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


class OnnxNetwork(nn.Module):
    """ONNX model with the forward methods of a timm network.

    One session is opened for each number of threads, at the first forward pass with that number, and shared by all
    callers. `forward` uses as many threads as torch does in the calling thread.

    Parameters
    ----------
    path : Path
        The ONNX file.
    ports : Ports
        Its input and outputs.
    widths : tuple of int
        Columns of the embedding and of the scores, (D, K).
    parameters : int
        Number of parameters.
    weights_hash : str
        SHA-256 hex digest of the file.
    macs : int or None
        Multiply-accumulates per crop; None if they are not known.
    """

    def __init__(
        self,
        path: Path,
        ports: Ports,
        widths: tuple[int, int],
        parameters: int,
        weights_hash: str,
        macs: int | None = None,
    ) -> None:
        super().__init__()
        self.path, self.ports, self.widths = Path(path), ports, widths
        self.stored_parameters, self.weights_hash, self.macs = parameters, weights_hash, macs
        self._sessions: dict[int, InferenceSession] = {}
        self._lock = threading.Lock()
        self.training = False

    @property
    def size_mb(self) -> float:
        """Size of the file in units of 10^6 bytes."""
        return round(self.path.stat().st_size / 1e6, 3)

    def run(self, pixels: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and scores.

        Parameters
        ----------
        pixels : ndarray
            C-contiguous float32 [N, 3, S, S], N >= 1.
        threads : int
            Threads to use.

        Returns
        -------
        embeddings : ndarray
            float32 [N, D].
        scores : ndarray
            float32 [N, K].

        Raises
        ------
        BackboneError
            If ONNX Runtime cannot run the model or the outputs do not have these shapes.
        """
        session = self._get_session(threads)
        return run_in_batches(pixels, self.ports.batch or len(pixels), lambda batch: self._run_session(session, batch))

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute embeddings and scores, concatenated to float32 [N, D + K] on the device of the input."""
        pixels = np.ascontiguousarray(x.detach().float().cpu().numpy())
        if not len(pixels):
            return x.new_zeros((0, sum(self.widths)), dtype=torch.float32)
        return torch.from_numpy(np.concatenate(self.run(pixels, torch.get_num_threads()), axis=1)).to(x.device)

    def _run_session(self, session: InferenceSession, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(pixels)
        arrays = run_session(session, (self.ports.input, *self.ports.outputs), pixels, self.path)
        if self.ports.scores is None:
            arrays.append(np.zeros((count, 0), np.float32))
        if [array.size for array in arrays] != [count * width for width in self.widths]:
            raise BackboneError(
                f"{self.path} returned shapes {', '.join(str(array.shape) for array in arrays)} for {count} "
                f"images, expected ({count}, {self.widths[0]}) and ({count}, {self.widths[1]})",
                "import the model again",
            )
        embeddings, scores = (
            array.reshape(count, width).astype(np.float32, copy=False) for array, width in zip(arrays, self.widths)
        )
        return embeddings, scores

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the scores [N, K] of the output of `forward_features`, or the embeddings [N, D] if `pre_logits`."""
        return x[:, : self.widths[0]] if pre_logits else x[:, self.widths[0] :]

    def forward(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, S, S] to scores [N, K]."""
        return self.forward_head(self.forward_features(x))

    def train(self, mode: bool = True) -> OnnxNetwork:
        """Set evaluation mode; raise BackboneError for training mode."""
        if mode:
            raise untrainable_error(self.path.parent.name)
        return super().train(mode)

    def _get_session(self, threads: int) -> InferenceSession:
        with self._lock:
            if threads not in self._sessions:
                self._sessions[threads] = open_session(self.path, threads)
            return self._sessions[threads]


def untrainable_error(name: str) -> BackboneError:
    """Return the error for an attempt to train an ONNX backbone."""
    return BackboneError(
        f"'{name}' runs through ONNX Runtime and cannot be trained",
        "convert it with backbones.make_trainable, or train a head on its features",
    )
