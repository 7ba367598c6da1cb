"""Spread labels over the frames of videos: labels of intervals, and labels at another frame rate than the crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LAST_FRAME = 2**31 - 1
_SHIFT = 32


def frame_keys(video: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return integers that are ordered by video, then by frame.

    Parameters
    ----------
    video, frame : int array of shape (N,)
        Index of a video, and frame number.
    """
    return video.astype(np.int64) << _SHIFT | frame.astype(np.int64)


def split_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the videos and the frames of keys, int32 each; see `frame_keys`."""
    return (keys >> _SHIFT).astype(np.int32), (keys & LAST_FRAME).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Spans:
    """Intervals of frames that R labels apply to.

    Attributes
    ----------
    video : int array of shape (R,)
        Index of the video.
    first, last : int64 array of shape (R,)
        First and last frame.
    row : int64 array of shape (R,)
        Row of the table that has the label.
    """

    video: np.ndarray
    first: np.ndarray
    last: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: np.ndarray) -> Spans:
        """Select labels by a mask or by indices."""
        return Spans(self.video[index], self.first[index], self.last[index], self.row[index])


def spread_points(spans: Spans, rule: str, max_frames: int | None) -> Spans:
    """Spread labels of single frames to intervals of frames.

    Parameters
    ----------
    spans : Spans
        Labels of single frames. If a frame has several labels, only the first is spread.
    rule : {"exact", "hold", "nearest"}
        See `FrameSettings`.
    max_frames : int or None
        Maximum distance in frames.

    Returns
    -------
    Spans
        Ordered by video and frame.

    Examples
    --------
    >>> one, rows = np.zeros(2, np.int64), np.arange(2)
    >>> labels = Spans(one, np.array([1, 26]), np.array([1, 26]), rows)
    >>> spread_points(labels, "hold", 25).last.tolist(), spread_points(labels, "nearest", 25).first.tolist()
    ([25, 51], [1, 14])
    """
    if rule == "exact" or not len(spans):
        return spans
    keys, order = np.unique(frame_keys(spans.video, spans.first), return_index=True)
    ordered = spans.take(order)
    same = np.diff(keys >> _SHIFT) == 0
    frame = ordered.first
    following, preceding = np.full(len(keys), LAST_FRAME), np.full(len(keys), 0)
    following[:-1][same] = frame[1:][same]
    preceding[1:][same] = frame[:-1][same]
    reach = LAST_FRAME if max_frames is None else max_frames
    if rule == "hold":
        first, last = frame, np.where(following == LAST_FRAME, LAST_FRAME, following - 1)
    else:
        first = np.where(preceding == 0, 1, (preceding + frame) // 2 + 1)
        last = np.where(following == LAST_FRAME, LAST_FRAME, (frame + following) // 2)
    first = np.maximum(first, np.maximum(frame - reach, 1))
    last = np.minimum(last, np.minimum(frame + reach, LAST_FRAME))
    return Spans(ordered.video, first, last, ordered.row)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Pairs of a label and a frame that the label covers, as indices.

    Attributes
    ----------
    label : int64 array of shape (C,)
        Index of the label, once for each frame that it covers.
    position : int64 array of shape (C,)
        Index of the frame in the list.
    """

    label: np.ndarray
    position: np.ndarray


def cover(spans: Spans, keys: np.ndarray) -> Coverage:
    """Find the frames that each label covers; `keys` are the keys of the frames (see `frame_keys`), ascending."""
    start = np.searchsorted(keys, frame_keys(spans.video, spans.first), side="left")
    count = np.searchsorted(keys, frame_keys(spans.video, spans.last), side="right") - start
    label = np.repeat(np.arange(len(spans)), np.maximum(count, 0))
    offset = np.cumsum(np.maximum(count, 0)) - np.maximum(count, 0)
    return Coverage(label, start[label] + np.arange(len(label)) - offset[label])


def paint(coverage: Coverage, values: np.ndarray, frames: int, missing: float) -> tuple[np.ndarray, np.ndarray]:
    """Assign the values of labels to frames.

    Parameters
    ----------
    coverage : Coverage
    values : array of shape (R,)
        Value of each label.
    frames : int
        Number F of frames.
    missing : float
        Value of frames without a label.

    Returns
    -------
    values : array of shape (F,)
    owner : int64 array of shape (F,)
        Index of the last label that covers each frame; -1 if none does.
    """
    painted = np.full(frames, missing, dtype=values.dtype)
    owner = np.full(frames, -1, np.int64)
    painted[coverage.position] = values[coverage.label]
    owner[coverage.position] = coverage.label
    return painted, owner


def find_conflicts(coverage: Coverage, values: np.ndarray, painted: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return pairs of labels that assign different values to the same frame.

    Returns
    -------
    int64 array of shape (P, 3)
        Two labels and the index of the frame. Each label is the first of a pair at most once.
    """
    different = np.flatnonzero(values[coverage.label] != painted[coverage.position])
    label, at = np.unique(coverage.label[different], return_index=True)
    position = coverage.position[different[at]]
    return np.stack([label, owner[position], position], axis=1)
