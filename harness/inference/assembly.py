"""Pieces become one reading: each face followed through its frames, its gaps filled, its outputs filtered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.chunks import Chunk
from harness.inference.face_stage import FaceStage
from harness.inference.forward import LoadedRun
from harness.inference.result import Outputs, PredictionResult
from harness.metrics.tasks import Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import SmoothingParams, smooth
from harness.video.faces.tracker import HITS


@dataclass(frozen=True)
class About:
    """Of what is read.

    source: as it was named; rate: frames a second, None for pictures. film: frames follow each other in time, so that
    faces last and outputs are filtered; else every picture stands for itself. whole: frames count from 1 to the last
    crop, as in a data set, and gaps of any length belong to the face.
    """

    source: str
    rate: float | None
    film: bool = True
    whole: bool = False


@dataclass(frozen=True, eq=False)
class _Sighted:
    """What was seen, rows by frame: frames int32 [F], seconds [F], size, and of N faces frame, id, box and score."""

    frames: np.ndarray
    seconds: np.ndarray
    size: tuple[int, int]
    frame: np.ndarray
    face: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    outputs: tuple[np.ndarray, ...]


def assemble(about: About, pieces: Iterable[Chunk], looker: FaceStage, readers: Sequence[LoadedRun],
             filters: Sequence[SmoothingParams], missing: str = "filled") -> PredictionResult:
    """pieces: in order; looker: one that has seen nothing yet. missing: outputs of frames in which a face was not seen
    are `filled` from those beside them, or left `empty`; such frames have rows in either case."""
    seen = _sighted(pieces, looker, [reader.task for reader in readers])
    if about.whole and len(seen.frames):
        dense = np.arange(1, seen.frames[-1] + 1, dtype=np.int32)
        seconds = np.full(len(dense), np.nan)
        seconds[seen.frames - 1] = seen.seconds
    else:
        dense, seconds = seen.frames, seen.seconds
    tracks = [_track(about, seen, dense, face, filters, missing) for face in np.unique(seen.face)] if about.film \
        else [_stills(seen)]
    frame, face, found, boxes, scores, raw, smoothed = _joined(tracks, [reader.task for reader in readers])
    order = np.lexsort((face, frame))
    outputs = tuple(Outputs(reader.name, reader.task, own[order], after[order], chosen.kernel, chosen.radius,
                            chosen.thresholds, reader.label)
                    for reader, chosen, own, after in zip(readers, filters, raw, smoothed))
    return PredictionResult(about.source, about.rate, seen.size, dense, seconds, frame[order], face[order], found[order],
                   boxes[order], scores[order], outputs)


_Track = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]
"""frame, face, found, boxes, scores; raw and smoothed outputs of each run."""


def _sighted(pieces: Iterable[Chunk], looker: FaceStage, tasks: Sequence[Task]) -> _Sighted:
    frames, seconds, sizes, frame, ids = [], [], [(0, 0)], [], []
    boxes, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    outputs = [[np.zeros((0, task.width), np.float32)] for task in tasks]
    for piece in pieces:
        ids.append(looker.recall(piece))
        frames.append(piece.frames)
        seconds.append(piece.seconds)
        sizes += piece.sizes[:1].tolist() if len(sizes) == 1 else []
        frame.append(piece.frames[piece.at])
        boxes.append(piece.boxes)
        scores.append(piece.scores)
        for kept, own in zip(outputs, piece.outputs):
            kept.append(own)
    nothing = np.zeros(0, np.int32)
    numbers, named = np.concatenate([nothing, *frames]), np.concatenate([nothing, *ids]).astype(np.int64)
    face = _named(named, looker.confirmed_tracks(), len(numbers))
    there = face > 0
    return _Sighted(numbers, np.concatenate([np.zeros(0), *seconds]), tuple(sizes[-1]),
                    np.concatenate([nothing, *frame])[there], face[there], np.concatenate(boxes)[there],
                    np.concatenate(scores)[there], tuple(np.concatenate(kept)[there] for kept in outputs))


def _named(ids: np.ndarray, lasting: dict[int, int], frames: int) -> np.ndarray:
    """int32: what each id is called; 0 for those that are no face. In few frames none can prove itself."""
    if not lasting and frames < HITS:
        return ids.astype(np.int32)
    names = np.zeros(max([int(ids.max(initial=0)), *lasting]) + 1, np.int32)
    names[list(lasting)] = list(lasting.values())
    return names[ids]


def _track(about: About, seen: _Sighted, dense: np.ndarray, face: int, filters: Sequence[SmoothingParams],
           missing: str) -> _Track:
    rows = np.flatnonzero(seen.face == face)
    at = seen.frame[rows]
    start = 1 if about.whole else int(at[0])
    numbers = dense[np.searchsorted(dense, start):np.searchsorted(dense, at[-1], side="right")]
    length, places = int(at[-1]) - start + 1, numbers - start
    found = np.isin(numbers, at)
    scores = np.full(len(numbers), np.nan, np.float32)
    scores[found] = seen.scores[rows]
    boxes = fill_gaps(at - start + 1, seen.boxes[rows], length)[places]
    raw, smoothed = [], []
    for outputs, chosen in zip(seen.outputs, filters):
        own = np.full((len(numbers), outputs.shape[1]), np.nan, np.float32)
        own[found] = outputs[rows]
        filled = fill_gaps(at - start + 1, outputs[rows], length, chosen.gaps)
        after = smooth(filled, chosen.kernel, chosen.radius)[places]
        if missing == "empty":
            after[~found] = np.nan
        raw.append(own)
        smoothed.append(after)
    return (numbers.astype(np.int32), np.full(len(numbers), face, np.int32), found, boxes.astype(np.float32), scores,
            raw, smoothed)


def _stills(seen: _Sighted) -> _Track:
    return (seen.frame.astype(np.int32), seen.face.astype(np.int32), np.ones(len(seen.frame), bool), seen.boxes,
            seen.scores, list(seen.outputs), [outputs.astype(np.float64) for outputs in seen.outputs])


def _joined(tracks: Sequence[_Track], tasks: Sequence[Task]) -> _Track:
    """Of all faces; nothing where there is none."""
    nothing = (np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool), np.zeros((0, 4), np.float32),
               np.zeros(0, np.float32))
    parts = tuple(np.concatenate([empty, *(track[i] for track in tracks)]) for i, empty in enumerate(nothing))
    outputs = [[np.concatenate([np.zeros((0, task.width)), *(track[kind][i] for track in tracks)])
                for i, task in enumerate(tasks)] for kind in (5, 6)]
    return (*parts, [own.astype(np.float32) for own in outputs[0]], outputs[1])
