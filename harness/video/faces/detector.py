"""Face detectors by name: YuNet networks, and the cascades of OpenCV."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from harness.utils.errors import InputError, unknown_name_error
from harness.video.faces.detector_protocol import Detector
from harness.video.faces.yunet_model import INSTALL, YUNET, find_packaged_file

if TYPE_CHECKING:
    from harness.video.faces.given_faces import GivenFaces

HAAR = "haar"
"""Name of the detector that needs no model file."""
AUTO = "auto"
"""Name that stands for YuNet where its package is installed, otherwise for `HAAR`."""

logger = logging.getLogger(__name__)


def open_detector(name: str, smallest: int | None = None) -> Detector:
    """Create a face detector by name.

    Parameters
    ----------
    name : str
        `auto`, `yunet`, `haar`, or the path of a YuNet model, FILE.onnx.
    smallest : int, optional
        Side in pixels of the smallest face to detect; by default a twelfth of the frame's shorter side and at least 24.

    Returns
    -------
    Detector

    Raises
    ------
    InputError
        If the name is unknown, or the file of YuNet is missing, was changed or is another model.
    """
    if name == AUTO:
        name = YUNET if find_packaged_file() else HAAR
        if name == HAAR:
            logger.info(f"faces are detected with OpenCV's cascades; for a better detector: {INSTALL}")
    if name == HAAR:
        from harness.video.faces.haar import HaarDetector

        return HaarDetector(smallest)
    if name == YUNET or name.lower().endswith(".onnx"):
        from harness.video.faces.yunet import YuNetDetector

        return YuNetDetector(name, smallest)
    raise unknown_name_error("detector", name, [AUTO, YUNET, HAAR, "FILE.onnx"])


def require_landmarks(detector: Detector | GivenFaces, reason: str) -> None:
    """Check that a detector, or a file of faces, gives the landmarks that alignment needs.

    Parameters
    ----------
    detector : Detector or GivenFaces
    reason : str
        Why faces are aligned, as the beginning of the message.

    Raises
    ------
    InputError
        If `detector` gives boxes only.
    """
    if not detector.has_landmarks:
        raise InputError(
            f"{reason}, which takes the positions of eyes, nose and mouth, but {detector.name} gives boxes only; "
            f"use --detector yunet ({INSTALL})"
        )
