"""Conversion of action units to the positions of brows, lids, cheeks, lips and jaw.

The anatomy follows the Facial Action Coding System (Ekman and Friesen).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from harness.data.synthetic.person import Identity
from harness.metrics.tasks import ACTION_UNITS


@dataclass(frozen=True, eq=False)
class Scene:
    """Properties of B images of one person that vary between images.

    Attributes
    ----------
    action_units : array of shape (B, 12)
        Intensities from 0 to 1.
    blink : array of shape (B,)
        Closure of the lids, from 0 (open) to 1 (closed).
    wide : array of shape (B,)
        Widening of the lids, from 0 to 1.
    gaze : array of shape (B, 2)
        Offset of the pupils in face units.
    asymmetry : array of shape (B,)
        Asymmetry of the expression, from -1 to 1; up to `prototypes.ONE_SIDED` in contempt.
    pose : array of shape (B, 3)
        Yaw, pitch and roll in radians.
    frame : array of shape (B, 3)
        Pixels per face unit, and the pixel (x, y) of the center of the head.
    light : array of shape (B, 3)
        Unit vector towards the light source (x right, y down, z towards the camera).
    ambient : array of shape (B,)
        Share of undirected light.
    tint : array of shape (B, 3)
        Gain of each color channel.
    """

    action_units: np.ndarray
    blink: np.ndarray
    wide: np.ndarray
    gaze: np.ndarray
    asymmetry: np.ndarray
    pose: np.ndarray
    frame: np.ndarray
    light: np.ndarray
    ambient: np.ndarray
    tint: np.ndarray

    def __len__(self) -> int:
        return len(self.blink)

    def take(self, rows: slice | np.ndarray) -> Scene:
        """Select images."""
        return Scene(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class FaceControls:
    """Positions of the moving parts of the face in B images.

    Every field is a float32 array of shape (B, 1, 1), which broadcasts over pixels. Lengths are in face units; v points
    down. Each field of brows, lids and lips is an offset from the person's rest position, or replaces it.
    """

    inner_brow: np.ndarray
    outer_brow: np.ndarray
    frown: np.ndarray
    raise_inner: np.ndarray
    raise_outer: np.ndarray
    upper_lid: np.ndarray
    lower_lid: np.ndarray
    squint: np.ndarray
    cheek: np.ndarray
    wrinkle: np.ndarray
    fold: np.ndarray
    corner_x: np.ndarray
    corner_y: np.ndarray
    skew: np.ndarray
    sag: np.ndarray
    lip_top: np.ndarray
    part: np.ndarray
    gap_up: np.ndarray
    gap_down: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    press: np.ndarray
    stretch: np.ndarray
    jaw: np.ndarray


def _lid_controls(identity: Identity, au: dict[str, np.ndarray], scene: Scene) -> dict[str, np.ndarray]:
    blink, wide = (column.astype(np.float32)[:, None, None] for column in (scene.blink, scene.wide))
    rest = identity.eye_opening
    lower = rest * (0.75 - 0.42 * au["AU7"] - 0.34 * au["AU6"])
    upper = rest * (1.0 + 0.6 * wide + 0.10 * au["AU1"] - 0.36 * au["AU7"] - 0.16 * au["AU4"] - 0.14 * au["AU6"])
    upper = np.maximum(upper, 0.25 * rest)
    return {
        "upper_lid": upper * (1 - blink) - lower * blink,
        "lower_lid": lower,
        "squint": np.minimum(0.75 * au["AU7"] + 0.6 * au["AU6"], 1.2),
    }


def _lip_controls(identity: Identity, au: dict[str, np.ndarray], skew: np.ndarray) -> dict[str, np.ndarray]:
    thin = (1 - 0.72 * au["AU24"]) * (1 - 0.34 * au["AU23"])
    smile = 1 - 0.22 * au["AU12"]
    part = au["AU25"]
    drop = au["AU26"] * part
    narrow = (1 - 0.3 * au["AU23"]) * (1 - 0.10 * au["AU24"]) * (1 - 0.10 * au["AU26"])
    return {
        "corner_x": identity.mouth_width * (1 + 0.34 * au["AU12"] + 0.06 * au["AU15"]) * narrow,
        "corner_y": identity.corner_rest - 0.18 * au["AU12"] + 0.15 * au["AU15"] + 0.05 * drop,
        "skew": 0.03 * skew * (au["AU12"] + au["AU15"] + 0.5 * au["AU10"]),
        "sag": 0.06 * au["AU26"] * (1 - 0.6 * part),
        "lip_top": 0.11 * au["AU10"],
        "part": part,
        "gap_up": 0.035 * part + 0.045 * part * au["AU10"] + 0.015 * part * au["AU12"],
        "gap_down": 0.065 * part + 0.23 * drop,
        "upper_lip": identity.upper_lip * thin * smile * (1 - 0.2 * au["AU10"]),
        "lower_lip": identity.lower_lip * thin * smile,
        "press": np.maximum(au["AU24"], 0.55 * au["AU23"]),
        "stretch": au["AU12"],
        "jaw": 0.21 * au["AU26"],
    }


def compute_controls(identity: Identity, scene: Scene) -> FaceControls:
    """Compute the positions of the moving parts in the images of a person.

    Parameters
    ----------
    identity : Identity
    scene : Scene

    Returns
    -------
    FaceControls
    """
    columns = scene.action_units.astype(np.float32)
    au = {name: columns[:, i, None, None] for i, name in enumerate(ACTION_UNITS)}
    skew = scene.asymmetry.astype(np.float32)[:, None, None]
    values = {
        "inner_brow": -0.16 * au["AU1"] - 0.015 * au["AU2"] + 0.1 * au["AU4"],
        "outer_brow": -0.02 * au["AU1"] - 0.15 * au["AU2"] + 0.06 * au["AU4"] + 0.008 * au["AU6"],
        "frown": au["AU4"],
        "raise_inner": au["AU1"],
        "raise_outer": au["AU2"],
        "cheek": np.minimum(au["AU6"] + 0.35 * au["AU12"], 1.2),
        "wrinkle": au["AU6"],
        "fold": np.minimum(0.9 * au["AU10"] + 0.75 * au["AU12"] + 0.2 * au["AU6"], 1.3),
        **_lid_controls(identity, au, scene),
        **_lip_controls(identity, au, skew),
    }
    return FaceControls(**{name: np.asarray(value, np.float32) for name, value in values.items()})
