"""Parts around the face: neck, shoulders, ears, hair, beard and glasses (colors in linear light)."""

from __future__ import annotations

import numpy as np

from harness.data.synthetic.muscles import FaceControls
from harness.data.synthetic.person import Identity
from harness.data.synthetic.projection import FaceView
from harness.data.synthetic.raster import antialiased_coverage, blend, darken, gaussian, sample_texture, smoothstep


def _hair_texture(identity: Identity, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    grain = sample_texture(identity.grain, (u + 3) * 40, (v + 3) * 7 + 10 * np.abs(u))
    return np.clip(0.8 + 0.18 * grain, 0.4, 1.2)


def draw_behind_face(canvas: np.ndarray, identity: Identity, view: FaceView, shade: np.ndarray) -> None:
    """Draw what is behind the face: long hair, the back of the head, neck, shoulders and ears.

    Parameters
    ----------
    canvas : float32 array of shape (3, B, 112, 112)
        Linear light, modified in place.
    identity : Identity
    view : FaceView
    shade : float32 array of shape (B, 1, 1)
        Brightness of each image.
    """
    u, v, pixel = view.flat_u, view.flat_v, view.pixel
    across, width = np.abs(u), identity.half_width
    if identity.hair == "long":
        edge = width + 0.05 + identity.hair_volume + 0.06 * np.sin(5 * v)
        mass = antialiased_coverage(edge - across, 2 * pixel) * smoothstep((v + 1.2) / 0.3)
        blend(canvas, identity.hair_color[:, None, None, None] * _hair_texture(identity, u, v) * 0.7 * shade, mass)
    x, y = (u + 0.16 * view.trig[0]) / (width * 1.01), (v + 0.2) / (-0.2 - identity.top)
    radius = np.sqrt(x * x + y * y)
    dome = np.clip(1.1 - radius * radius, 0.12, 1)
    cap = identity.skin if identity.hair == "bald" else identity.hair_color
    blend(canvas, cap[:, None, None, None] * (shade * np.sqrt(dome)), antialiased_coverage((1 - radius) * width, pixel))
    neck = 0.66 * width + 0.35 * np.square(np.maximum(v - 1.3, 0))
    round_ = np.sqrt(np.clip(1.05 - np.square(across / neck), 0.05, 1))
    tone = identity.skin[:, None, None, None] * (0.62 * shade * round_ * (0.5 + 0.5 * smoothstep((v - 1.2) / 0.5)))
    blend(canvas, tone, antialiased_coverage(neck - across, pixel) * smoothstep((v - 0.6) / 0.1))
    turn = view.trig[0] * np.sign(u)
    ear_u = width * view.trig[1] + 0.02 - 0.12 * turn
    x, y = (across - ear_u) / 0.13, (v - 0.2 - 0.25 * (across - ear_u)) / 0.25
    radius = np.sqrt(x * x + y * y)
    ear = identity.skin[:, None, None, None] * (shade * (0.85 - 0.35 * gaussian((radius - 0.55) / 0.2)))
    blend(canvas, ear, antialiased_coverage((1 - radius) * 0.13, pixel) * smoothstep((0.35 - turn) / 0.2))


def draw_beard(canvas: np.ndarray, identity: Identity, u: np.ndarray, v: np.ndarray, c: FaceControls) -> None:
    """Draw beard and moustache over the skin; the lips must be drawn afterwards.

    Parameters
    ----------
    canvas : float32 array of shape (3, B, rows, 112)
        Albedo, modified in place.
    identity : Identity
    u, v : float32 array of shape (B, rows, 112)
        Face coordinates of the pixels.
    c : FaceControls
    """
    grain = 0.85 + 0.14 * sample_texture(identity.grain, (u + 3) * 55, (v + 3) * 40)
    lip = identity.mouth_height
    if identity.beard > 0:
        line = lip + 0.06 - 0.75 * np.square(np.maximum(np.abs(u) - 0.25, 0))
        alpha = smoothstep((v - line) / 0.16 + 0.5) * grain * identity.beard
        blend(canvas, identity.brow_color, np.clip(alpha, 0, 1))
    if identity.moustache > 0:
        base = lip - 0.09 + 0.06 * (np.abs(u) / 0.3) - 0.5 * c.lip_top
        alpha = gaussian(u / 0.36, (v - base) / 0.07)
        blend(canvas, identity.brow_color, np.clip(1.3 * alpha * grain * identity.moustache, 0, 0.95))


def draw_hair(canvas: np.ndarray, identity: Identity, view: FaceView, shade: np.ndarray) -> np.ndarray:
    """Draw the hair over and around the skull.

    Parameters
    ----------
    canvas : float32 array of shape (3, B, 112, 112)
        Linear light, modified in place.
    identity : Identity
    view : FaceView
    shade : float32 array of shape (B, 112, 112)
        Brightness of each pixel.

    Returns
    -------
    float32 array of shape (B, 112, 112)
        Coverage of the hair.
    """
    u, v = view.u, view.v
    across = np.abs(u)
    side = identity.half_width - 0.13
    drop = {"long": 1.6, "cap": 0.1, "receding": 0.05}.get(identity.hair, 0.15)
    line = identity.hairline + identity.hair_curve * u * u
    if identity.hair == "receding":
        line = line - 0.22 * gaussian((across - 0.45) / 0.2)
    temple = smoothstep((across - side) / 0.12) * smoothstep((drop - v) / 0.25)
    top = smoothstep((line - v) / 0.1 + 0.5)
    skull = antialiased_coverage(1 + 1.7 * identity.hair_volume - view.rho2, 4 * view.pixel)
    alpha = np.maximum(top, temple) * skull
    sheen = _hair_texture(identity, u, v) * (0.75 + 0.5 * gaussian((v - identity.hairline + 0.2) / 0.2))
    blend(canvas, identity.hair_color[:, None, None, None] * (sheen * shade), alpha)
    return alpha


def draw_glasses(canvas: np.ndarray, identity: Identity, view: FaceView) -> None:
    """Draw glasses: rims, bridge, temples and, for dark glasses, tinted lenses.

    Parameters
    ----------
    canvas : float32 array of shape (3, B, 112, 112)
        Linear light, modified in place.
    identity : Identity
    view : FaceView
    """
    u, v, pixel = view.u, view.v, view.pixel
    across = np.abs(u)
    x, y = (across - identity.eye_distance) / 0.3, (v - 0.04) / 0.2
    radius = np.sqrt(np.sqrt(np.square(x * x) + np.square(y * y)))
    inside = (1 - radius) * 0.22
    thick = {"thin": 0.012, "thick": 0.03, "dark": 0.02}[identity.glasses]
    rim = antialiased_coverage(thick - np.abs(inside), pixel)
    bridge = antialiased_coverage(np.minimum(thick - np.abs(v + 0.03), 0.13 - across), pixel)
    arm = antialiased_coverage(np.minimum(thick - np.abs(v + 0.02), across - 0.7), pixel) * antialiased_coverage(
        1 - view.rho2, pixel
    )
    if identity.glasses == "dark":
        blend(canvas, (0.02, 0.02, 0.025), 0.93 * antialiased_coverage(inside, pixel))
    color = (0.25, 0.22, 0.2) if identity.glasses == "thin" else (0.02, 0.02, 0.02)
    blend(canvas, color, np.maximum(np.maximum(rim, bridge), arm))
    darken(canvas, 0.06 * antialiased_coverage(inside, pixel))
    blend(canvas, 0.9, 0.18 * antialiased_coverage(inside, pixel) * gaussian((x + y * np.sign(u) * 0.7 + 0.2) / 0.12))
