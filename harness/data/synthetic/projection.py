"""Inverse projection: for every pixel, the visible point (u, v) of the surface of the face.

The surface is a height field over the face plane, and the rotated head is projected orthographically. The inverse is
computed by fixed-point iteration on a coarse grid, then interpolated to all pixels by cubic splines. For a smooth
surface this is fast and accurate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.synthetic.muscles import FaceControls, Scene
from harness.data.synthetic.person import Identity
from harness.data.synthetic.raster import spline_matrix

IMAGE_SIZE = 112
GRID_SIZE = 38
VERTICAL_CENTER = 0.25
CHEEKBONE_HEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class FaceView:
    """Face coordinates of the pixels of B images.

    Attributes
    ----------
    u, v : float32 array of shape (B, 112, 112)
        Point of the face that is visible in each pixel, in face units.
    rho2 : float32 array of shape (B, 112, 112)
        Distance from the center of the head, see `outline_distance`: 1 on the outline.
    flat_u, flat_v : float32 array of shape (B, 112, 112)
        Coordinates of the pixels in a plane parallel to the image, in which neck, ears and shoulders are drawn.
    pixel : float32 array of shape (B, 1, 1)
        Face units per pixel.
    trig : tuple of array
        Sine and cosine of yaw and pitch, each of shape (B, 1, 1).
    """

    u: np.ndarray
    v: np.ndarray
    rho2: np.ndarray
    flat_u: np.ndarray
    flat_v: np.ndarray
    pixel: np.ndarray
    trig: tuple[np.ndarray, ...]

    def depth(self, height: np.ndarray) -> np.ndarray:
        """Convert height over the face plane to depth towards the camera, both (B, 112, 112) in face units."""
        sin_yaw, cos_yaw, sin_pitch, cos_pitch = self.trig
        return cos_pitch * (cos_yaw * height - sin_yaw * self.u) - sin_pitch * (self.v - VERTICAL_CENTER)


def outline_distance(identity: Identity, u: np.ndarray, v: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """Return the superelliptic distance of (u, v) from the center of the head: below 1 inside, 1 on the outline."""
    down = (v - CHEEKBONE_HEIGHT) / (identity.chin + jaw - CHEEKBONE_HEIGHT)
    low = np.maximum(down, 0)
    up = (v - CHEEKBONE_HEIGHT) / (identity.top - CHEEKBONE_HEIGHT)
    width = identity.half_width * (1 - identity.taper * np.minimum(low, 1.2) ** 1.5)
    across = np.abs(u) / width
    power = np.float32(identity.squareness)
    return across**power + np.where(v > CHEEKBONE_HEIGHT, low**power, np.maximum(up, 0) ** 2.2)


def _coarse_height(identity: Identity, u: np.ndarray, v: np.ndarray, rho2: np.ndarray) -> np.ndarray:
    """Return the approximate height of the face, by which a turned head is projected: a shallow dome and the nose."""
    tip = identity.nose_length - 0.06
    nose = np.exp(-np.square(u / 0.13) - np.square((v - tip) / 0.2))
    return identity.depth * (1 - 0.62 * np.minimum(rho2, 1.7)) + 0.85 * identity.nose_height * nose


def _sines_and_cosines(pose: np.ndarray) -> tuple[np.ndarray, ...]:
    yaw, pitch, roll = (angle[:, None, None] for angle in pose.astype(np.float32).T)
    return np.sin(yaw), np.cos(yaw), np.sin(pitch), np.cos(pitch), np.sin(roll), np.cos(roll)


def project_face(identity: Identity, scene: Scene, controls: FaceControls) -> FaceView:
    """Compute the face coordinates of all pixels.

    Parameters
    ----------
    identity : Identity
    scene : Scene
    controls : FaceControls

    Returns
    -------
    FaceView
    """
    sin_yaw, cos_yaw, sin_pitch, cos_pitch, sin_roll, cos_roll = _sines_and_cosines(scene.pose)
    scale, x0, y0 = (column[:, None, None] for column in scene.frame.astype(np.float32).T)
    grid = np.linspace(0, IMAGE_SIZE - 1, GRID_SIZE, dtype=np.float32)
    x, y = (grid[None, None, :] - x0) / scale, (grid[None, :, None] - y0) / scale
    a, b = cos_roll * x + sin_roll * y, cos_roll * y - sin_roll * x
    u, v = a / cos_yaw, b / cos_pitch + VERTICAL_CENTER
    for _ in range(9):
        height = _coarse_height(identity, u, v, outline_distance(identity, u, v, controls.jaw))
        u = 0.35 * u + 0.65 * (a - sin_yaw * height) / cos_yaw
        v = 0.35 * v + 0.65 * ((b - sin_pitch * (cos_yaw * height - sin_yaw * u)) / cos_pitch + VERTICAL_CENTER)
    spline = spline_matrix(GRID_SIZE, IMAGE_SIZE)
    coarse = (u, v, outline_distance(identity, u, v, controls.jaw), a, b + VERTICAL_CENTER)
    u, v, rho2, flat_u, flat_v = (spline @ field @ spline.T for field in coarse)
    return FaceView(u, v, rho2, flat_u, flat_v, 1 / scale, (sin_yaw, cos_yaw, sin_pitch, cos_pitch))
