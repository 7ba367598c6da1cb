"""Cameras; OpenCV's capture reads a video file like a device, so everything after opening is tested on one."""

import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from harness.utils.errors import InputError
from harness.video.camera import Camera
from harness.video.realtime import RealtimeSource
from harness.video.source import open_source
from tests.helpers.video_files import colour_at, film

NOWHERE = 97
"""No machine has so many cameras."""


def test_missing_camera_raises_silently():
    program = f"from harness.video.source import open_source\nopen_source('camera:{NOWHERE}')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Traceback") and done.stdout == ""
    assert lines[-1].startswith(f"harness.utils.errors.InputError: camera:{NOWHERE}: there is no such camera")


def test_missing_camera_can_be_retried():
    for _ in range(2):
        with pytest.raises(InputError, match="there is no such camera"):
            open_source(f"camera:{NOWHERE}", seconds=1)


def test_frames_are_rgb_numbered_and_timed(tmp_path):
    capture = cv2.VideoCapture(str(film(tmp_path / "a.mp4", 9)))
    began = time.monotonic()
    with Camera(capture, "camera:0", 25.0) as source:
        frames = list(source)
    assert (source.kind, source.live, source.frames, source.rate) == ("camera", True, None, 25)
    assert [frame.number for frame in frames] == list(range(1, 10)) and frames[0].seconds == 0
    assert np.all(np.diff([frame.seconds for frame in frames]) > 0)
    assert began < frames[0].arrived and frames[-1].arrived < time.monotonic()
    assert [colour_at(frames[0].pixels, *at) for at in ((0.2, 0.8), (0.8, 0.8), (0.5, 0.1))] == ["red", "green", "blue"]
    assert source.notes == ["camera:0 delivered no more frames after frame 9; was it unplugged?"]
    assert not capture.isOpened()


def test_camera_is_paced_by_itself(tmp_path):
    camera = Camera(cv2.VideoCapture(str(film(tmp_path / "a.mp4", 30))), "camera:0", None)
    with RealtimeSource(camera) as source:
        frames = [frame for frame in source if not time.sleep(0.01)]
    assert len(frames) + source.dropped == 30 and frames[-1].number == 30


def test_frames_that_were_buffered_while_models_were_loaded_are_passed_over(tmp_path):
    capture = cv2.VideoCapture(str(film(tmp_path / "a.mp4", 9)))
    with Camera(capture, "camera:0", 25.0, stale=4) as source:
        frames = list(source)
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5] and frames[0].seconds == 0
