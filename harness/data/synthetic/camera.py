"""Simulated recording conditions: pose, crop, light, background, occlusion, blur, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.synthetic.acting import Acting, smooth_noise
from harness.data.synthetic.conditions import GENERIC, RecordingConditions
from harness.data.synthetic.muscles import Scene
from harness.data.synthetic.projection import IMAGE_SIZE
from harness.data.synthetic.raster import spline_matrix


@dataclass(frozen=True)
class CameraEffects:
    """Camera properties that are constant over a video.

    Attributes
    ----------
    soft : int
        Number of passes of a 1-2-1 blur filter.
    noise : float
        Standard deviation of the noise, relative to white.
    motion : float
        Probability of motion blur in a frame.
    occlusion : float
        Expected number of occluders in 120 frames.
    gray : bool
        Whether images are grayscale.
    quality : int
        JPEG quality.
    """

    soft: int
    noise: float
    motion: float
    occlusion: float
    gray: bool
    quality: int


def sample_camera_effects(rng: np.random.Generator, conditions: RecordingConditions = GENERIC) -> CameraEffects:
    """Sample the camera properties of a video."""
    return CameraEffects(
        int(rng.choice(conditions.blur)),
        float(rng.uniform(*conditions.noise)),
        float(rng.choice([0.02, 0.06, 0.12])),
        float(rng.choice(conditions.occlusion)),
        bool(rng.random() < conditions.gray),
        int(rng.integers(*conditions.quality)),
    )


def sample_background(rng: np.random.Generator) -> np.ndarray:
    """Sample a background: a wall with a brightness gradient; nearly half of the walls also have blurred clutter.

    Returns
    -------
    float32 array of shape (3, 1, 112, 112)
        Linear light.
    """
    color = rng.uniform(0.02, 0.95, 3) ** 1.5 if rng.random() < 0.5 else np.full(3, rng.uniform(0.03, 0.95) ** 1.5)
    slope = rng.normal(0, 0.25, 2)
    y, x = np.mgrid[-1 : 1 : IMAGE_SIZE * 1j, -1 : 1 : IMAGE_SIZE * 1j]
    wall = color[:, None, None] * np.clip(1 + slope[0] * x + slope[1] * y, 0.1, 2)
    if rng.random() < 0.45:
        nodes = rng.integers(4, 26, 2)
        clutter = rng.standard_normal((1, *nodes)) + rng.uniform(0, 0.6) * rng.standard_normal((3, *nodes))
        clutter = spline_matrix(int(nodes[0]), IMAGE_SIZE) @ clutter @ spline_matrix(int(nodes[1]), IMAGE_SIZE).T
        wall = wall * np.exp(rng.uniform(0.2, 0.8) * clutter)
    return np.clip(wall, 0, 1.2).astype(np.float32)[:, None]


def _sample_light_directions(rng: np.random.Generator, drift: np.ndarray) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    tilt = rng.uniform(0.05, 0.95)
    across = np.sin(tilt) * np.cos(angle) + 0.12 * drift[:, 0]
    down = -0.3 + 0.6 * np.sin(tilt) * np.sin(angle) + 0.12 * drift[:, 1]
    light = np.stack([across, down, np.full_like(across, max(np.cos(tilt), 0.35))], axis=1)
    return light / np.linalg.norm(light, axis=1, keepdims=True)


def _sample_crop_frames(
    rng: np.random.Generator, pose: np.ndarray, drift: np.ndarray, conditions: RecordingConditions
) -> np.ndarray:
    """Sample scale and position of the crops, which follow the head and jitter like the boxes of a face detector."""
    count = len(pose)
    scale = rng.normal(*conditions.scale) * (1 + 0.02 * drift[:, 0] + rng.normal(0, 0.018, count))
    x = IMAGE_SIZE / 2 - 0.5 * scale * np.sin(pose[:, 0]) * 0.85 + rng.normal(0, 2.0) + 1.5 * drift[:, 1]
    y = rng.normal(*conditions.height) - 0.8 * scale * np.sin(pose[:, 1]) * 0.85 + 1.5 * drift[:, 2]
    return np.stack([scale, x + rng.normal(0, 1.1, count), y + rng.normal(0, 1.1, count)], axis=1)


def sample_scene(rng: np.random.Generator, acting: Acting, conditions: RecordingConditions = GENERIC) -> Scene:
    """Sample pose, framing and light of the frames of a video.

    Parameters
    ----------
    rng : numpy.random.Generator
    acting : Acting
        Facial behavior, included in the scene.
    conditions : RecordingConditions

    Returns
    -------
    Scene
    """
    count = len(acting.blink)
    rest = np.clip(rng.normal(0, conditions.pose), [-0.4, -0.22, -0.2], [0.4, 0.22, 0.2])
    pose = rest + smooth_noise(rng, count, 22, 3) * conditions.sway + rng.normal(0, 0.012, (count, 3))
    pose = np.clip(pose, [-0.55, -0.35, -0.35], [0.55, 0.35, 0.35])
    flicker = rng.choice([0.01, 0.04, 0.1])
    gain = np.exp(rng.normal(0.08, 0.22) + 0.06 * smooth_noise(rng, count, 30)[:, 0] + rng.normal(0, flicker, count))
    tint = gain[:, None] * np.exp(rng.normal(0, [0.07, 0.02, 0.09]))
    return Scene(
        acting.action_units,
        acting.blink,
        acting.wide,
        acting.gaze,
        acting.asymmetry,
        pose,
        _sample_crop_frames(rng, pose, smooth_noise(rng, count, 15, 3), conditions),
        _sample_light_directions(rng, smooth_noise(rng, count, 40, 2)),
        np.full(count, rng.uniform(0.25, 0.65)),
        tint,
    )


def _blur(image: np.ndarray, passes: int) -> np.ndarray:
    for _ in range(passes):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
        rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        image = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    return image


def _motion_blur(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    reach, angle = rng.uniform(2, 6), rng.uniform(0, np.pi)
    steps = np.linspace(-reach / 2, reach / 2, 7)
    shifts = {(round(s * np.sin(angle)), round(s * np.cos(angle))) for s in steps}
    padded = np.pad(image, ((0, 0), (4, 4), (4, 4)), mode="edge")
    shifted = (padded[:, 4 + dy : 4 + dy + IMAGE_SIZE, 4 + dx : 4 + dx + IMAGE_SIZE] for dy, dx in sorted(shifts))
    return np.asarray(sum(shifted) / len(shifts))


def sample_occluders(rng: np.random.Generator, count: int, rate: float) -> np.ndarray:
    """Sample elliptical occluders in front of the face.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        Number of frames.
    rate : float
        Expected number of occluders in 120 frames.

    Returns
    -------
    float32 array of shape (count, 7)
        Center x, y and radii in pixels, and color in linear light; 0 without an occluder.
    """
    occluders = np.zeros((count, 7), np.float32)
    for _ in range(rng.poisson(rate * count / 120)):
        start, length = rng.integers(count), rng.integers(3, 14)
        t = np.arange(count) - start
        here = (t >= 0) & (t < length)
        path = rng.uniform(15, 97, 2) + t[here, None] * rng.normal(0, 1.2, 2)
        occluders[here] = np.concatenate(
            [path, np.tile(rng.uniform(10, 26, 2), (len(path), 1)), np.tile(rng.uniform(0.02, 0.6, 3), (len(path), 1))],
            axis=1,
        )
    return occluders


def _draw_occluder(image: np.ndarray, occluder: np.ndarray) -> None:
    y, x = np.ogrid[:IMAGE_SIZE, :IMAGE_SIZE]
    radius = np.sqrt(((x - occluder[0]) / occluder[2]) ** 2 + ((y - occluder[1]) / occluder[3]) ** 2)
    alpha = np.clip((1 - radius) * occluder[2:4].min() / 1.5 + 0.5, 0, 1)
    for channel, color in zip(image, occluder[4:]):
        channel += alpha * (color - channel)


def apply_camera_effects(
    rng: np.random.Generator, camera: CameraEffects, light: np.ndarray, occluder: np.ndarray
) -> np.ndarray:
    """Convert a rendered image to the image that the camera records.

    Parameters
    ----------
    rng : numpy.random.Generator
    camera : CameraEffects
    light : float32 array of shape (3, 112, 112)
        Linear light, modified in place.
    occluder : float32 array of shape (7,)
        Row of `sample_occluders`.

    Returns
    -------
    uint8 array of shape (112, 112, 3)
    """
    if occluder[2] > 0:
        _draw_occluder(light, occluder)
    image = np.sqrt(np.clip(light, 0, 1))
    image = _blur(image, camera.soft)
    if rng.random() < camera.motion:
        image = _motion_blur(rng, image)
    grain = rng.standard_normal((3, IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)
    image = image + camera.noise * grain
    if camera.gray:
        image = np.broadcast_to(0.3 * image[:1] + 0.59 * image[1:2] + 0.11 * image[2:], image.shape)
    return np.ascontiguousarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
