"""Face detection with the Haar cascades of OpenCV.

It needs no model file and takes milliseconds per frame of a video on one core.

A cascade detects faces that are upright to within about 15 degrees. Rotated faces are detected by rotating the image.
Profile faces need another cascade, which covers one side of the face; the other side needs the mirrored image. A
search in all poses takes a quarter of a second. In a video, the detector therefore searches only a small patch around
each tracked face in every frame, and from time to time the whole frame in a single pose.
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
"""Version of this detector, part of its identity: raised whenever its results change."""
WINDOW = 20
"""Side in pixels of the window in which a cascade detects a face."""
MIN_SIDE = 24
MIN_SIDE_SHARE = 12
"""Smallest face by default, in pixels: the frame's shorter side / `MIN_SIDE_SHARE`, but at least `MIN_SIDE`."""


@dataclass(frozen=True)
class SearchPose:
    """Pose in which a cascade searches an image.

    Attributes
    ----------
    cascade : {"frontalface_alt2", "profileface"}
    degrees : int
        Counter-clockwise rotation of the image, after mirroring.
    mirrored : bool
        Whether the image is mirrored.
    """

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
"""Poses in which the surroundings of a tracked face are searched; the hint of a face is the index of its pose."""
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
"""Poses in which whole frames are searched in turn, one pose per search."""

CONFIDENT_SCORE = 2.0
"""Once a tracked face has this score in one pose, further poses are not searched; see also `MIN_SCORE_STILL`.

In video, a new face needs at least this score. Faces reach it within a few frames, while petals that were detected as a
face scored 1.9.
"""
MIN_SCORE_STILL = 1.2
"""Minimum score of a face in a still image.

In video, the pose in which a tracked face was last detected is searched first. If the face reaches this score in it,
other poses are not searched. In frames that are searched as a whole, it has to reach `CONFIDENT_SCORE` instead.
"""
FULL_SEARCH_EVERY = 4
"""While faces are tracked, the whole frame is searched once in this many frames."""
NEAR_STEP, STEP, THOROUGH_STEP = 1.2, 1.25, 1.1
"""Ratios of successive face sizes in a search: around tracked faces, in whole frames of a video, and in still images
and first frames."""
MIN_NEIGHBORS = 3
"""Number of overlapping detections that confirm a face."""
MIN_FACE_PX = 24
"""Frames are scaled down so that the side of the smallest face has this many pixels."""
FACE, PATCH = 56, 104
"""Sides in pixels of a tracked face and of the patch that is searched for it, after resizing.

For faces of less than 40 pixels, OpenCV's cascades test only every second position. Faces in the patch are larger than
that. Otherwise the mean over overlapping detections would be biased towards some sizes, and the boxes would not be as
large as in whole frames.
"""
MIN_SCALE, MAX_SCALE = 0.72, 1.5
"""Range of sizes that are searched for a tracked face, relative to its last size."""
MAX_SHIFT = 0.6
"""Largest distance of a tracked face from its expected position, relative to its size."""
POSITION_WEIGHT, SIZE_WEIGHT = 0.6, 0.35
"""Weights of the detected position and of the detected size. The expected position and the expected size have the rest
of the weight, which keeps crops from jittering. The weight of the detected position grows with its distance from the
expected position, up to 1."""


class HaarDetector:
    """Face detector with the Haar cascades of OpenCV.

    The score of a face is the sum of the cascade's last stage minus its threshold, from just above 0 to about 4.
    See `harness.video.faces.detector_protocol.Detector`.

    Parameters
    ----------
    smallest : int, optional
        Side of the smallest face in pixels; by default it depends on the size of the frame.
    """

    name = "haar"
    min_size = WINDOW
    has_landmarks = False

    def __init__(self, smallest: int | None = None) -> None:
        cv2.setNumThreads(1)
        self.smallest = smallest
        self.identity = f"haar {REVISION}, OpenCV {cv2.__version__}, smallest {smallest}"
        self._cascades = {name: _Cascade(name) for name in (FRONTAL, PROFILE)}

    def __call__(
        self, pixels: np.ndarray, expected_boxes: np.ndarray | None = None, frame_index: int | None = None
    ) -> Faces:
        """Detect the faces of a frame; see `harness.video.faces.detector_protocol.Detector`."""
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        smallest = self.smallest_side(*gray.shape)
        if expected_boxes is None or not frame_index:
            rows = [self._search_frame(gray, pose, smallest, THOROUGH_STEP) for pose in dict.fromkeys(FRAME_POSES)]
            min_score = MIN_SCORE_STILL if expected_boxes is None else CONFIDENT_SCORE
            return _merge([_with_min_score(detections, min_score) for detections in rows])
        min_score = MIN_SCORE_STILL if frame_index % FULL_SEARCH_EVERY else CONFIDENT_SCORE
        rows = [self._search_near(gray, row[:4], int(row[4]), min_score) for row in expected_boxes]
        every = FULL_SEARCH_EVERY if len(expected_boxes) else 1
        if frame_index % every == 0:
            rows.append(
                _with_min_score(
                    self._search_frame(gray, FRAME_POSES[frame_index // every % len(FRAME_POSES)], smallest, STEP),
                    CONFIDENT_SCORE,
                )
            )
        return _merge(rows)

    def smallest_side(self, width: int, height: int) -> int:
        """Return the side in pixels of the smallest face that is detected in a frame."""
        return self.smallest or max(MIN_SIDE, min(width, height) // MIN_SIDE_SHARE)

    def refine(self, pixels: np.ndarray, faces: Faces) -> Faces:
        """Return the faces unchanged, as they have no landmarks."""
        return faces

    def _search_frame(self, gray: np.ndarray, pose: SearchPose, smallest: int, step: float) -> np.ndarray:
        scale = min(MIN_FACE_PX / smallest, 1.0)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rows = self._search(gray, pose, min(MIN_FACE_PX, smallest), min(gray.shape), step)
        rows[:, :4] /= scale
        return rows

    def _search_near(self, gray: np.ndarray, box: np.ndarray, hint: int, min_score: float) -> np.ndarray:
        """Search for a tracked face around `box`; return one row as `_search` does, or no row if it is not detected.

        The pose of the hint is searched first. If the face scores at least `min_score` in it, other poses are skipped.
        """
        margin = Margin(PATCH / FACE)
        patch, (left, top, side) = crop(gray, box, margin, PATCH), margin.square(box)
        best = np.empty((0, 6))
        for index in sorted(range(len(TRACKED_POSES)), key=lambda index: index != hint):
            rows = self._search(
                patch, TRACKED_POSES[index], round(FACE * MIN_SCALE), round(FACE * MAX_SCALE), NEAR_STEP
            )
            rows = rows[np.hypot(*(rows[:, :2] + rows[:, 2:4] / 2 - PATCH / 2).T) <= MAX_SHIFT * FACE]
            if len(rows) and (not len(best) or rows[:, 4].max() > best[0, 4]):
                best = rows[[rows[:, 4].argmax()]]
                best[:, 5] = index
            if len(best) and best[0, 4] >= (min_score if index == hint else CONFIDENT_SCORE):
                break
        best[:, :4] *= side / PATCH
        best[:, :2] += left, top
        for row in best:
            row[:4] = _damp(row[:4], box)
        return best

    def _search(self, gray: np.ndarray, pose: SearchPose, smallest: int, largest: int, step: float) -> np.ndarray:
        """Search one pose and return float64 [K, 6]: x, y, width, height, score and 0 for the hint."""
        image = cv2.flip(gray, 1) if pose.mirrored else gray
        back = None
        if pose.degrees:
            image, back = _rotate(image, pose.degrees)
        rows = self._cascades[pose.cascade](image, smallest, largest, step)
        if back is not None:
            centres = (rows[:, :2] + rows[:, 2:4] / 2) @ back[:, :2].T + back[:, 2]
            rows[:, :2] = centres - rows[:, 2:4] / 2
        if pose.mirrored:
            rows[:, 0] = gray.shape[1] - rows[:, 0] - rows[:, 2]
        return rows


class _Cascade:
    """Cascade of OpenCV whose scores are relative to the threshold of its last stage."""

    def __init__(self, name: str) -> None:
        folder = Path(cv2.data.haarcascades)  # type: ignore[attr-defined]  # not in OpenCV's annotations
        path = folder / f"haarcascade_{name}.xml"
        self._classifier = cv2.CascadeClassifier(str(path))
        stages = re.findall(r"<stageThreshold>\s*(\S+?)\s*</stageThreshold>", path.read_text(encoding="ascii"))
        self._threshold = float(stages[-1])

    def __call__(self, gray: np.ndarray, smallest: int, largest: int, step: float) -> np.ndarray:
        boxes, _, sums = self._classifier.detectMultiScale3(
            gray, step, MIN_NEIGHBORS, 0, (smallest, smallest), (largest, largest), True
        )
        rows = np.zeros((len(boxes), 6))
        rows[:, :4] = np.reshape(boxes, (-1, 4))
        rows[:, 4] = np.reshape(sums, -1) - self._threshold
        return rows


def _rotate(gray: np.ndarray, degrees: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotate an image about its center without cutting corners; return it with the inverse transformation [2, 3]."""
    height, width = gray.shape
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = np.abs(rotation[0, :2])
    new_width, new_height = round(width * cosine + height * sine), round(width * sine + height * cosine)
    rotation[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    rotated = cv2.warpAffine(gray, rotation, (new_width, new_height), borderMode=cv2.BORDER_REPLICATE)
    return rotated, cv2.invertAffineTransform(rotation)


def _with_min_score(rows: np.ndarray, least: float) -> np.ndarray:
    return rows[rows[:, 4] >= least]


def _damp(detected: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Move and resize the expected box towards the detected one."""
    size = detected[2:] ** SIZE_WEIGHT * expected[2:] ** (1 - SIZE_WEIGHT)
    moved = detected[:2] + detected[2:] / 2 - expected[:2] - expected[2:] / 2
    share = min(POSITION_WEIGHT + np.hypot(*moved) / detected[2:].mean(), 1.0)
    return np.concatenate([expected[:2] + expected[2:] / 2 + share * moved - size / 2, size])


def _merge(rows: Sequence[np.ndarray]) -> Faces:
    """Merge detections; confident detections come first, in the given order, then the others by score."""
    detections = np.concatenate([*rows, np.empty((0, 6))])
    detections = detections[np.argsort(-np.minimum(detections[:, 4], CONFIDENT_SCORE), kind="stable")]
    return merge_overlapping(detections[:, :4], detections[:, 4], detections[:, 5])
