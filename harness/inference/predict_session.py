"""Everything that a prediction opens: runs, detector and framings for all inputs, and smoothing for one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.inference.face_stage import DetectAndTrack, FaceStage, PrecroppedFaces
from harness.inference.forward import ForwardPass, LoadedRun
from harness.inference.given_face_stage import TrackGivenFaces
from harness.inference.load_runs import LoadOptions, crop_framings, open_runs
from harness.inference.predict_options import PredictOptions
from harness.inference.smoothing_options import smoothing_of
from harness.smoothing.kernels import SmoothingParams
from harness.utils.errors import InputError
from harness.video.faces.alignment import FIVE_POINT
from harness.video.faces.boxes import Framing
from harness.video.faces.detector import open_detector, require_landmarks
from harness.video.faces.detector_protocol import Detector
from harness.video.faces.given_faces import GivenFaces
from harness.video.frame_limit import max_frames
from harness.video.frames import DEFAULT_RATE, Source


@dataclass(frozen=True, eq=False)
class PredictSession:
    """Everything that is needed to predict one source; runs, detector and framings are shared between sources.

    Attributes
    ----------
    source : Source
    forwards : sequence of ForwardPass
    filters : sequence of SmoothingParams
        One for each of `readers`.
    framings : sequence of Framing
        Distinct framings, that is, rules for the position and size of crops.
    framing_indices : sequence of int
        For each forward pass: index of its framing.
    detector : Detector, GivenFaces or None
        Source of the faces; None if the input consists of crops.
    readers : tuple of LoadedRun
        The runs of all forward passes.
    """

    source: Source
    forwards: Sequence[ForwardPass]
    filters: Sequence[SmoothingParams]
    framings: Sequence[Framing] = ()
    framing_indices: Sequence[int] = ()
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
        if isinstance(self.detector, GivenFaces):
            return TrackGivenFaces(self.detector, self.framings, rate)
        return DetectAndTrack(self.detector, self.framings, rate, self.source.live)


class Models:
    """Runs, detector and framings of crops, opened at their first use and shared by all inputs of a command.

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

    @cached_property
    def given_faces(self) -> GivenFaces | None:
        """The faces of a file that replaces detection, if there is one."""
        return None if self.options.boxes is None else GivenFaces(self.options.boxes)

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
            self._require_landmarks()

    @cached_property
    def framings(self) -> list[Framing]:
        """Framing of the crops of each forward pass, for inputs in which faces are detected."""
        self._require_landmarks()
        readers = [forward.readers[0] for forward in self.forwards(crops=False)]
        return crop_framings(readers, self.detector, self.options.store, self.options.margin)

    def _require_landmarks(self) -> None:
        """Raise InputError if a run reads aligned faces, and there are no landmarks to align them by."""
        finder = self.given_faces or self.detector
        for reader in self.readers(crops=False):
            if reader.align == FIVE_POINT:
                require_landmarks(finder, f"run {reader.name} reads faces aligned by five points")


def open_session(options: PredictOptions, source: Source, models: Models) -> PredictSession:
    """Open detector, runs, framings and smoothing for a source; raise InputError if one of them does not suit it."""
    crops = source.kind == "crops"
    given = models.given_faces
    if given is not None and crops:
        raise InputError(
            f"{source.name} consists of face crops, so --boxes does not apply; use --detect if these are whole frames"
        )
    if given is not None:
        _require_first_frame(given, source)
    detector = None if crops else given or models.detector
    forwards = models.forwards(crops)
    is_video = source.kind not in ("image", "images")
    filters = [
        smoothing_of(reader, models.live, options.kernel, options.radius, is_video) for reader in models.readers(crops)
    ]
    if detector is None:
        return PredictSession(source, forwards, filters, framing_indices=(0,) * len(forwards))
    by_pass = models.framings
    framings = tuple(dict.fromkeys(by_pass))
    if given is not None:
        source.notes += given.notes
    return PredictSession(source, forwards, filters, framings, tuple(map(framings.index, by_pass)), detector)


def _require_first_frame(given: GivenFaces, source: Source) -> None:
    """Raise InputError if a source ends before the first frame with a face; no frame is decoded for that."""
    if source.frames is None or given.first_frame <= source.frames:
        return
    limit = max_frames(source)
    if limit is not None and given.first_frame > limit:
        raise given.other_video_error(source.name)
