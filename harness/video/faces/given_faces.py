"""Faces that another program has detected in a video: boxes, landmarks and ids by frame, from a CSV file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from harness.utils.errors import InputError
from harness.video.faces.alignment import coincident
from harness.video.faces.boxes import Faces
from harness.video.faces.given_faces_csv import read_face_rows

MAX_BOX_SHARE = 10
"""Largest side of a box, relative to that of the frame."""
REVISION = 2
"""Version of the conversion, part of the identity: raised whenever its results change."""


class GivenFaces:
    """The faces in a CSV file of py-feat, OpenFace, MediaPipe or `framelight predict`.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    name : str
        Name in messages.
    identity : str
        Everything that the faces depend on, for cache keys.
    has_landmarks : bool
        Whether faces have five landmarks, so that they can be aligned.
    ids : ndarray of int64, shape (N,), or None
        Ids from 1; None if the file has none.
    id_count : int
        Number of different ids.
    first_frame : int
        Number of the first frame with a face, from 1.
    notes : tuple of str
        Messages about how the file was read.

    Raises
    ------
    InputError
        If the file cannot be read or its form is unknown; for an invalid row, the message names its line.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        rows = read_face_rows(path)
        order = np.lexsort((rows.boxes[:, 0], rows.frames))
        self._rows = rows.take(order)
        self.ids, self.notes = self._rows.ids, rows.notes
        self.id_count = 0 if self.ids is None else int(self.ids.max(initial=0))
        self.first_frame = int(self._rows.frames[0])
        self.has_landmarks = rows.landmarks is not None
        self._relative = bool((rows.boxes[:, 2:] <= 1).all())
        self.identity = f"boxes {REVISION} {hashlib.sha256(path.read_bytes()).hexdigest()}"

    def in_frame(self, number: int, size: tuple[int, int]) -> Faces:
        """Return the faces of a frame.

        Parameters
        ----------
        number : int
            Number of the frame, from 1.
        size : tuple of int
            Width and height of the frame in pixels.

        Raises
        ------
        InputError
            If a box is outside of the frame, or the landmarks of a face coincide.
        """
        at = self._slice(number)
        scale = np.array(size if self._relative else (1, 1), np.float32)
        boxes = self._rows.boxes[at] * np.tile(scale, 2)
        outside = (boxes[:, :2] >= size).any(axis=1) | (boxes[:, :2] + boxes[:, 2:] <= 0).any(axis=1)
        outside |= (boxes[:, 2:] > MAX_BOX_SHARE * np.array(size)).any(axis=1)
        if outside.any():
            line = int(self._rows.lines[at][outside][0])
            raise InputError(
                f"{self.path}:{line}: this face is outside of frame {number}, which has {size[0]} x {size[1]} pixels, "
                "or far larger than it; give the file that belongs to this video, with boxes in its pixels"
            )
        landmarks = None if self._rows.landmarks is None else self._rows.landmarks[at] * scale
        if landmarks is not None and (equal := coincident(landmarks)).any():
            line = int(self._rows.lines[at][equal][0])
            raise InputError(f"{self.path}:{line}: the landmarks of this face coincide; correct or remove this row")
        return Faces(boxes, self._rows.scores[at], landmarks=landmarks)

    def ids_in_frame(self, number: int) -> np.ndarray:
        """Return the ids of the faces of a frame, in the order of `in_frame`; the file must have ids."""
        assert self.ids is not None
        return self.ids[self._slice(number)]

    def require_frames(self, frames: np.ndarray, source: str) -> tuple[str, ...]:
        """Check that the frames of the file are those of the video.

        Parameters
        ----------
        frames : ndarray of int
            Numbers of the frames of the video.
        source : str
            Name of the video.

        Returns
        -------
        tuple of str
            A note if some faces are in frames that the video does not have.

        Raises
        ------
        InputError
            If all faces are in frames that the video does not have.
        """
        lost = ~np.isin(self._rows.frames, frames)
        if not lost.any():
            return ()
        if lost.all():
            raise self.other_video_error(source)
        return (
            f"{int(lost.sum()):,} of {len(lost):,} faces in {self.path} are in frames that {source} does not have "
            f"(the last: {self._rows.frames[-1]})",
        )

    def other_video_error(self, source: str) -> InputError:
        """Create the error for a video that lacks all frames of the file."""
        return InputError(
            f"{self.path}: its faces are in frames {self.first_frame} to {self._rows.frames[-1]}, and {source} has "
            "none of them; give the file that belongs to this video"
        )

    def _slice(self, number: int) -> slice:
        start, stop = np.searchsorted(self._rows.frames, (number, number + 1))
        return slice(int(start), int(stop))
