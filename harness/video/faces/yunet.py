"""Faces found by a YuNet network that the user has as an ONNX file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from harness.utils.errors import InputError
from harness.video.faces.boxes import Faces, merge_overlapping

CONFIDENT_SCORE = 0.6


class YuNetDetector:
    """path: of the model; smallest: side of the smallest face in pixels, None: whatever the network finds."""

    def __init__(self, path: str, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.name = path
        self.smallest = smallest
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"the detector {path} cannot be read: {error.strerror}") from error
        self.identity = f"yunet {hashlib.sha256(content).hexdigest()}, OpenCV {cv2.__version__}, smallest {smallest}"
        try:
            self._network = cv2.FaceDetectorYN.create(
                "onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), (320, 320), CONFIDENT_SCORE
            )
            self(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f"{path} is no YuNet model that OpenCV {cv2.__version__} can run ({str(error.err or error).strip()})"
            ) from error

    def __call__(self, pixels: np.ndarray, near: np.ndarray | None = None, turn: int | None = None) -> Faces:
        height, width = pixels.shape[:2]
        self._network.setInputSize((width, height))
        found = self._network.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
        rows = np.empty((0, 15), np.float32) if found is None else found
        rows = rows[rows[:, 2:4].mean(axis=1) >= (self.smallest or 0)]
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        return merge_overlapping(rows[:, :4], rows[:, 14])
