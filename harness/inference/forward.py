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
    """One run that reads crops.

    name: its run id, or what stands for it; label: it in words; filter: its own; causal: that for real time, None
    where none was chosen; images: digest of the data set it learned from, "" where it is not in the store; margin:
    of the crops it learned from, where it is known without looking; identity: of all that its outputs depend on.
    """

    name: str
    label: str
    task: Task
    filter: SmoothingParams
    identity: str
    causal: SmoothingParams | None = None
    images: str = ""
    margin: Margin | None = None


class ForwardPass(Protocol):
    """One pass over crops for one run or several. size: crops of a batch; workers: how many may call it at once."""

    readers: tuple[LoadedRun, ...]
    size: int
    workers: int

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """uint8 [H, W, 3] crops of any size -> for each reader float32 [N, C], before any filter."""


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run of the store before its backbone is loaded."""

    reader: LoadedRun
    model: JobModel


@dataclass(eq=False)
class SharedBackbonePass:
    """A backbone and the runs of the store that were trained on its features."""

    backbone: Backbone
    engine: Engine
    runs: tuple[StoredRun, ...]
    size: int
    workers: int

    def __post_init__(self) -> None:
        self.readers = tuple(run.reader for run in self.runs)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        from backbones.preprocessing import normalize
        from backbones.resizing import resize_batch

        preprocessing = self.backbone.spec.preprocessing
        arrays = self.engine(normalize(resize_batch(crops, preprocessing), preprocessing))
        named = dict(zip(("embeddings", "scores"), arrays))
        models = [run.model for run in self.runs]
        return [model.predict_arrays(feature_columns(model.features, named, model.entry.dtype)) for model in models]


@dataclass(eq=False)
class ExportedModelPass:
    """The file of an export, which has preprocessing and heads inside."""

    model: Callable[[Sequence[np.ndarray]], np.ndarray]
    reader: LoadedRun
    size: int
    workers: int = 1

    def __post_init__(self) -> None:
        self.readers = (self.reader,)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(self.model(crops), np.float32)]
