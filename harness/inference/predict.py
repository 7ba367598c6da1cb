"""Inference on videos and images: the outputs of every run for every face of every frame, in one pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inference.assembly import InputInfo, assemble
from harness.inference.chunks import ChunkStore, output_lock, remove_partial_folder
from harness.inference.face_stage import FaceStage
from harness.inference.pipeline import FRAMES, PredictPipeline
from harness.inference.predict_files import write_files
from harness.inference.predict_options import NOTE, PredictOptions, check_options
from harness.inference.predict_session import Models, PredictSession, open_session
from harness.inference.result import PredictionResult
from harness.inference.result_notes import result_notes
from harness.utils.files import file_version
from harness.utils.finished_output import read_finished_note, request_hash
from harness.utils.hashing import content_hash
from harness.utils.output_dir import replace_output_dir
from harness.video.faces.given_faces import GivenFaces
from harness.video.faces.tracker import REVISION
from harness.video.folder_contents import list_folder
from harness.video.frames import Frame, Source

if TYPE_CHECKING:
    import pandas as pd


logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PredictSummary:
    """Result of a prediction.

    Attributes
    ----------
    result : PredictionResult
    is_video : bool
        Whether faces were tracked from frame to frame.
    files : tuple of Path
        Files in the output folder.
    seconds : float
        Time spent on inference.
    frames : int
        Number of frames processed in that time.
    frames_before : int
        Number of frames that an earlier call had processed.
    notes : tuple of str
        Messages about problems of the input and of the result.
    """

    result: PredictionResult
    is_video: bool
    files: tuple[Path, ...]
    seconds: float
    frames: int
    frames_before: int
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The rows of `predictions.csv`."""
        from harness.inference.tables import table

        return table(self.result)


def predict(options: PredictOptions, models: Models | None = None) -> PredictSummary:
    """Predict an input and write the output folder atomically; an interrupted run is resumed.

    Parameters
    ----------
    options : PredictOptions
    models : Models, optional
        Models that are shared with other inputs. Default: they are opened for this input.

    Returns
    -------
    PredictSummary

    Raises
    ------
    InputError
        If the input, a run or an option is not valid.
    FramelightError
        If files of a model are missing or have changed.
    """
    from harness.video.source import open_source

    check_options(options)
    with ExitStack() as context:
        source = context.enter_context(open_source(options.input, options.crops, options.seconds))
        session = open_session(options, source, models or Models(options, source.frames))
        context.enter_context(output_lock(options.out))
        check_options(options)  # while waiting for the lock another process may have written the folder
        dependencies = _dependencies(options, session)
        request = _request(options, session, dependencies)
        note = None if options.force else read_finished_note(options.out, NOTE, request)
        if note is not None:
            remove_partial_folder(options.out)
            if models is None:
                logger.info(f"{options.out} contains this prediction already; use --force to write it again")
            return _finished_summary(options, session, note)
        chunks = ChunkStore(options.out, dependencies)
        began = time.perf_counter()
        face_stage = session.face_stage()
        frames, before = _read_frames(session, face_stage, chunks)
        seconds = time.perf_counter() - began
        info = InputInfo(options.input, source.rate, session.is_video, source.kind == "crops")
        result = assemble(
            info, chunks.chunks(), face_stage.confirmed_tracks(), session.readers, session.filters, options.missing
        )
        if isinstance(session.detector, GivenFaces):
            source.notes += session.detector.require_frames(result.frames, source.name)
        source.notes += result_notes(session, face_stage, result)
        with replace_output_dir(options.out) as temp_dir:
            files = write_files(options, result, session, temp_dir, request)
        remove_partial_folder(options.out)
        return PredictSummary(result, session.is_video, files, seconds, frames, before, tuple(source.notes))


def _finished_summary(options: PredictOptions, session: PredictSession, note: dict[str, Any]) -> PredictSummary:
    """Read the output of an earlier call with the same options."""
    from harness.inference.finished import read_result

    result = read_result(options.out, session)
    files = tuple(sorted(options.out.iterdir()))
    return PredictSummary(result, session.is_video, files, 0.0, 0, len(result.frames), tuple(note["notes"]))


def _request(options: PredictOptions, session: PredictSession, dependencies: dict[str, Any]) -> str:
    """Hash everything that the files depend on."""
    runs = [[reader.name, reader.label, repr(params)] for reader, params in zip(session.readers, session.filters)]
    return request_hash(
        "predict", **dependencies, name=options.input, filters=runs, missing=options.missing, render=options.render
    )


def _dependencies(options: PredictOptions, session: PredictSession) -> dict[str, Any]:
    """Collect JSON values of everything that the chunks depend on."""
    path = Path(options.input)
    files = [path / name for name in list_folder(path).images] if path.is_dir() else [path]
    return {
        "frames": FRAMES,
        "input": str(path.resolve()),
        "files": content_hash([file_version(file) for file in files]),
        "kind": session.source.kind,
        "seconds": options.seconds,
        "detector": None if session.detector is None else f"{session.detector.identity}, tracker {REVISION}",
        "margins": [framing.as_json() for framing in session.framings],
        "runs": [reader.identity for reader in session.readers],
        "engines": [getattr(getattr(forward, "engine", None), "name", "") for forward in session.forwards],
    }


def _read_frames(session: PredictSession, face_stage: FaceStage, chunks: ChunkStore) -> tuple[int, int]:
    """Process the frames that no stored chunk contains; return the numbers of processed and of stored frames."""
    from harness.utils.progress import VideoProgress

    finished, before, done = 0, 0, 0
    for chunk in chunks.chunks():
        face_stage.replay(chunk)
        finished, before = finished + 1, before + len(chunk.frames)
    with (
        VideoProgress(session.source.frames, session.source.rate, before) as progress,
        closing(_frames_after(session.source, before)) as frames,
    ):
        pipeline = PredictPipeline(face_stage, session.forwards, session.framing_indices, progress=progress)
        with closing(pipeline.chunks(frames)) as computed:  # ends the pipeline's threads before the source is closed
            for number, chunk in enumerate(computed, finished):
                chunks.add(number, chunk)
                done += len(chunk.frames)
    return done, before


def _frames_after(source: Source, before: int) -> Generator[Frame, None, None]:
    """Skip the first `before` frames."""
    for index, frame in enumerate(source):
        if index >= before:
            yield frame
