"""Benchmarks of face detection by YuNet: against the cascades of OpenCV, and of large frames against small ones."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.bench import predict
from harness.bench.figure import Measurement, interleave_rounds

if TYPE_CHECKING:
    from harness.video.faces.detector_protocol import Detector

logger = logging.getLogger(__name__)

MIN_RATIO = 0.8
"""Required speed of `predict` with YuNet, as a share of its speed with the cascades."""
LARGE, SMALL = (1920, 1080), (480, 270)
"""Width and height in pixels of a large frame, and of the same frame shrunk."""
SIDES = (420, 300, 240, 180, 140, 120)
"""Sides in pixels of the faces in a large frame."""
LARGE_FRAMES = 10
MAX_LARGE_MS = 60.0
"""Largest allowed CPU time for a large frame."""
ROUNDS = 5


def measure() -> Iterator[Measurement]:
    """Time `predict` and its detection stage with each detector, and YuNet on large and on small frames."""
    from harness.video.faces.detector import HAAR, open_detector
    from harness.video.faces.yunet_model import INSTALL, YUNET, find_packaged_file

    if find_packaged_file() is None:
        logger.info(f"detector is left out, because YuNet is not installed; {INSTALL}")
        return
    yunet = open_detector(YUNET)
    with tempfile.TemporaryDirectory() as folder:
        yield from _measure_video(Path(folder), yunet, open_detector(HAAR))
        faces = predict.render_faces(Path(folder) / "stills")
    yield _measure_large_frames([compose_frame(faces, number) for number in range(LARGE_FRAMES)], yunet)


def compose_frame(faces: list[np.ndarray], number: int) -> np.ndarray:
    """Compose a large frame of gray background and synthetic faces of `SIDES`, uint8 [1080, 1920, 3]."""
    pixels = np.full((*LARGE[::-1], 3), 128, np.uint8)
    cell = LARGE[0] // 3
    for place, side in enumerate(SIDES):
        left, top = place % 3 * cell + 40 + 8 * number, place // 3 * LARGE[1] // 2 + 40 + 4 * number
        predict.paste(pixels, faces[(3 * number + place) % len(faces)], (left, top), side)
    return pixels


def _measure_video(folder: Path, yunet: Detector, haar: Detector) -> Iterator[Measurement]:
    path, forward = predict.render_video(folder), predict.open_forward_pass()
    frames = predict.decode_frames(path)
    what = f"a video of {predict.WIDTH}x{predict.HEIGHT} pixels with one face"
    times = interleave_rounds(
        {detector.name: partial(predict.run_pipeline, path, detector, forward) for detector in (yunet, haar)}, ROUNDS
    )
    rates = [predict.FRAMES / times.median(name) for name in (yunet.name, haar.name)]
    yield Measurement(
        "predict with YuNet",
        f"{what}, with {predict.BACKBONE}",
        1000 / rates[0],
        "ms per frame",
        "the same with the cascades",
        1000 / rates[1],
        times.ratio(yunet.name, haar.name),
        MIN_RATIO,
        note=f"{rates[0]:.0f} and {rates[1]:.0f} frames per second of wall time",
    )
    times = interleave_rounds(
        {detector.name: partial(predict.find_faces, detector, frames) for detector in (yunet, haar)},
        ROUNDS,
        time.process_time,
    )
    found = [sum(len(faces.ids) for faces in predict.find_faces(detector, frames)) for detector in (yunet, haar)]
    yield Measurement(
        "detection with YuNet",
        f"{what}, detection and tracking alone",
        times.median(yunet.name) * 1000 / len(frames),
        "ms of CPU per frame",
        "the cascades",
        times.median(haar.name) * 1000 / len(frames),
        times.ratio(yunet.name, haar.name),
        note=f"{found[0]} and {found[1]} faces in {len(frames)} frames",
    )


def _measure_large_frames(frames: Sequence[np.ndarray], yunet: Detector) -> Measurement:
    import cv2

    small = [cv2.resize(pixels, SMALL, interpolation=cv2.INTER_AREA) for pixels in frames]
    found = [sum(len(yunet(pixels)) for pixels in sizes) for sizes in (frames, small)]
    times = interleave_rounds(
        {"large": lambda: list(map(yunet, frames)), "small": lambda: list(map(yunet, small))}, ROUNDS, time.process_time
    )
    return Measurement(
        f"YuNet on {LARGE[0]}x{LARGE[1]}",
        f"frames of {LARGE[0]}x{LARGE[1]} pixels with {len(SIDES)} faces",
        times.median("large") * 1000 / len(frames),
        "ms of CPU per frame",
        f"the same frames shrunk to {SMALL[0]}x{SMALL[1]}",
        times.median("small") * 1000 / len(small),
        times.ratio("large", "small"),
        limit=MAX_LARGE_MS,
        note=f"{found[0]} and {found[1]} of {len(frames) * len(SIDES)} faces",
    )
