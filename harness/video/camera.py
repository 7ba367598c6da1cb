"""A webcam as a source of frames. OpenCV's only door in this folder."""

from __future__ import annotations

import math
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
MAX_MISSED = 10
"""Reads in a row without a frame after which a camera counts as gone."""
PAUSE_SECONDS = 0.05
"""Seconds between them."""


class Camera:
    """What an opened capture delivers, timed from its first frame on; it ends when the camera delivers no more."""

    kind, live, frames = "camera", True, None

    def __init__(self, capture: VideoCapture, name: str, rate: float | None) -> None:
        self.name, self.rate, self.notes = name, rate, []
        self._capture = capture

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        began, number, missed = math.nan, 0, 0
        while missed < MAX_MISSED:
            there, pixels = self._capture.read()
            arrived = time.monotonic()
            if not there:
                missed += 1
                time.sleep(PAUSE_SECONDS)
                continue
            number, missed = number + 1, 0
            began = arrived if number == 1 else began
            yield Frame(number, arrived - began, np.ascontiguousarray(pixels[..., ::-1]), arrived)
        self.notes.append(f"{self.name} delivers no more after frame {number}; was it unplugged?")


def open_camera(number: int) -> Camera:
    """Camera `number`, counted from 0; InputError, naming those that are there, where it cannot be opened."""
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
        raise InputError(f"{name}: there is no such camera, or another program has it{_list_cameras()}")
    rate = capture.get(cv2.CAP_PROP_FPS)
    return Camera(capture, name, rate if 0 < rate <= 1000 else None)


def _list_cameras() -> str:
    """The cameras that Linux knows; elsewhere nothing is said."""
    if not DEVICES.is_dir():
        return ""
    there = sorted(int(path.name[5:]) for path in DEVICES.glob("video[0-9]*") if path.name[5:].isdigit())
    if not there:
        return "; no camera is connected to this machine. A video file is read with its name in this place"
    return f"; here are {', '.join(f'camera:{number}' for number in there)}"
