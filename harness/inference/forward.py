"""Forward passes over crops: a backbone with the runs that share it, or an exported file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.features.matrix import feature_columns
from harness.jobs.base_model import JobModel
from harness.metrics.tasks import Task
from harness.smoothing.kernels import SmoothingParams
from harness.video.faces.boxes import Margin

if TYPE_CHECKING:
    from backbones import Backbone
    from backbones.engines.engine import Engine


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run that predicts from crops.

    Attributes
    ----------
    name : str
        Run id, or name of an exported model.
    label : str
        Description for people.
    task : Task
    filter : SmoothingParams
        Smoothing that the run selected.
    identity : str
        Text that identifies the model, with hashes of its files.
    causal : SmoothingParams or None
        Smoothing for real time, if the run selected one.
    images : str
        Digest of the images that the run was trained on; "" for an exported model.
    margin : Margin or None
        Margin of the training crops, if it is stored with the run.
    margin_detector : str
        Name of the detector with which that margin was estimated.
    synthetic : tuple of str
        Parts of the run (`backbone`, `head`) that learned from synthetic faces, see
        `harness.leaderboard.synthetic_training`.
    align : str
        Alignment of the crops that the backbone reads, see `backbones.spec.Preprocessing`.
    """

    name: str
    label: str
    task: Task
    filter: SmoothingParams
    identity: str
    causal: SmoothingParams | None = None
    images: str = ""
    margin: Margin | None = None
    margin_detector: str = ""
    synthetic: tuple[str, ...] = ()
    align: str = "none"


class ForwardPass(Protocol):
    """Interface of a pass over crops for one or several runs.

    Attributes
    ----------
    readers : tuple of LoadedRun
    size : int
        Crops per batch.
    workers : int
        Number of threads that may call it at once.
    """

    readers: tuple[LoadedRun, ...]
    size: int
    workers: int

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute the unsmoothed outputs of crops.

        Parameters
        ----------
        crops : sequence of ndarray of shape (H, W, 3)
            N crops of any size, uint8.

        Returns
        -------
        list of ndarray of shape (N, C)
            float32 outputs of each run, with one column for each of its C outputs.
        """


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run of the store, without its backbone.

    Attributes
    ----------
    reader : LoadedRun
    model : JobModel
        The heads of the run.
    """

    reader: LoadedRun
    model: JobModel


@dataclass(eq=False)
class SharedBackbonePass:
    """Forward pass of one backbone for all runs that were trained on features of this backbone.

    Attributes
    ----------
    backbone : Backbone
    engine : Engine
        Runs the backbone.
    runs : tuple of StoredRun
    size : int
        Crops per batch.
    workers : int
        Number of threads that may call it at once.
    """

    backbone: Backbone
    engine: Engine
    runs: tuple[StoredRun, ...]
    size: int
    workers: int

    def __post_init__(self) -> None:
        self.readers = tuple(run.reader for run in self.runs)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute the outputs of each run; see `ForwardPass`."""
        from backbones.preprocessing import normalize
        from backbones.resizing import resize_batch

        preprocessing = self.backbone.spec.preprocessing
        arrays = self.engine(normalize(resize_batch(crops, preprocessing), preprocessing))
        named = dict(zip(("embeddings", "scores"), arrays))
        models = [run.model for run in self.runs]
        return [model.predict_arrays(feature_columns(model.features, named, model.entry.dtype)) for model in models]


@dataclass(eq=False)
class ExportedModelPass:
    """Pass through an exported file, which includes preprocessing and heads.

    Attributes
    ----------
    model : callable
        The opened file.
    reader : LoadedRun
    size : int
        Crops per batch.
    workers : int
        Number of threads that may call it at once.
    """

    model: Callable[[Sequence[np.ndarray]], np.ndarray]
    reader: LoadedRun
    size: int
    workers: int = 1

    def __post_init__(self) -> None:
        self.readers: tuple[LoadedRun, ...] = (self.reader,)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute the outputs of the run; see `ForwardPass`."""
        return [np.asarray(self.model(crops), np.float32)]
