"""Interface of the face detectors."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from harness.video.faces.boxes import Faces


class Detector(Protocol):
    """Callable that detects the faces of a frame; the same arguments always give the same faces.

    Attributes
    ----------
    name : str
        Name as the user gave it.
    identity : str
        Everything that the result depends on, for cache keys.
    min_size : int
        Side in pixels of the smallest face that the detector can be asked for.
    has_landmarks : bool
        Whether faces have landmarks, so that they can be aligned.
    """

    name: str
    identity: str
    min_size: int
    has_landmarks: bool

    def smallest_side(self, width: int, height: int) -> int:
        """Return the side in pixels of the smallest face that is detected in a frame; 0 if there is no limit."""

    def __call__(
        self, pixels: np.ndarray, expected_boxes: np.ndarray | None = None, frame_index: int | None = None
    ) -> Faces:
        """Detect the faces of a frame.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB.
        expected_boxes : ndarray of float32, shape (K, 5), optional
            Boxes in which faces are expected, each with the hint of its last detection; see
            `harness.video.faces.tracker.FaceTracker.expected_boxes`. `haar` searches these boxes in every frame. From
            time to time it also searches the whole frame, each time in one pose. Without `expected_boxes` or
            `frame_index`, or if `frame_index` is 0, it searches the whole frame in all poses. This suits unrelated
            images but is slow for video. YuNet ignores the boxes.
        frame_index : int, optional
            Number that increases by 1 from frame to frame and determines the pose in which the whole frame is searched.

        Returns
        -------
        Faces
        """

    def refine(self, pixels: np.ndarray, faces: Faces) -> Faces:
        """Refine the landmarks of faces that were detected in a frame, for alignment.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
        faces : Faces
            Result for this frame.
        """
