"""Everything that a prediction opens: runs, detector and margins for all inputs, and smoothing for one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.inference.face_stage import DetectAndTrack, FaceStage, PrecroppedFaces
from harness.inference.forward import ForwardPass, LoadedRun
from harness.inference.load_runs import LoadOptions, crop_margins, open_runs
from harness.inference.predict_options import PredictOptions
from harness.inference.smoothing_options import smoothing_of
from harness.smoothing.kernels import SmoothingParams
from harness.video.faces.boxes import Margin
from harness.video.faces.detector import Detector, open_detector
from harness.video.frames import DEFAULT_RATE, Source


@dataclass(frozen=True, eq=False)
class PredictSession:
    """Everything that is needed to predict one source; runs, detector and margins are shared between sources.

    Attributes
    ----------
    source : Source
    forwards : sequence of ForwardPass
    filters : sequence of SmoothingParams
        One for each of `readers`.
    margins : sequence of Margin
        Distinct crop margins.
    margin_indices : sequence of int
        For each forward pass: index of its margin.
    detector : Detector or None
    readers : tuple of LoadedRun
        The runs of all forward passes.
    """

    source: Source
    forwards: Sequence[ForwardPass]
    filters: Sequence[SmoothingParams]
    margins: Sequence[Margin] = ()
    margin_indices: Sequence[int] = ()
    detector: Any = None
    readers: tuple[LoadedRun, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "readers", tuple(reader for forward in self.forwards for reader in forward.readers))

    @property
    def is_video(self) -> bool:
        """Whether the frames are consecutive."""
        return self.source.kind not in ("image", "images")

    def face_stage(self) -> FaceStage:
        """Make a new face stage for the source."""
        if self.source.kind == "crops":
            return PrecroppedFaces(1)
        rate = (self.source.rate or DEFAULT_RATE) if self.is_video else None
        return DetectAndTrack(self.detector, self.margins, rate, self.source.live)


class Models:
    """Runs, detector and crop margins, opened at their first use and shared by all inputs of a command.

    Parameters
    ----------
    options : PredictOptions
    frames : int, optional
        Number of frames of the input; the engine is selected for this number. Default: unknown. For several inputs, it
        is left unknown, so that the engine for one input does not depend on the other inputs.
    live : bool
    """

    def __init__(self, options: PredictOptions, frames: int | None = None, live: bool = False) -> None:
        self.options, self.frames, self.live = options, frames, live
        self._forwards: dict[bool, list[ForwardPass]] = {}

    @cached_property
    def detector(self) -> Detector:
        """The face detector."""
        return open_detector(self.options.detector, self.options.smallest)

    def forwards(self, crops: bool) -> list[ForwardPass]:
        """Get the forward passes for inputs that are crops (`crops`) or for inputs in which faces are detected."""
        same = crops or self.options.margin is not None
        if same not in self._forwards:
            options = self.options
            one = {"batch": 1, "workers": 1} if self.live else {}
            self._forwards[same] = open_runs(
                options.runs, LoadOptions(options.store, options.seed, options.engine, self.frames, same=same, **one)
            )
        return self._forwards[same]

    def readers(self, crops: bool) -> list[LoadedRun]:
        """Get the runs of all forward passes."""
        return [reader for forward in self.forwards(crops) for reader in forward.readers]

    def require(self, crops: bool) -> None:
        """Open runs and detector and check the smoothing, to raise errors that would occur for every input."""
        for reader in self.readers(crops):
            smoothing_of(reader, self.live, self.options.kernel, self.options.radius)
        if not crops:
            _ = self.detector

    @cached_property
    def margins(self) -> list[Margin]:
        """Crop margin for each forward pass, for inputs in which faces are detected."""
        readers = [forward.readers[0] for forward in self.forwards(crops=False)]
        return crop_margins(readers, self.detector, self.options.store, self.options.margin)


def open_session(options: PredictOptions, source: Source, models: Models) -> PredictSession:
    """Open detector, runs, margins and smoothing for a source."""
    crops = source.kind == "crops"
    detector = None if crops else models.detector
    forwards = models.forwards(crops)
    is_video = source.kind not in ("image", "images")
    filters = [
        smoothing_of(reader, models.live, options.kernel, options.radius, is_video) for reader in models.readers(crops)
    ]
    if detector is None:
        return PredictSession(source, forwards, filters, margin_indices=(0,) * len(forwards))
    by_pass = models.margins
    margins = tuple(dict.fromkeys(by_pass))
    return PredictSession(source, forwards, filters, margins, tuple(map(margins.index, by_pass)), detector)
