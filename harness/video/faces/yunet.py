"""Face detection with a YuNet network."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from harness.video.faces.boxes import Faces, merge_overlapping
from harness.video.faces.landmark_refinement import refine_landmarks
from harness.video.faces.yunet_model import YUNET, YuNetModel, read_model_file, read_packaged_file

REVISION = 1
"""Version of this detector, part of its identity: raised whenever its results change."""
MIN_SCORE = 0.6
"""Minimum score of a face."""
MAX_IOU = 0.3
"""Candidates with a larger intersection over union with a better one are dropped."""
MAX_CANDIDATES = 5000
"""Maximum number of candidates that are compared; those with the highest scores are taken."""
MIN_FACE_PX = 24
"""Frames are shrunk so that the side of the smallest face has this many pixels."""
MIN_SIDE_SHARE = 12
"""Smallest face by default: the frame's shorter side / `MIN_SIDE_SHARE`, but at least `MIN_FACE_PX` pixels."""


class YuNetDetector:
    """Face detector with a YuNet network; see `harness.video.faces.detector_protocol.Detector`.

    Large frames are shrunk first: YuNet is trained on small faces, and misses those that fill a large frame.

    Parameters
    ----------
    name : str
        `yunet`, or the path of a model file.
    smallest : int, optional
        Side in pixels of the smallest face to detect; smaller ones are dropped. By default, a twelfth of the frame's
        shorter side and at least 24; smaller ones are kept if they are detected.

    Raises
    ------
    InputError
        If the file cannot be read, was changed, or is not a YuNet model.
    """

    min_size = 0
    has_landmarks = True

    def __init__(self, name: str, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.name, self.smallest = name, smallest
        content = read_packaged_file() if name == YUNET else read_model_file(Path(name))
        self._model = YuNetModel(content, name)
        self.identity = f"yunet {REVISION} {hashlib.sha256(content).hexdigest()}, smallest {smallest}"

    def smallest_side(self, width: int, height: int) -> int:
        """Return the side in pixels of the smallest face that a frame is searched for."""
        return self.smallest or max(min(width, height) // MIN_SIDE_SHARE, MIN_FACE_PX)

    def __call__(
        self, pixels: np.ndarray, expected_boxes: np.ndarray | None = None, frame_index: int | None = None
    ) -> Faces:
        """Detect the faces of a frame; `expected_boxes` and `frame_index` are ignored."""
        height, width = pixels.shape[:2]
        scale = min(MIN_FACE_PX / self.smallest_side(width, height), 1.0)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = pixels if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        scores, boxes, landmarks = self._model(small)
        ratio = np.array([width / size[0], height / size[1]], np.float32)
        finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2))
        likely = np.flatnonzero((scores >= MIN_SCORE) & finite)
        best = np.asarray(
            cv2.dnn.NMSBoxes(boxes[likely].tolist(), scores[likely].tolist(), MIN_SCORE, MAX_IOU, top_k=MAX_CANDIDATES)
        ).astype(np.int64)
        rows = likely[best.ravel()]
        boxes, landmarks = boxes[rows] * np.tile(ratio, 2), landmarks[rows] * ratio
        large = boxes[:, 2:].mean(axis=1) >= (self.smallest or 0)
        return merge_overlapping(boxes[large], scores[rows][large], landmarks=landmarks[large])

    def refine(self, pixels: np.ndarray, faces: Faces) -> Faces:
        """Refine the landmarks of detected faces; see `refine_landmarks`."""
        assert faces.landmarks is not None
        return replace(faces, landmarks=refine_landmarks(self._model, pixels, faces.landmarks))
