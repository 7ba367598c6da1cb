"""Renderer of batches of images of one person: projection, relief, texture, lighting and composition."""

from __future__ import annotations

import numpy as np

from harness.data.synthetic import accessories, texture
from harness.data.synthetic.muscles import FaceControls, Scene, compute_controls
from harness.data.synthetic.person import Identity
from harness.data.synthetic.projection import FaceView, project_face
from harness.data.synthetic.raster import antialiased_coverage, blend
from harness.data.synthetic.relief import relief_height, wrinkle_darkness


def _rows_between(view: FaceView, low: float, high: float) -> slice:
    """Return the range of image rows in which any image shows the face between v = `low` and v = `high`."""
    hit = np.flatnonzero(((view.v > low) & (view.v < high) & (view.rho2 < 1.1)).any(axis=(0, 2)))
    return slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0)


def _surface_normals(depth: np.ndarray, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slope_x, slope_y = np.zeros_like(depth), np.zeros_like(depth)
    half = 0.5 / pixel
    slope_x[:, :, 1:-1] = (depth[:, :, 2:] - depth[:, :, :-2]) * half
    slope_y[:, 1:-1] = (depth[:, 2:] - depth[:, :-2]) * half
    slope_x[:, :, 0], slope_x[:, :, -1] = slope_x[:, :, 1], slope_x[:, :, -2]
    slope_y[:, 0], slope_y[:, -1] = slope_y[:, 1], slope_y[:, -2]
    length = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    return -slope_x * length, -slope_y * length, length


def _compute_lighting(
    identity: Identity, scene: Scene, depth: np.ndarray, pixel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the diffuse and the specular light on the reliefs of B images, each of shape (B, 112, 112)."""
    nx, ny, nz = _surface_normals(depth, pixel)
    lx, ly, lz = (column[:, None, None] for column in scene.light.astype(np.float32).T)
    ambient = scene.ambient.astype(np.float32)[:, None, None]
    facing = nx * lx + ny * ly + nz * lz
    wrapped = np.maximum((facing + 0.15) / 1.15, 0)
    sky = ambient * (0.8 - 0.2 * ny) * (0.55 + 0.45 * nz)
    hx, hy, hz = lx, ly, lz + 1
    norm = np.sqrt(hx * hx + hy * hy + hz * hz)
    shine = np.maximum((nx * hx + ny * hy + nz * hz) / norm, 0)
    for _ in range(4):
        shine = shine * shine
    return sky + (1.3 - ambient) * wrapped, identity.gloss * 0.35 * (1 - ambient) * shine


def _paint_face(
    identity: Identity, scene: Scene, view: FaceView, c: FaceControls
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the albedo of B images (3, B, 112, 112), and their relief height and eye coverage, both (B, 112, 112)."""
    height = relief_height(identity, view, c)
    albedo = texture.skin_albedo(identity, view.u, view.v)
    eyes = np.zeros_like(height)
    for low, high, draw in (
        (-0.95, 0.35, "upper"),
        (identity.nose_length - 0.12, identity.nose_length + 0.2, "nose"),
        (identity.mouth_height - 0.32, 3.0, "mouth"),
    ):
        rows = _rows_between(view, low, high)
        if rows.stop == rows.start:
            continue
        part, u, v = albedo[:, :, rows], view.u[:, rows], view.v[:, rows]
        if draw == "upper":
            texture.draw_wrinkles(part, wrinkle_darkness(identity, u, v, c))
            eyes[:, rows] = texture.draw_eyes(part, identity, u, v, c, scene, view.pixel)
            texture.draw_brows(part, identity, u, v, c, view.pixel)
        elif draw == "nose":
            texture.draw_nostrils(part, identity, u, v, c)
        else:
            accessories.draw_beard(part, identity, u, v, c)
            height[:, rows] += texture.draw_mouth(part, identity, u, v, c, view.pixel)
    return albedo, height, eyes


def render_faces(identity: Identity, scene: Scene, background: np.ndarray) -> np.ndarray:
    """Render B images of a person.

    Parameters
    ----------
    identity : Identity
    scene : Scene
        Expression, pose, framing and light of each image.
    background : array of shape (3, B or 1, 112, 112)
        Linear light.

    Returns
    -------
    float32 array of shape (3, B, 112, 112)
        Linear light.
    """
    c = compute_controls(identity, scene)
    view = project_face(identity, scene, c)
    albedo, height, eyes = _paint_face(identity, scene, view, c)
    diffuse, shine = _compute_lighting(identity, scene, view.depth(height), view.pixel)
    mean_light = diffuse.mean(axis=(1, 2), keepdims=True)
    flat = np.clip(mean_light, 0.25, 1.2)
    diffuse += eyes * 0.55 * (flat - diffuse)
    albedo *= diffuse
    albedo += shine * (1 - 0.7 * eyes)
    canvas = np.repeat(background, len(scene) // background.shape[1], axis=1).astype(np.float32)
    accessories.draw_behind_face(canvas, identity, view, flat)
    blend(canvas, albedo, antialiased_coverage(0.5 * identity.half_width * (1 - view.rho2), view.pixel))
    if identity.hair != "bald":
        accessories.draw_hair(canvas, identity, view, 0.4 * flat + 0.6 * diffuse)
    if identity.glasses != "none":
        accessories.draw_glasses(canvas, identity, view)
    canvas *= scene.tint.astype(np.float32).T[:, :, None, None]
    return canvas
