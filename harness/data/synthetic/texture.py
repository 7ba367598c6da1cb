"""Texture of the face: skin, brows, eyes, nostrils and mouth (colors in linear light).

The functions draw in place on `canvas`, which is a range of rows of the albedo of B images: a float32 array of shape
(3, B, rows, 112). Its pixels have the face coordinates `u` and `v`, both of shape (B, rows, 112). The size of a pixel
in face units is `pixel`, of shape (B, 1, 1).
"""

from __future__ import annotations

import numpy as np

from harness.data.synthetic.muscles import FaceControls, Scene
from harness.data.synthetic.person import Identity
from harness.data.synthetic.raster import (
    antialiased_coverage,
    blend,
    darken,
    gaussian,
    sample_texture,
    smooth_window,
    smoothstep,
)

TEETH_COLOR = (0.72, 0.68, 0.58)
SCLERA_COLOR = (0.52, 0.49, 0.47)


def skin_albedo(identity: Identity, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the albedo of the skin (3, B, 112, 112): tone, mottling, flushed cheeks and nose."""
    grain = sample_texture(identity.grain, (u + 3) * 43, (v + 3) * 43)
    tone = 1 + identity.mottling * grain
    flush = 0.14 * (gaussian((np.abs(u) - 0.5) / 0.25, (v - 0.42) / 0.2) + gaussian(u / 0.14, (v - 0.48) / 0.12))
    canvas = identity.skin[:, None, None, None] * tone
    canvas[0] *= 1 + 0.4 * flush
    canvas[1] *= 1 - 0.6 * flush
    canvas[2] *= 1 - 0.5 * flush
    return canvas


def draw_brows(
    canvas: np.ndarray, identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls, pixel: np.ndarray
) -> None:
    """Draw the brows; see the docstring of the module for the parameters."""
    across = np.abs(u)
    inner = 0.15 - 0.05 * c.frown
    x = (across - inner) / (identity.eye_distance + identity.eye_width + 0.06 - inner)
    t = np.clip(x, 0, 1)
    arch = identity.brow_arch * np.sin(np.pi * t**1.4)
    line = (
        -identity.brow_height
        + identity.brow_tilt * (2 * t - 1)
        - arch
        + 0.05 * t
        + c.inner_brow * (1 - t) ** 1.5
        + c.outer_brow * smoothstep(1.25 * t) * (1.15 - 0.25 * t)
    )
    half = identity.brow_thickness * (0.95 - 0.65 * t) + 0.012
    ends = smoothstep((x + 0.06) / 0.12) * smoothstep((1.05 - x) / 0.12)
    hairs = np.clip(0.9 + 0.1 * sample_texture(identity.grain, (u + 3) * 60 + v * 25, (v + 3) * 24), 0.7, 1)
    alpha = smoothstep((half - np.abs(v - line)) / (0.022 + pixel) + 0.5) * ends
    blend(canvas, identity.brow_color, np.clip(alpha * identity.brow_density * hairs, 0, 1))


def _draw_iris(
    canvas: np.ndarray, identity: Identity, dx: np.ndarray, dy: np.ndarray, opening: np.ndarray, pixel: np.ndarray
) -> None:
    radius = np.sqrt(dx * dx + dy * dy)
    size = 0.4 * identity.eye_width + 0.002
    blend(canvas, identity.iris * 0.25, opening * antialiased_coverage(size - radius, pixel))
    blend(canvas, identity.iris, opening * antialiased_coverage(size * 0.8 - radius, pixel * 1.5) * 0.9)
    blend(canvas, (0.012, 0.01, 0.01), opening * antialiased_coverage(size * 0.46 - radius, pixel))


def draw_eyes(  # noqa: PLR0913 - canvas, its coordinates, and the parts to draw
    canvas: np.ndarray,
    identity: Identity,
    u: np.ndarray,
    v: np.ndarray,
    c: FaceControls,
    scene: Scene,
    pixel: np.ndarray,
) -> np.ndarray:
    """Draw lids, lashes and eyeballs; return the coverage of the open eyes (B, rows, 112)."""
    side = np.sign(u)
    local = np.abs(u) - identity.eye_distance
    x = local / identity.eye_width
    y = v + identity.eye_tilt * 0.35 * x * identity.eye_width
    arc = np.sqrt(np.maximum(1 - x * x, 0)) * (1 - 0.25 * np.maximum(-x, 0))
    shut = np.maximum(1 - x * x, 0)
    upper = np.where(c.upper_lid > 0, -c.upper_lid * arc, -c.upper_lid * shut)
    lower = c.lower_lid * np.maximum(1 - x * x, 0) ** 0.8
    opening = antialiased_coverage(np.minimum(y - upper, lower - y), pixel) * smoothstep((1 - np.abs(x)) * 8)
    near = smoothstep((1.18 - np.abs(x)) / 0.18)
    crease = upper - 0.055 - 0.02 * identity.lid_crease + 0.02 * c.squint
    darken(canvas, 0.34 * identity.lid_crease * near * gaussian((y - crease) / 0.018))
    darken(canvas, (0.16 + 0.35 * np.minimum(c.squint, 1)) * near * gaussian((y - lower - 0.05) / 0.022))
    ball = np.clip(1 - 0.55 * x * x, 0, 1) * (0.62 + 0.38 * smoothstep((y - upper) / 0.07))
    for channel, white in zip(canvas, SCLERA_COLOR):
        channel += opening * (white * ball - channel)
    gaze_u, gaze_v = (column[:, None, None] for column in scene.gaze.astype(np.float32).T)
    dx, dy = local - side * gaze_u, v - gaze_v + 0.012
    _draw_iris(canvas, identity, dx, dy, opening, pixel)
    blend(canvas, 1.0, opening * 0.9 * gaussian((dx - side * 0.028) / 0.02, (dy + 0.03) / 0.02))
    lash = gaussian((y - upper + 0.004) / (0.016 + 0.006 * identity.lashes)) * near
    blend(canvas, (0.012, 0.01, 0.01), np.clip((0.45 + 0.5 * identity.lashes) * lash, 0, 1))
    blend(canvas, identity.skin * 0.22, np.clip(0.55 * near * gaussian((y - lower - 0.006) / 0.015), 0, 1))
    return opening


def draw_nostrils(canvas: np.ndarray, identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> None:
    """Draw nostrils, wings and the shadow of the nose; see the docstring of the module for the parameters."""
    across, lift = np.abs(u), 0.035 * c.fold
    base = identity.nose_length + 0.055
    hole = gaussian((across - 0.5 * identity.nose_width) / 0.045, (v - base + 0.4 * lift) / 0.024)
    wing = gaussian((across - 1.12 * identity.nose_width) / 0.025, (v - identity.nose_length - 0.01 + lift) / 0.055)
    under = gaussian(u / (0.9 * identity.nose_width), (v - base - 0.03) / 0.03)
    darken(canvas, np.clip(0.8 * hole + (0.28 + 0.25 * c.fold) * wing + 0.22 * under, 0, 0.9))


def _draw_mouth_cavity(  # noqa: PLR0913 - canvas, its coordinates, and the parts to draw
    canvas: np.ndarray,
    v: np.ndarray,
    x: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    rest: np.ndarray,
    pixel: np.ndarray,
) -> None:
    """Draw the dark cavity between the lips, with the upper teeth and the tongue."""
    open_ = antialiased_coverage(np.minimum(v - top, bottom - v), pixel) * smoothstep((bottom - top) / 0.012)
    blend(canvas, (0.035, 0.008, 0.008), open_)
    tongue = open_ * smoothstep((v - bottom + 0.09) / 0.05) * gaussian(x / 0.6) * smoothstep((bottom - top - 0.1) / 0.1)
    blend(canvas, (0.30, 0.06, 0.06), 0.85 * tongue)
    teeth = open_ * smoothstep((rest + 0.028 - v) / 0.014) * smoothstep((0.86 - np.abs(x)) / 0.12)
    for channel, white in zip(canvas, TEETH_COLOR):
        channel += teeth * (white * (1 - 0.5 * x * x) - channel)


def draw_mouth(
    canvas: np.ndarray, identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls, pixel: np.ndarray
) -> np.ndarray:
    """Draw lips, teeth and the line between the lips; return the height of the lips (B, rows, 112) in face units."""
    x = u / c.corner_x
    flat = np.maximum(1 - x * x, 0)
    wing = 1.2 * identity.nose_width
    along = (v - identity.nose_length + 0.04) / (identity.mouth_height + 0.9 * c.corner_y + 0.07 - identity.nose_length)
    line = wing + (c.corner_x + 0.1 - wing) * along
    darken(
        canvas,
        0.15 * np.minimum(c.fold, 1) * gaussian((np.abs(u) - line) / 0.035) * smooth_window(along, 0.0, 1.1, 0.4),
    )
    round_ = np.sqrt(flat)
    rest = identity.mouth_height + c.sag + (c.corner_y + c.skew * np.sign(u)) * np.minimum(np.abs(x), 1.3) ** 1.7
    lift = c.lip_top * (flat * (0.55 + 1.8 * x * x))
    top = rest - c.gap_up * flat - (0.12 + 0.5 * c.part) * lift
    bottom = rest + c.gap_down * round_ * (0.4 + 0.6 * flat) - 0.1 * c.lip_top * flat
    bow = 1 - 0.22 * gaussian(x / 0.14) + 0.1 * gaussian((np.abs(x) - 0.25) / 0.15)
    upper_edge = top - c.upper_lip * flat**0.7 * bow - (0.75 - 0.4 * c.part) * lift
    lower_edge = bottom + c.lower_lip * flat**0.6
    within = smoothstep((1.02 - np.abs(x)) / 0.06)
    lips = antialiased_coverage(np.minimum(v - upper_edge, lower_edge - v), pixel * 1.3) * within
    blend(canvas, identity.lips, lips * 0.95)
    _draw_mouth_cavity(canvas, v, x, top, bottom, rest - 0.5 * lift, pixel)
    seam = gaussian((v - rest) / (0.016 + 0.006 * c.press)) * smoothstep((1.1 - np.abs(x)) / 0.1)
    darken(canvas, np.clip((0.72 + 0.2 * c.press) * seam * (1 - smoothstep((bottom - top) / 0.03)), 0, 1))
    corner = gaussian((np.abs(x) - 1.03) / 0.09, (v - rest) / 0.035)
    darken(canvas, np.clip(corner * (0.3 + 0.35 * c.stretch + 3 * np.maximum(c.corner_y, 0)), 0, 0.75))
    bulge = gaussian((v - upper_edge + 0.035) / 0.03) + gaussian((v - lower_edge - 0.035) / 0.03)
    shadow = gaussian(x / 0.75, (v - lower_edge - 0.045) / 0.03)
    darken(canvas, 0.2 * shadow)
    ridge = gaussian((v - 0.5 * (top + upper_edge)) / 0.05) + 1.2 * gaussian((v - 0.5 * (bottom + lower_edge)) / 0.055)
    return (0.035 * ridge * (1 - 0.8 * c.press) + 0.025 * c.press * bulge) * np.sqrt(within * flat)


def draw_wrinkles(canvas: np.ndarray, darkness: np.ndarray) -> None:
    """Darken the wrinkles; `darkness` (B, rows, 112) is from 0 to 1."""
    darken(canvas, 0.55 * darkness)
