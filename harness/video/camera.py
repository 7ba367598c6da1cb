"""Cameras as sources of frames. No other module of this folder opens a device with OpenCV."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from harness.utils.errors import InputError
from harness.video.frames import Frame

if TYPE_CHECKING:
    from cv2 import VideoCapture

DEVICES = Path("/dev")
"""Folder in which Linux lists cameras."""
BUFFERED = 4
"""Number of frames that OpenCV buffers for a camera. They become seconds old while models are loaded."""
MAX_MISSED = 10
"""Number of consecutive reads without a frame after which a camera is considered disconnected."""
PAUSE_SECONDS = 0.05
"""Pause after a read without a frame, in seconds."""


class Camera:
    """Live source of the frames of an opened camera.

    It ends when the camera delivers no more frames; see `harness.video.frames.Source` for the attributes.

    Parameters
    ----------
    capture : cv2.VideoCapture
        Opened camera, released when the context is left.
    name : str
        Such as `camera:0`.
    rate : float or None
        Frames per second; None if unknown.
    stale : int
        Number of frames that may have been buffered since the camera was opened; they are skipped.
    """

    def __init__(self, capture: VideoCapture, name: str, rate: float | None, stale: int = 0) -> None:
        self.name, self.kind, self.live = name, "camera", True
        self.rate = rate
        self.frames: int | None = None
        self.notes: list[str] = []
        self._capture, self._stale = capture, stale

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        for _ in range(self._stale):
            self._capture.grab()
        start, number, missed = math.nan, 0, 0
        while missed < MAX_MISSED:
            success, pixels = self._capture.read()
            arrived = time.monotonic()
            if not success:
                missed += 1
                time.sleep(PAUSE_SECONDS)
                continue
            number, missed = number + 1, 0
            start = arrived if number == 1 else start
            yield Frame(number, arrived - start, np.ascontiguousarray(pixels[..., ::-1]), arrived)
        self.notes.append(f"{self.name} delivered no more frames after frame {number}; was it unplugged?")


def open_camera(number: int) -> Camera:
    """Open a camera.

    Parameters
    ----------
    number : int
        Counted from 0.

    Returns
    -------
    Camera

    Raises
    ------
    InputError
        If the camera cannot be opened or delivers no frame; on Linux the message names the available cameras.
    """
    import cv2

    name = f"camera:{number}"
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened() or not capture.read()[0]:
        capture.release()
        raise InputError(f"{name}: there is no such camera, or another program is using it{_list_cameras()}")
    rate = capture.get(cv2.CAP_PROP_FPS)
    return Camera(capture, name, rate if 0 < rate <= 1000 else None, BUFFERED)


def _list_cameras() -> str:
    """Describe the cameras that Linux lists; empty on other systems."""
    if not sys.platform.startswith("linux"):
        return ""
    numbers = sorted(int(path.name[5:]) for path in DEVICES.glob("video[0-9]*") if path.name[5:].isdigit())
    if not numbers:
        return "; no camera is connected to this machine. Connect one, or give the path of a video file instead"
    return f"; available: {', '.join(f'camera:{number}' for number in numbers)}"
