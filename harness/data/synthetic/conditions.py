"""Recording conditions of each style: how the face is turned and framed, and how good the image is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordingConditions:
    """Distributions of pose, framing and image quality.

    Attributes
    ----------
    pose : tuple of float
        Standard deviations of yaw, pitch and roll of the head at rest, in radians.
    sway : tuple of float
        Standard deviations of the movements of yaw, pitch and roll during a video, in radians.
    scale : tuple of float
        Mean and standard deviation of pixels per face unit; a face is about 1.9 units wide.
    height : tuple of float
        Mean and standard deviation of the row of the center of the head, in pixels from the top.
    blur : tuple of int
        Numbers of passes of a 1-2-1 blur filter, equally likely.
    noise : tuple of float
        Lowest and highest standard deviation of the noise, relative to white.
    occlusion : tuple of float
        Expected numbers of occluders in 120 frames, equally likely.
    gray : float
        Share of grayscale recordings.
    quality : tuple of int
        Lowest JPEG quality, and the highest plus one.
    """

    pose: tuple[float, float, float]
    sway: tuple[float, float, float]
    scale: tuple[float, float]
    height: tuple[float, float]
    blur: tuple[int, ...]
    noise: tuple[float, float]
    occlusion: tuple[float, ...]
    gray: float
    quality: tuple[int, int]


GENERIC = RecordingConditions(
    pose=(0.17, 0.08, 0.05),
    sway=(0.09, 0.06, 0.04),
    scale=(47, 2.5),
    height=(55, 2.5),
    blur=(0, 0, 0, 0, 1, 1, 2, 3),
    noise=(0.004, 0.038),
    occlusion=(0.0, 0.5, 1.0),
    gray=0.2,
    quality=(68, 96),
)
"""Conditions of the generic style, for both videos and still images."""

PHOTOGRAPH = RecordingConditions(
    pose=(0.1, 0.06, 0.05),
    sway=(0, 0, 0),
    scale=(48, 2),
    height=(55, 2),
    blur=(0, 0, 0, 0, 0, 1, 1, 2),
    noise=(0.004, 0.02),
    occlusion=(0.0,),
    gray=0.1,
    quality=(80, 96),
)
"""Photographs: people face the camera, crops are tight, and images are sharp."""

WEBCAM = RecordingConditions(
    pose=(0.15, 0.08, 0.05),
    sway=(0.07, 0.05, 0.03),
    scale=(42, 2),
    height=(53, 2.5),
    blur=(0, 0, 0, 1, 1, 1, 2, 2),
    noise=(0.006, 0.03),
    occlusion=(0.0, 0.25, 0.5),
    gray=0.05,
    quality=(60, 92),
)
"""Videos of people who talk to a webcam: heads move, faces are an eighth smaller than in photographs, and images are
softer."""
