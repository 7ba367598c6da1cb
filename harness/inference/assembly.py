"""From chunks to one result: the rows of each face, with gaps filled and outputs smoothed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.chunks import Chunk
from harness.inference.forward import LoadedRun
from harness.inference.result import Outputs, PredictionResult
from harness.metrics.tasks import Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import SmoothingParams, smooth
from harness.video.faces.tracker import HITS


@dataclass(frozen=True)
class InputInfo:
    """Facts about an input.

    source: as the user named it; rate: frames a second, None for images. is_video: frames follow each other in time,
    so that faces are tracked and outputs smoothed; otherwise every image is separate. dense: frames count from 1 to
    the last crop, as in a data set, and gaps of any length belong to the face.
    """

    source: str
    rate: float | None
    is_video: bool = True
    dense: bool = False


@dataclass(frozen=True, eq=False)
class _Detections:
    """F frames and the N faces found in them, by frame; face: int32 [N], the number in the tables."""

    frames: np.ndarray
    seconds: np.ndarray
    size: tuple[int, int]
    frame: np.ndarray
    face: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    outputs: tuple[np.ndarray, ...]


def assemble(
    info: InputInfo,
    chunks: Iterable[Chunk],
    tracks: Mapping[int, int],
    runs: Sequence[LoadedRun],
    filters: Sequence[SmoothingParams],
    missing: str = "filled",
) -> PredictionResult:
    """Assemble the result of an input.

    Parameters
    ----------
    info : InputInfo
    chunks : iterable of Chunk
        All of them, in order.
    tracks : mapping of int to int
        `FaceStage.confirmed_tracks` after the last frame; rows of other ids are left out.
    runs, filters : sequences
        The runs whose outputs the chunks hold, and the filter of each.
    missing : {"filled", "empty"}
        Whether frames in which a face was not found get outputs from the frames around them. They have rows in
        either case.
    """
    found = _detections(chunks, tracks, [run.task for run in runs])
    if info.dense and len(found.frames):
        frames = np.arange(1, found.frames[-1] + 1, dtype=np.int32)
        seconds = np.full(len(frames), np.nan)
        seconds[found.frames - 1] = found.seconds
    else:
        frames, seconds = found.frames, found.seconds
    parts = (
        [_track(info, found, frames, face, filters, missing) for face in np.unique(found.face)]
        if info.is_video
        else [_separate_images(found)]
    )
    frame, face, seen, boxes, scores, raw, smoothed = _concatenated(parts, [run.task for run in runs])
    order = np.lexsort((face, frame))
    outputs = tuple(
        Outputs(
            run.name,
            run.task,
            before[order],
            after[order],
            applied.kernel,
            applied.radius,
            applied.thresholds,
            run.label,
        )
        for run, applied, before, after in zip(runs, filters, raw, smoothed)
    )
    return PredictionResult(
        info.source,
        info.rate,
        found.size,
        frames,
        seconds,
        frame[order],
        face[order],
        seen[order],
        boxes[order],
        scores[order],
        outputs,
    )


_Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]
"""frame, face, found, boxes, scores; raw and smoothed outputs of each run."""


def _detections(chunks: Iterable[Chunk], tracks: Mapping[int, int], tasks: Sequence[Task]) -> _Detections:
    size, columns = (
        (0, 0),
        [
            [np.zeros(0, np.int32)],
            [np.zeros(0)],
            [np.zeros(0, np.int64)],
            [np.zeros(0, np.int32)],
            [np.zeros((0, 4), np.float32)],
            [np.zeros(0, np.float32)],
            *([np.zeros((0, task.width), np.float32)] for task in tasks),
        ],
    )
    for number, chunk in enumerate(chunks):
        size = tuple(chunk.sizes[0].tolist()) if number == 0 else size
        for column, values in zip(
            columns,
            (chunk.frames, chunk.seconds, chunk.ids, chunk.frames[chunk.at], chunk.boxes, chunk.scores, *chunk.outputs),
        ):
            column.append(values)
    frames, seconds, ids, *of_faces = map(np.concatenate, columns)
    face = _face_numbers(ids, tracks, len(frames))
    frame, boxes, scores, *outputs = (values[face > 0] for values in of_faces)
    return _Detections(frames, seconds, size, frame, face[face > 0], boxes, scores, tuple(outputs))


def _face_numbers(ids: np.ndarray, tracks: Mapping[int, int], frames: int) -> np.ndarray:
    """int32: the number of each id's face, 0 for an id that is no face; in a few frames no track can be confirmed."""
    if not tracks and frames < HITS:
        return ids.astype(np.int32)
    numbers = np.zeros(max([int(ids.max(initial=0)), *tracks]) + 1, np.int32)
    numbers[list(tracks)] = list(tracks.values())
    return numbers[ids]


def _track(
    info: InputInfo, found: _Detections, frames: np.ndarray, face: int, filters: Sequence[SmoothingParams], missing: str
) -> _Rows:
    rows = np.flatnonzero(found.face == face)
    at = found.frame[rows]
    start = 1 if info.dense else int(at[0])
    numbers = frames[np.searchsorted(frames, start) : np.searchsorted(frames, at[-1], side="right")]
    length, places = int(at[-1]) - start + 1, numbers - start
    seen = np.isin(numbers, at)
    scores = np.full(len(numbers), np.nan, np.float32)
    scores[seen] = found.scores[rows]
    boxes = fill_gaps(at - start + 1, found.boxes[rows], length)[places]
    raw, smoothed = [], []
    for outputs, applied in zip(found.outputs, filters):
        before = np.full((len(numbers), outputs.shape[1]), np.nan, np.float32)
        before[seen] = outputs[rows]
        filled = fill_gaps(at - start + 1, outputs[rows], length, applied.gaps)
        after = smooth(filled, applied.kernel, applied.radius)[places]
        if missing == "empty":
            after[~seen] = np.nan
        raw.append(before)
        smoothed.append(after)
    return (
        numbers.astype(np.int32),
        np.full(len(numbers), face, np.int32),
        seen,
        boxes.astype(np.float32),
        scores,
        raw,
        smoothed,
    )


def _separate_images(found: _Detections) -> _Rows:
    return (
        found.frame.astype(np.int32),
        found.face.astype(np.int32),
        np.ones(len(found.frame), bool),
        found.boxes,
        found.scores,
        list(found.outputs),
        [outputs.astype(np.float64) for outputs in found.outputs],
    )


def _concatenated(tracks: Sequence[_Rows], tasks: Sequence[Task]) -> _Rows:
    """The rows of all faces."""
    empty = (
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, bool),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
    )
    columns = tuple(np.concatenate([start, *(track[i] for track in tracks)]) for i, start in enumerate(empty))
    raw, smoothed = (
        [
            np.concatenate([np.zeros((0, task.width)), *(track[kind][i] for track in tracks)])
            for i, task in enumerate(tasks)
        ]
        for kind in (5, 6)
    )
    return (*columns, [outputs.astype(np.float32) for outputs in raw], smoothed)
