"""Faces found by the cascades that come with OpenCV: no model to fetch, no network, milliseconds on one core."""

from __future__ import annotations

import cv2
import numpy as np

from harness.faces.found import Faces, faces_of

SMALLEST = 24
SHARE = 12
STEP = 1.2
EVERY = 4


class Haar:
    name = "haar"

    def __init__(self, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.smallest = smallest
        self.identity = f"haar 1, OpenCV {cv2.__version__}, smallest {smallest}"
        self._frontal = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")

    def __call__(self, pixels: np.ndarray, near: np.ndarray | None = None, turn: int | None = None) -> Faces:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        smallest = self.smallest or max(SMALLEST, min(grey.shape) // SHARE)
        boxes, scores = self._search(grey, smallest, min(grey.shape))
        return faces_of(boxes, scores)

    def _search(self, grey: np.ndarray, smallest: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
        boxes, _, weights = self._frontal.detectMultiScale3(grey, STEP, 3, 0, (smallest, smallest), (largest, largest),
                                                            True)
        return np.reshape(boxes, (-1, 4)), np.reshape(weights, -1)
