"""Face detectors by name: YuNet networks, and the cascades of OpenCV."""

from __future__ import annotations

import logging

from harness.utils.errors import unknown_name_error
from harness.video.faces.detector_protocol import Detector
from harness.video.faces.yunet_model import INSTALL, YUNET, find_packaged_file

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
