"""Detectors of faces by name: the one that is always there, or a model of the user's own."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from harness.utils.errors import unknown_name_error
from harness.video.faces.boxes import Faces

HAAR = "haar"


class Detector(Protocol):
    """Finds the faces of a frame; the same arguments always give the same faces.

    name: as the user named it; identity: of everything its result depends on.
    """

    name: str
    identity: str

    def __call__(self, pixels: np.ndarray, near: np.ndarray | None = None, turn: int | None = None) -> Faces:
        """pixels: uint8 [H, W, 3] RGB.

        Without `near` the whole frame is searched in every way the detector has: right for pictures that do not
        belong together, slow for video. near: float32 [K, 5], boxes where faces are expected, each with the hint it
        was found with, as a tracker's `near` gives them; they are searched there, and the whole frame in only one of
        the ways, now and then. turn: counts the frames, so that each way has its turn.
        """
        ...


def open_detector(name: str, smallest: int | None = None) -> Detector:
    """`haar`, or the path of a YuNet model, FILE.onnx.

    smallest: side in pixels of the smallest face to find; None: a twelfth of the frame's shorter side, at least 24.
    InputError for a name that is neither, or a file that is not such a model.
    """
    if name == HAAR:
        from harness.video.faces.haar import HaarDetector

        return HaarDetector(smallest)
    if name.lower().endswith(".onnx"):
        from harness.video.faces.yunet import YuNetDetector

        return YuNetDetector(name, smallest)
    raise unknown_name_error("detector", name, [HAAR, "FILE.onnx"])
