"""Faces found by the cascades that come with OpenCV: no model to fetch, milliseconds on one core.

A cascade knows faces that are upright within some 15 degrees; turned ones are found by turning the picture, faces
seen from the side by a cascade of their own, which knows one side and needs the mirror image for the other. All of
that on every frame would take a quarter of a second. So what is near where a face was is searched on every frame, in
a patch of few pixels, and the whole frame in one way at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness.video.faces.boxes import Faces, Margin, crop, merge_overlapping

REVISION = 2
MIN_SIDE = 24
MIN_SIDE_SHARE = 12
"""The smallest face by default: a SHARE of the frame's shorter side, and not under SMALLEST pixels."""


@dataclass(frozen=True)
class SearchPose:
    """degrees: how far the picture is turned, counter-clockwise; mirrored: first."""

    cascade: str
    degrees: int = 0
    mirrored: bool = False


FRONTAL, PROFILE = "frontalface_alt2", "profileface"
UPRIGHT = SearchPose(FRONTAL)
SIDE, MIRRORED_SIDE = SearchPose(PROFILE), SearchPose(PROFILE, 0, True)
TRACKED_POSES = (
    UPRIGHT,
    SearchPose(FRONTAL, 20),
    SearchPose(FRONTAL, -20),
    SearchPose(FRONTAL, 40),
    SearchPose(FRONTAL, -40),
    SIDE,
    MIRRORED_SIDE,
    SearchPose(PROFILE, -25),
    SearchPose(PROFILE, 25, True),
)
"""Around a known face; its hint is the number of the way that found it."""
FRAME_POSES = (
    UPRIGHT,
    SearchPose(FRONTAL, 30),
    UPRIGHT,
    SearchPose(FRONTAL, -30),
    UPRIGHT,
    SIDE,
    UPRIGHT,
    MIRRORED_SIDE,
)
"""Whole frames are searched in these ways in turn."""

CONFIDENT_SCORE = 2.0
"""A face that scores so much in one way is not looked for in others.

Nobody new is believed in film with less: what is a face will score more within a few frames. Petals scored 1.9.
"""
MIN_SCORE_STILL = 1.2
"""What a face must score in a picture that belongs to no film, and a known one between two searches in every way."""
FULL_SEARCH_EVERY = 4
"""While faces are known, a whole frame is searched in so many."""
NEAR_STEP, STEP, THOROUGH_STEP = 1.2, 1.25, 1.1
"""From one size searched to the next."""
MIN_NEIGHBORS = 3
"""Windows side by side that must agree on a face."""
MIN_FACE_PX = 24
"""A frame is shrunk until its smallest face has this side."""
FACE, PATCH = 56, 104
"""Sides of a known face and of the patch it is searched in, after shrinking or enlarging.

OpenCV's cascades look at every second place only where a face has less than 40 pixels; in patches in which all sizes
have more, the mean over the windows that agree keeps no size down, and boxes are as large as in whole frames.
"""
MIN_SCALE, MAX_SCALE = 0.72, 1.5
"""Sizes at which a known face is looked for, in its own."""
MAX_SHIFT = 0.6
"""How far from where it should be it may be found, in its own size."""
POSITION_WEIGHT, SIZE_WEIGHT = 0.6, 0.35
"""Shares of the place and of the size found in those given; the rest is what was expected, so that crops do not
tremble. A face that has moved by its own size is where it is found."""


class HaarDetector:
    """smallest: side of the smallest face in pixels, None: by the size of the frame.

    The score is by how much a face exceeds what the last stage of its cascade asks for: just above 0 to about 4.
    """

    name = "haar"

    def __init__(self, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.smallest = smallest
        self.identity = f"haar {REVISION}, OpenCV {cv2.__version__}, smallest {smallest}"
        self._cascades = {name: _Cascade(name) for name in (FRONTAL, PROFILE)}

    def __call__(self, pixels: np.ndarray, near: np.ndarray | None = None, turn: int | None = None) -> Faces:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        smallest = self.smallest or max(MIN_SIDE, min(grey.shape) // MIN_SIDE_SHARE)
        if near is None or not turn:
            rows = [self._search_frame(grey, way, smallest, THOROUGH_STEP) for way in dict.fromkeys(FRAME_POSES)]
            return _merge(
                [_with_min_score(found, MIN_SCORE_STILL if near is None else CONFIDENT_SCORE) for found in rows]
            )
        enough = MIN_SCORE_STILL if turn % FULL_SEARCH_EVERY else CONFIDENT_SCORE
        rows = [self._search_near(grey, row[:4], int(row[4]), enough) for row in near]
        every = FULL_SEARCH_EVERY if len(near) else 1
        if turn % every == 0:
            rows.append(
                _with_min_score(
                    self._search_frame(grey, FRAME_POSES[turn // every % len(FRAME_POSES)], smallest, STEP),
                    CONFIDENT_SCORE,
                )
            )
        return _merge(rows)

    def _search_frame(self, grey: np.ndarray, way: SearchPose, smallest: int, step: float) -> np.ndarray:
        shrunk = min(MIN_FACE_PX / smallest, 1.0)
        if shrunk < 1:
            grey = cv2.resize(grey, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
        rows = self._search(grey, way, min(MIN_FACE_PX, smallest), min(grey.shape), step)
        rows[:, :4] /= shrunk
        return rows

    def _search_near(self, grey: np.ndarray, box: np.ndarray, hint: int, enough: float) -> np.ndarray:
        """The face that should be at `box`, [1, 6], or [0, 6]: in the way of the hint where it scores enough so."""
        margin = Margin(PATCH / FACE)
        patch, (left, top, side) = crop(grey, box, margin, PATCH), margin.square(box)
        best = np.empty((0, 6))
        for number in sorted(range(len(TRACKED_POSES)), key=lambda number: number != hint):
            rows = self._search(
                patch, TRACKED_POSES[number], round(FACE * MIN_SCALE), round(FACE * MAX_SCALE), NEAR_STEP
            )
            rows = rows[np.hypot(*(rows[:, :2] + rows[:, 2:4] / 2 - PATCH / 2).T) <= MAX_SHIFT * FACE]
            if len(rows) and (not len(best) or rows[:, 4].max() > best[0, 4]):
                best = rows[[rows[:, 4].argmax()]]
                best[:, 5] = number
            if len(best) and best[0, 4] >= (enough if number == hint else CONFIDENT_SCORE):
                break
        best[:, :4] *= side / PATCH
        best[:, :2] += left, top
        for row in best:
            row[:4] = _damp(row[:4], box)
        return best

    def _search(self, grey: np.ndarray, way: SearchPose, smallest: int, largest: int, step: float) -> np.ndarray:
        """float64 [K, 6]: x, y, width, height, score and no hint."""
        seen = cv2.flip(grey, 1) if way.mirrored else grey
        back = None
        if way.degrees:
            seen, back = _rotate(seen, way.degrees)
        rows = self._cascades[way.cascade](seen, smallest, largest, step)
        if back is not None:
            centres = (rows[:, :2] + rows[:, 2:4] / 2) @ back[:, :2].T + back[:, 2]
            rows[:, :2] = centres - rows[:, 2:4] / 2
        if way.mirrored:
            rows[:, 0] = grey.shape[1] - rows[:, 0] - rows[:, 2]
        return rows


class _Cascade:
    def __init__(self, name: str) -> None:
        path = Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"
        self._classifier = cv2.CascadeClassifier(str(path))
        stages = re.findall(r"<stageThreshold>\s*(\S+?)\s*</stageThreshold>", path.read_text(encoding="ascii"))
        self._asked = float(stages[-1])

    def __call__(self, grey: np.ndarray, smallest: int, largest: int, step: float) -> np.ndarray:
        boxes, _, sums = self._classifier.detectMultiScale3(
            grey, step, MIN_NEIGHBORS, 0, (smallest, smallest), (largest, largest), True
        )
        rows = np.zeros((len(boxes), 6))
        rows[:, :4] = np.reshape(boxes, (-1, 4))
        rows[:, 4] = np.reshape(sums, -1) - self._asked
        return rows


def _rotate(grey: np.ndarray, degrees: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole picture turned about its centre, and the [2, 3] that leads back."""
    height, width = grey.shape
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = np.abs(turning[0, :2])
    wide, high = round(width * cosine + height * sine), round(width * sine + height * cosine)
    turning[:, 2] += (wide - width) / 2, (high - height) / 2
    seen = cv2.warpAffine(grey, turning, (wide, high), borderMode=cv2.BORDER_REPLICATE)
    return seen, cv2.invertAffineTransform(turning)


def _with_min_score(rows: np.ndarray, least: float) -> np.ndarray:
    return rows[rows[:, 4] >= least]


def _damp(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    size = found[2:] ** SIZE_WEIGHT * expected[2:] ** (1 - SIZE_WEIGHT)
    moved = found[:2] + found[2:] / 2 - expected[:2] - expected[2:] / 2
    share = min(POSITION_WEIGHT + np.hypot(*moved) / found[2:].mean(), 1.0)
    return np.concatenate([expected[:2] + expected[2:] / 2 + share * moved - size / 2, size])


def _merge(rows: Sequence[np.ndarray]) -> Faces:
    """What was found first goes before what scores higher, where it is sure."""
    found = np.concatenate([*rows, np.empty((0, 6))])
    found = found[np.argsort(-np.minimum(found[:, 4], CONFIDENT_SCORE), kind="stable")]
    return merge_overlapping(found[:, :4], found[:, 4], found[:, 5])
