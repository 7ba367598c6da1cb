"""Everything that a prediction opens for one source: runs, detector, margins and smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.inference.face_stage import DetectAndTrack, FaceStage, PrecroppedFaces
from harness.inference.forward import ForwardPass, LoadedRun
from harness.inference.load_runs import LoadOptions, crop_margins, open_runs
from harness.inference.predict_options import PredictOptions
from harness.inference.smoothing_options import smoothing_of
from harness.video.frames import DEFAULT_RATE

if TYPE_CHECKING:
    from harness.smoothing.kernels import SmoothingParams
    from harness.video.faces.boxes import Margin
    from harness.video.frames import Source


@dataclass(frozen=True, eq=False)
class PredictSession:
    """Everything that is opened for one source.

    Attributes
    ----------
    source : Source
    forwards : sequence of ForwardPass
    filters : sequence of SmoothingParams
        One for each of `readers`.
    margins : sequence of Margin
        Distinct crop margins.
    margin_indices : sequence of int
        Index of the margin of each forward pass.
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
        return DetectAndTrack(
            self.detector, self.margins, (self.source.rate or DEFAULT_RATE) if self.is_video else None
        )


def open_session(options: PredictOptions, source: Source, live: bool = False) -> PredictSession:
    """Open detector, runs, margins and smoothing for a source."""
    from harness.video.faces.detector import open_detector

    detector = None if source.kind == "crops" else open_detector(options.detector, options.smallest)
    forwards = open_runs(
        options.runs,
        LoadOptions(
            options.store,
            options.seed,
            options.engine,
            source.frames,
            same=detector is None or options.margin is not None,
            **({"batch": 1, "workers": 1} if live else {}),
        ),
    )
    readers = [reader for forward in forwards for reader in forward.readers]
    is_video = source.kind not in ("image", "images")
    filters = [smoothing_of(reader, live, options.kernel, options.radius, is_video) for reader in readers]
    if detector is None:
        return PredictSession(source, forwards, filters, margin_indices=(0,) * len(forwards))
    by_pass = crop_margins([forward.readers[0] for forward in forwards], detector, options.store, options.margin)
    margins = tuple(dict.fromkeys(by_pass))
    return PredictSession(source, forwards, filters, margins, tuple(map(margins.index, by_pass)), detector)
