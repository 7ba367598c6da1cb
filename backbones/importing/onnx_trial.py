"""Run an ONNX graph on noise to learn which of its outputs are one vector per image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import BackboneError
from backbones.importing.onnx_outputs import VectorOutput
from backbones.importing.onnx_rewrite import ImageInput
from backbones.onnx_session import open_session, run_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TRIAL_SECONDS = 120.0
"""Time limit of the trial run of a graph on noise: at most two images, or one batch if the batch size is fixed."""


@dataclass(frozen=True)
class TrialRun:
    """Outputs of a graph for noise.

    Attributes
    ----------
    batch : int or None
        The only batch size that works; None if all work.
    samples : mapping of str to ndarray
        Outputs that are one vector per image, by name; one row for each image.
    maps : mapping of str to int
        Channels of the outputs that are one feature map [C, H, W] per image, by name.
    shapes : mapping of str to tuple of int
        Shapes of the outputs without the batch axis, by name: (D,) or (D, 1, 1) for vectors of D elements.
    """

    batch: int | None
    samples: Mapping[str, np.ndarray]
    maps: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def vectors(self) -> list[VectorOutput]:
        """The outputs that are one vector per image, in order."""
        return [VectorOutput(name, array.shape[1]) for name, array in self.samples.items()]


def run_on_noise(image: ImageInput, path: Path, content: bytes | None = None) -> TrialRun:
    """Run a graph that takes float32 crops, channels first, on random noise instead.

    Some graphs declare a dynamic batch size but fail on two images; these are run one image at a time.

    Parameters
    ----------
    image : ImageInput
        Size and batch size of the input.
    path : Path
        The file.
    content : bytes, optional
        The model, if it differs from the content of the file.

    Returns
    -------
    TrialRun
        The outputs.

    Raises
    ------
    BackboneError
        If ONNX Runtime cannot open or run the graph, or it takes too long.
    """
    session = open_session(path, threads=1, content=content)
    names = tuple(output.name for output in session.get_outputs() if output.type == "tensor(float)")
    attempts = ((image.batch, image.batch),) if image.batch else ((2, None), (1, 1))
    for count, batch in attempts:
        try:
            arrays = _run(session, names, (count, 3, image.size, image.size), path)
        except BackboneError:
            if batch:
                raise
            continue
        samples = {name: array.reshape(count, -1) for name, array in arrays.items() if _is_vector(array, count)}
        maps = {
            name: array.shape[1]
            for name, array in arrays.items()
            if name not in samples and array.ndim == 4 and len(array) == count
        }
        if samples or batch:
            return TrialRun(batch, samples, maps, {name: array.shape[1:] for name, array in arrays.items()})
    raise AssertionError("a batch of one either works or raises")


def _run(
    session: InferenceSession, names: tuple[str, ...], shape: tuple[int, ...], path: Path
) -> dict[str, np.ndarray]:
    if not names:
        return {}
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ports = (session.get_inputs()[0].name, *names)
    return dict(zip(names, run_session(session, ports, pixels, path, TRIAL_SECONDS)))


def _is_vector(array: np.ndarray, count: int) -> bool:
    """Whether an output has the shape [N, D], or [N, D, 1, 1] as after pooling."""
    return array.ndim >= 2 and len(array) == count and array.size == count * array.shape[1]
