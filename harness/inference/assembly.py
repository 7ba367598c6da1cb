"""Assemble chunks into one result: the rows of each face, with gaps filled and outputs smoothed."""

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

    Attributes
    ----------
    source : str
        Name of the source, as the user gave it.
    rate : float or None
        Frames per second, None for images.
    is_video : bool
        Whether frames are consecutive. If so, faces are tracked and outputs smoothed; if not, every image is separate.
    dense : bool
        Whether the result has all frames from 1 to the last crop, as for a dataset. If so, the face has a row even in
        frames without a crop.
    """

    source: str
    rate: float | None
    is_video: bool = True
    dense: bool = False


@dataclass(frozen=True, eq=False)
class _Detections:
    """F frames and the N faces detected in them, in frame order; `face` has the int32 face numbers of the tables."""

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
        All chunks of the input, in order.
    tracks : mapping of int to int
        Face number by track id: `FaceStage.confirmed_tracks` after the last frame. Faces with other ids are left out.
        If the input has too few frames to confirm any track, all faces are kept.
    runs : sequence of LoadedRun
        The runs whose outputs the chunks contain.
    filters : sequence of SmoothingParams
        One for each run.
    missing : {"filled", "empty"}
        Outputs of a face in frames in which it was not found: taken from the frames around them, or empty. Such frames
        have rows in either case.
    """
    detections = _detections(chunks, tracks, [run.task for run in runs])
    if info.dense and len(detections.frames):
        frames = np.arange(1, detections.frames[-1] + 1, dtype=np.int32)
        seconds = np.full(len(frames), np.nan)
        seconds[detections.frames - 1] = detections.seconds
    else:
        frames, seconds = detections.frames, detections.seconds
    parts = (
        [_track(info, detections, frames, face, filters, missing) for face in np.unique(detections.face)]
        if info.is_video
        else [_separate_images(detections)]
    )
    frame, face, seen, boxes, scores, raw, smoothed = _concatenated(parts, [run.task for run in runs])
    order = np.lexsort((face, frame))
    outputs = tuple(
        Outputs(
            run.name,
            run.task,
            before[order],
            after[order],
            params.kernel,
            params.radius,
            params.thresholds,
            run.label,
            run.synthetic,
        )
        for run, params, before, after in zip(runs, filters, raw, smoothed)
    )
    return PredictionResult(
        info.source,
        info.rate,
        detections.size,
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
"""Frame, face, found, boxes, scores; raw and smoothed outputs of each run."""


def _detections(chunks: Iterable[Chunk], tracks: Mapping[int, int], tasks: Sequence[Task]) -> _Detections:
    size = (0, 0)
    columns: list[list[np.ndarray]] = [
        [np.zeros(0, np.int32)],
        [np.zeros(0)],
        [np.zeros(0, np.int64)],
        [np.zeros(0, np.int32)],
        [np.zeros((0, 4), np.float32)],
        [np.zeros(0, np.float32)],
        *([np.zeros((0, task.width), np.float32)] for task in tasks),
    ]
    for number, chunk in enumerate(chunks):
        if number == 0:
            width, height = chunk.sizes[0].tolist()
            size = (width, height)
        for column, values in zip(
            columns,
            (chunk.frames, chunk.seconds, chunk.ids, chunk.frames[chunk.at], chunk.boxes, chunk.scores, *chunk.outputs),
        ):
            column.append(values)
    frames, seconds, ids, *face_columns = (np.concatenate(column) for column in columns)
    face = _face_numbers(ids, tracks, len(frames))
    frame, boxes, scores, *outputs = (values[face > 0] for values in face_columns)
    return _Detections(frames, seconds, size, frame, face[face > 0], boxes, scores, tuple(outputs))


def _face_numbers(ids: np.ndarray, tracks: Mapping[int, int], frames: int) -> np.ndarray:
    """Map track ids to int32 face numbers, 0 for ids that are not confirmed as a face."""
    if not tracks and frames < HITS:  # too few frames to confirm any track
        return ids.astype(np.int32)
    numbers = np.zeros(max([int(ids.max(initial=0)), *tracks]) + 1, np.int32)
    numbers[list(tracks)] = list(tracks.values())
    return numbers[ids]


def _track(
    info: InputInfo,
    detections: _Detections,
    frames: np.ndarray,
    face: int,
    filters: Sequence[SmoothingParams],
    missing: str,
) -> _Rows:
    rows = np.flatnonzero(detections.face == face)
    at = detections.frame[rows]
    start = 1 if info.dense else int(at[0])
    numbers = frames[np.searchsorted(frames, start) : np.searchsorted(frames, at[-1], side="right")]
    length, offsets = int(at[-1]) - start + 1, numbers - start
    seen = np.isin(numbers, at)
    scores = np.full(len(numbers), np.nan, np.float32)
    scores[seen] = detections.scores[rows]
    boxes = fill_gaps(at - start + 1, detections.boxes[rows], length)[offsets]
    raw, smoothed = [], []
    for outputs, params in zip(detections.outputs, filters):
        before = np.full((len(numbers), outputs.shape[1]), np.nan, np.float32)
        before[seen] = outputs[rows]
        filled = fill_gaps(at - start + 1, outputs[rows], length, params.gaps)
        after = smooth(filled, params.kernel, params.radius)[offsets]
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


def _separate_images(detections: _Detections) -> _Rows:
    return (
        detections.frame.astype(np.int32),
        detections.face.astype(np.int32),
        np.ones(len(detections.frame), bool),
        detections.boxes,
        detections.scores,
        list(detections.outputs),
        [outputs.astype(np.float64) for outputs in detections.outputs],
    )


def _concatenated(tracks: Sequence[_Rows], tasks: Sequence[Task]) -> _Rows:
    """Concatenate the rows of all faces."""
    empty = (
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, bool),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
    )
    columns = [(track[0], track[1], track[2], track[3], track[4]) for track in tracks]
    frame, face, found, boxes, scores = (np.concatenate(parts) for parts in zip(empty, *columns))
    raw, smoothed = (
        [
            np.concatenate([np.zeros((0, task.width)), *(outputs[i] for outputs in parts)])
            for i, task in enumerate(tasks)
        ]
        for parts in ([track[5] for track in tracks], [track[6] for track in tracks])
    )
    return frame, face, found, boxes, scores, [outputs.astype(np.float32) for outputs in raw], smoothed
