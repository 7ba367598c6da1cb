"""Face stage for faces that another program has detected: tracking, and the crops that the networks read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.face_stage import SIDE, TrackingStage

if TYPE_CHECKING:
    from harness.inference.chunks import Chunk
    from harness.video.faces.boxes import Faces, Framing
    from harness.video.faces.given_faces import GivenFaces
    from harness.video.frames import Frame


class TrackGivenFaces(TrackingStage):
    """Tracking of faces that another program has detected in the frames of a video.

    Parameters
    ----------
    faces : GivenFaces
        If the faces of a video have ids, these replace the tracker.
    framings, rate, side
        See `TrackingStage`.
    """

    def __init__(self, faces: GivenFaces, framings: Sequence[Framing], rate: float | None, side: int = SIDE) -> None:
        super().__init__(framings, rate, side)
        self.faces = faces

    @property
    def _has_ids(self) -> bool:
        return self.rate is not None and self.faces.ids is not None

    def _find(self, frame: Frame) -> Faces:
        return self.faces.in_frame(frame.number, frame.size)

    def _track(self, frame: Frame, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
        if not self._has_ids:
            return super()._track(frame, faces)
        return self.faces.ids_in_frame(frame.number), np.zeros((len(faces), 0), np.float16)

    def replay(self, chunk: Chunk) -> None:
        """Restore the state of the tracker after the frames of a chunk; given ids need none."""
        if not self._has_ids:
            super().replay(chunk)

    def confirmed_tracks(self) -> dict[int, int]:
        """Map each confirmed id to its face number in the tables; given ids are all confirmed."""
        if not self._has_ids:
            return super().confirmed_tracks()
        return {number: number for number in range(1, self.faces.id_count + 1)}

    def track_count(self) -> int:
        """Get the number of ids, confirmed or not."""
        return self.faces.id_count if self._has_ids else super().track_count()
