"""Relief of the face as shaped by the action units: dome, brow ridge, eyes, nose, cheeks, folds and wrinkles."""

from __future__ import annotations

import numpy as np

from harness.data.synthetic.muscles import FaceControls
from harness.data.synthetic.person import Identity
from harness.data.synthetic.projection import FaceView
from harness.data.synthetic.raster import gaussian, smooth_window, smoothstep


def _nose_height(identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> np.ndarray:
    across = np.abs(u)
    tip = identity.nose_length
    down = np.clip(v / tip, -0.3, 1.3)
    width = identity.nose_width * (0.5 + 0.22 * np.maximum(down, 0))
    ridge = gaussian(u / width) * smoothstep((v + 0.2) / (tip + 0.12)) * smoothstep((tip + 0.1 - v) / 0.17)
    lift = 0.035 * c.fold
    wing = gaussian((across - 0.82 * identity.nose_width) / 0.055, (v - tip - 0.01 + lift) / 0.06)
    ball = gaussian(u / (0.6 * identity.nose_width), (v - tip + 0.04) / 0.075)
    return identity.nose_height * (0.62 * ridge + 0.33 * ball) + 0.075 * wing


def _eye_height(identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> np.ndarray:
    across = np.abs(u) - identity.eye_distance
    brow = -identity.brow_height + 0.5 * (c.inner_brow + c.outer_brow)
    ridge = 0.055 * gaussian((np.abs(u) - 0.36) / 0.36, (v - brow) / 0.1)
    socket = -0.11 * gaussian((across + 0.03) / 0.26, (v + 0.05) / 0.14)
    ball = 0.075 * gaussian(across / 0.17, v / 0.1)
    pouch = (0.018 * identity.age + 0.03 * c.squint) * gaussian(across / 0.2, (v - 0.16 + 0.03 * c.squint) / 0.035)
    return ridge + socket + ball + pouch


def _cheek_and_chin_height(identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> np.ndarray:
    across = np.abs(u)
    cheek = gaussian((across - 0.53) / 0.25, (v - 0.4 + 0.1 * c.cheek) / 0.17)
    hollow = gaussian((across - 0.62) / 0.18, (v - 0.85) / 0.22)
    mouth = identity.mouth_height + c.jaw * 0.3
    muzzle = gaussian(u / 0.36, (v - mouth) / 0.25)
    chin = identity.chin + c.jaw - 0.17
    point = gaussian(u / 0.17, (v - chin) / 0.11)
    hollow_chin = gaussian(u / 0.2, (v - chin + 0.17) / 0.05)
    return (
        0.05 * identity.cheek * (1 + 1.7 * c.cheek) * cheek
        - 0.035 * identity.cheek * hollow
        + 0.07 * muzzle
        + 0.06 * point
        - 0.035 * hollow_chin
    )


def _nasolabial_height(identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> np.ndarray:
    """Return the height of the nasolabial fold, from the wing of the nose past the corner of the mouth."""
    across = np.abs(u)
    start = identity.nose_length - 0.04
    end = identity.mouth_height + c.sag + 0.9 * c.corner_y + 0.03
    along = (v - start) / (end - start)
    wing = 1.2 * identity.nose_width
    line = wing + (c.corner_x + 0.1 - wing) * np.clip(along, -0.2, 1.6)
    strength = 0.012 + 0.03 * identity.age + 0.065 * c.fold
    side = (across - line) / 0.07
    shape = np.tanh(side) * np.exp(-np.square((across - line - 0.03) / 0.16)) - 0.6 * gaussian(side)
    return 0.55 * strength * shape * smooth_window(along, 0.0, 1.15, 0.5)


def wrinkle_darkness(identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> np.ndarray:
    """Return the darkness (0 to 1, shaped like `u`) of the wrinkles of the forehead, brows and eye corners."""
    across = np.abs(u)
    lift = 0.5 * (c.inner_brow + c.outer_brow)
    wave = np.cos((v - lift * (0.6 + v)) * (2 * np.pi / 0.115) + 0.8 * u * u)
    raised = 0.85 * c.raise_inner * gaussian(u / 0.3) + 0.9 * c.raise_outer * smoothstep((across - 0.1) / 0.4)
    forehead = 0.12 * identity.age + raised
    lines = np.square(np.maximum(wave - 0.35, 0)) * forehead
    lines = lines * smooth_window(v, -0.86, -0.42, 0.22) * smooth_window(across, -1, 0.62, 0.3)
    frown = (0.1 * identity.age + c.frown) * gaussian((across - 0.07 - 0.1 * (v + 0.3)) / 0.02)
    frown = frown * smooth_window(v, -0.42, -0.1, 0.14)
    dx, dy = across - identity.eye_distance - identity.eye_width, v + 0.01
    angle = dy / (np.abs(dx) + 0.06)
    feet = (0.12 * identity.age + c.wrinkle) * np.square(np.maximum(np.cos(6.5 * angle), 0))
    feet = feet * smooth_window(dx, 0.05, 0.24, 0.09) * smooth_window(dy, -0.17, 0.2, 0.1)
    return np.clip(0.75 * lines + 0.8 * frown + 0.55 * feet, 0, 1)


def relief_height(identity: Identity, view: FaceView, c: FaceControls) -> np.ndarray:
    """Compute the relief of B images.

    Parameters
    ----------
    identity : Identity
    view : FaceView
    c : FaceControls

    Returns
    -------
    float32 array of shape (B, 112, 112)
        Height above the plane through the ears, in face units.
    """
    u, v = view.u, view.v
    dome = identity.depth * np.sqrt(np.maximum(1 - view.rho2, 0) + 0.12)
    return (
        dome
        + _nose_height(identity, u, v, c)
        + _eye_height(identity, u, v, c)
        + _cheek_and_chin_height(identity, u, v, c)
        + _nasolabial_height(identity, u, v, c)
    )
