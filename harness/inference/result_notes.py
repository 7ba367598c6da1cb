"""Notes about a result that users should know before they rely on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.inference.face_stage import FaceStage
from harness.inference.forward import LoadedRun
from harness.inference.predict_session import PredictSession
from harness.inference.result import PredictionResult
from harness.smoothing.kernels import CAUSAL
from harness.utils.text import plural
from harness.video.faces.detector_protocol import Detector

MAX_CROP_SIDE = 256
"""Maximum side in pixels of a frame that may be a face crop."""
LONG_SECONDS = 10.0
"""Length in seconds above which a smoothing window may hide what happens in the video."""


def result_notes(session: PredictSession, face_stage: FaceStage, result: PredictionResult) -> list[str]:
    """Describe missing faces, smoothing over a long time, and runs that learned from synthetic faces.

    Parameters
    ----------
    session : PredictSession
    face_stage : FaceStage
        The face stage after the last frame.
    result : PredictionResult
    """
    notes = [*synthetic_notes(session.readers), *_smoothing_notes(session, result)]
    if session.detector is not None and len(result.frames) and not result.found.any():
        notes.append(_missing_faces_note(session.detector, face_stage, result))
    return notes


def _missing_faces_note(detector: Detector, face_stage: FaceStage, result: PredictionResult) -> str:
    if face_stage.track_count():
        return (
            f"no face was found in three frames; {plural(face_stage.track_count(), 'detection')} in fewer "
            "frames count as false"
        )
    smallest = detector.smallest_side(*result.size)
    limit = f" of at least {smallest} pixels" if smallest else " of any size"
    down_to = f" (down to {detector.min_size} pixels)" if detector.min_size else ""
    hints = [f"--smallest N finds smaller ones{down_to}"] * (smallest > detector.min_size)
    hints += ["use --crops if every frame is the crop of a face"] * (max(result.size) <= MAX_CROP_SIDE)
    return f"no face was found; faces{limit} were searched" + f": {', or '.join(hints)}" * bool(hints)


def _smoothing_notes(session: PredictSession, result: PredictionResult) -> Iterator[str]:
    """Warn of filters that span a long time, which happens at a very low frame rate."""
    if not (session.is_video and result.rate):
        return
    for outputs in result.outputs:
        sides = 1 if outputs.kernel in CAUSAL else 2
        seconds = sides * outputs.radius / result.rate
        if outputs.kernel != "none" and seconds > LONG_SECONDS:
            yield (
                f"the filter of run {outputs.name} ({outputs.kernel} of radius {outputs.radius}) spans "
                f"{seconds:,.0f} s at {result.rate:.4g} frames per second; --kernel none leaves the outputs as they are"
            )


def synthetic_notes(readers: Sequence[LoadedRun]) -> tuple[str, ...]:
    """Return one note about the runs that learned from synthetic faces; empty if there are none."""
    learned = [reader for reader in readers if reader.synthetic]
    if not learned:
        return ()
    runs = ", ".join(f"{reader.name} ({' and '.join(reader.synthetic)})" for reader in learned)
    return (f"learned from synthetic faces, so that outputs for real faces are not reliable: run {runs}",)
