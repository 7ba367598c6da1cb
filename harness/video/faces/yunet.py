"""Face detection with a YuNet network given as an ONNX file."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from backbones.regular_files import read_regular
from harness.utils.errors import InputError
from harness.video.faces.boxes import Faces, merge_overlapping

CONFIDENT_SCORE = 0.6
"""Minimum score of a face."""


class YuNetDetector:
    """Face detector with a YuNet network; see `harness.video.faces.detector.Detector`.

    Parameters
    ----------
    path : str
        Model file.
    smallest : int, optional
        Side of the smallest face in pixels; by default there is no limit.

    Raises
    ------
    InputError
        If the file cannot be read or is not a YuNet model.
    """

    def __init__(self, path: str, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.name = path
        self.smallest = smallest
        try:
            content = read_regular(path)
        except OSError as error:
            raise InputError(
                f"the face detector {path} cannot be read: {error.strerror}; give the path of a YuNet model"
            ) from error
        self.identity = f"yunet {hashlib.sha256(content).hexdigest()}, OpenCV {cv2.__version__}, smallest {smallest}"
        try:
            self._network = cv2.FaceDetectorYN.create(
                "onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), (320, 320), CONFIDENT_SCORE
            )
            self(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f"{path} is not a YuNet model that OpenCV {cv2.__version__} can run "
                f"({str(error.err or error).strip()}); give another model, or use --detector haar"
            ) from error

    least = 0

    def smallest_side(self, width: int, height: int) -> int:
        """Return the side in pixels of the smallest face that is detected; 0 if there is no limit."""
        return self.smallest or 0

    def __call__(self, pixels: np.ndarray, near: np.ndarray | None = None, turn: int | None = None) -> Faces:
        """Detect the faces of a frame; `near` and `turn` are ignored."""
        height, width = pixels.shape[:2]
        self._network.setInputSize((width, height))
        detections = self._network.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
        rows = np.empty((0, 15), np.float32) if detections is None else detections
        rows = rows[rows[:, 2:4].mean(axis=1) >= (self.smallest or 0)]
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        return merge_overlapping(rows[:, :4], rows[:, 14])
