"""Inference on videos and images: the outputs of every run for every face of every frame, in one pass."""

from __future__ import annotations

import csv
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.data.image_files import list_image_names
from harness.inference.assembly import InputInfo, assemble
from harness.inference.chunks import ChunkStore, output_lock
from harness.inference.face_stage import DetectAndTrack, FaceStage, PrecroppedFaces
from harness.inference.forward import ForwardPass, LoadedRun
from harness.inference.load_runs import LoadOptions, crop_margins, open_runs
from harness.inference.pipeline import FRAMES, PredictPipeline
from harness.inference.result import PredictionResult
from harness.inference.smoothing_options import check_smoothing, smoothing_of
from harness.utils.errors import InputError
from harness.utils.files import atomic_write, write_json
from harness.utils.hashing import content_hash
from harness.utils.output_dir import check_output_dir, replace_output_dir
from harness.utils.store import Store
from harness.video.frames import DEFAULT_RATE

if TYPE_CHECKING:
    import pandas as pd

    from harness.smoothing.kernels import SmoothingParams
    from harness.video.faces.boxes import Margin
    from harness.video.frames import Frame, Source
    from harness.video.images import ImageSource

NOTE, NAMES = "predict.json", "images.csv"
NOTE_FORMAT = 1
"""Version of predict.json."""


@dataclass(frozen=True)
class PredictOptions:
    """Options of a prediction; see `harness.inference.api.predict`."""

    input: str
    runs: tuple[str, ...]
    out: Path
    store: Store
    seed: int | None = None
    render: bool = False
    force: bool = False
    crops: bool | None = None
    detector: str = "haar"
    smallest: int | None = None
    margin: float | None = None
    missing: str = "filled"
    kernel: str | None = None
    radius: int | None = None
    seconds: float | None = None
    engine: str = ""


@dataclass(frozen=True, eq=False)
class PredictSummary:
    """Result of a prediction.

    Attributes
    ----------
    result : PredictionResult
    is_video : bool
        Whether faces were tracked from frame to frame.
    files : tuple of Path
        Files written.
    seconds : float
        Time spent on inference.
    frames : int
        Number of frames processed in that time.
    frames_before : int
        Number of frames that an interrupted run had processed before.
    notes : tuple of str
        Problems of the input.
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
        For each forward pass, the index of its margin.
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


def predict(options: PredictOptions) -> PredictSummary:
    """Predict an input and write the output folder atomically; an interrupted run is resumed.

    Parameters
    ----------
    options : PredictOptions

    Returns
    -------
    PredictSummary

    Raises
    ------
    InputError
        For an input, run or option that is not valid.
    FramelightError
        For a model whose files are missing or have changed.
    """
    from harness.video.source import open_source

    check_options(options)
    with ExitStack() as context:
        source = context.enter_context(open_source(options.input, options.crops, options.seconds))
        session = open_session(options, source)
        context.enter_context(output_lock(options.out))
        check_options(options)  # while waiting for the lock another process may have written the folder
        chunks = ChunkStore(options.out, _dependencies(options, session))
        began = time.perf_counter()
        face_stage = session.face_stage()
        frames, before = _read_frames(session, face_stage, chunks)
        seconds = time.perf_counter() - began
        info = InputInfo(options.input, source.rate, session.is_video, source.kind == "crops")
        result = assemble(
            info, chunks.chunks(), face_stage.confirmed_tracks(), session.readers, session.filters, options.missing
        )
        with replace_output_dir(options.out) as temp_dir:
            files = write_files(options, result, session, temp_dir)
        chunks.remove()
        return PredictSummary(result, session.is_video, files, seconds, frames, before, tuple(source.notes))


def check_options(options: PredictOptions, live: bool = False) -> None:
    """Raise InputError for invalid options, before anything is opened."""
    check_output_dir(options.out, options.force, Path(options.input), options.store.root, *map(Path, options.runs))
    check_smoothing(options.kernel, options.radius, live)
    if options.margin is not None and not 0.5 <= options.margin <= 4:
        raise InputError(
            f"--margin {options.margin:g}: the side of a crop must be from 0.5 to 4 times the side of the detected box"
        )
    if options.crops and (options.margin, options.smallest, options.detector) != (None, None, PredictOptions.detector):
        raise InputError(
            "--crops uses every image as a face crop without detection; leave out --margin, --smallest and --detector"
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


def _dependencies(options: PredictOptions, session: PredictSession) -> dict[str, Any]:
    """Collect JSON values of everything that the chunks depend on."""
    path = Path(options.input)
    files = [path / name for name in list_image_names(path)] if path.is_dir() else [path]
    stats = [(file.name, stat.st_size, stat.st_mtime_ns) for file, stat in ((file, file.stat()) for file in files)]
    return {
        "frames": FRAMES,
        "input": str(path.resolve()),
        "files": content_hash(stats),
        "kind": session.source.kind,
        "seconds": options.seconds,
        "detector": None if session.detector is None else session.detector.identity,
        "margins": [[margin.scale, margin.dx, margin.dy] for margin in session.margins],
        "runs": [reader.identity for reader in session.readers],
        "engines": [getattr(getattr(forward, "engine", None), "name", "") for forward in session.forwards],
    }


def _read_frames(session: PredictSession, face_stage: FaceStage, chunks: ChunkStore) -> tuple[int, int]:
    """Process every frame that no stored chunk contains; return their number and that of the stored frames."""
    from harness.utils.progress import VideoProgress

    finished, before, done = 0, 0, 0
    for chunk in chunks.chunks():
        face_stage.replay(chunk)
        finished, before = finished + 1, before + len(chunk.frames)
    with (
        VideoProgress(session.source.frames, session.source.rate, before) as progress,
        closing(_frames_after(session.source, before)) as frames,
    ):
        pipeline = PredictPipeline(face_stage, session.forwards, session.margin_indices, progress=progress)
        with closing(pipeline.chunks(frames)) as computed:  # its threads must stop before the source is closed
            for number, chunk in enumerate(computed, finished):
                chunks.add(number, chunk)
                done += len(chunk.frames)
    return done, before


def _frames_after(source: Source, before: int) -> Generator[Frame, None, None]:
    """Skip the first `before` frames."""
    for index, frame in enumerate(source):
        if index >= before:
            yield frame


def write_files(
    options: PredictOptions, result: PredictionResult, session: PredictSession, folder: Path
) -> tuple[Path, ...]:
    """Write tables, summary figure, predict.json, the image names of a folder and the annotated video if requested.

    Parameters
    ----------
    options : PredictOptions
    result : PredictionResult
    session : PredictSession
    folder : Path
        Where to write; it becomes `options.out`.

    Returns
    -------
    tuple of Path
        The files, as paths in `options.out`.
    """
    from harness.inference.summary_figure import write_summary
    from harness.inference.tables import write_tables
    from harness.video.source import open_source

    write_tables(result, folder)
    write_summary(result, folder)
    if options.render:
        from harness.inference.overlay.video import annotate

        annotate(partial(open_source, options.input, options.crops, options.seconds), result, session.is_video, folder)
    if session.source.kind == "images":
        _write_names(cast("ImageSource", session.source).files, folder / NAMES)
    write_json(folder / NOTE, predict_note(options, result, session))
    return tuple(options.out / path.name for path in sorted(folder.iterdir()))


def _write_names(files: Sequence[tuple[int, Path]], path: Path) -> None:
    with (
        atomic_write(path) as tmp_path,
        tmp_path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("frame", "image"))
        lines.writerows((number, image.name) for number, image in files)


def predict_note(options: PredictOptions, result: PredictionResult, session: PredictSession) -> dict[str, Any]:
    """Describe input, detector and runs as JSON values."""
    return {
        "format": NOTE_FORMAT,
        "input": options.input,
        "kind": session.source.kind,
        "rate": result.rate,
        "frames": len(result.frames),
        "missing": options.missing,
        "notes": list(session.source.notes),
        "detector": None if session.detector is None else session.detector.identity,
        "runs": [
            {
                "name": reader.name,
                "label": reader.label,
                "task": reader.task.name,
                "model": reader.identity,
                "kernel": params.kernel,
                "radius": params.radius,
                "gaps": params.gaps,
                "thresholds": None if params.thresholds is None else list(params.thresholds),
                "margin": None if not session.margins else vars(session.margins[session.margin_indices[number]]),
            }
            for number, forward in enumerate(session.forwards)
            for reader, params in zip(forward.readers, _filters_of_pass(session, number))
        ],
    }


def _filters_of_pass(session: PredictSession, forward: int) -> Sequence[SmoothingParams]:
    """Get the smoothing of the runs of one forward pass."""
    start = sum(len(previous.readers) for previous in session.forwards[:forward])
    return session.filters[start : start + len(session.forwards[forward].readers)]
