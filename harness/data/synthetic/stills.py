"""Synthetic still images: a few images of each of many people, with subject, expression and further labels."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import simplejpeg

from harness.data.synthetic.acting import Acting
from harness.data.synthetic.camera import (
    apply_camera_effects,
    sample_background,
    sample_camera_effects,
    sample_occluders,
    sample_scene,
)
from harness.data.synthetic.muscles import Scene
from harness.data.synthetic.person import Identity, sample_identity
from harness.data.synthetic.render import render_faces
from harness.data.synthetic.settings import SyntheticStills
from harness.data.synthetic.styles import STILL_STYLES
from harness.data.synthetic.video import BATCH_SIZE, STILL_SEED
from harness.metrics.tasks import ACTION_UNITS, AFFECTS

HEADER = ("image", "expression", "subject", "split", *AFFECTS, *ACTION_UNITS)
VALIDATION_EVERY = 6


def _format_row(name: str, expression: str, subject: str, split: str, acting: Acting) -> str:
    affect = ",".join(f"{value:.3f}" for value in acting.affect[0])
    return f"{name},{expression.lower()},{subject},{split},{affect},{','.join(map(str, acting.labels[0]))}"


def _concatenate_scenes(scenes: list[Scene]) -> Scene:
    return Scene(*(np.concatenate([getattr(scene, f.name) for scene in scenes]) for f in fields(Scene)))


def subject_identity(seed: int, index: int) -> Identity:
    """Return the appearance of subject `index` of the still images."""
    return sample_identity(np.random.default_rng((seed, STILL_SEED, index, 1)))


def write_subject(root: Path, settings: SyntheticStills, index: int) -> list[str]:
    """Write the images of one subject to root/images.

    Parameters
    ----------
    root : Path
    settings : SyntheticStills
    index : int
        Number of the subject.

    Returns
    -------
    list of str
        Rows of the image table, see `HEADER`.
    """
    seed, style = settings.seed, STILL_STYLES[settings.style]
    images = settings.images // settings.identities + (index < settings.images % settings.identities)
    identity = subject_identity(seed, index)
    subject, split = f"s{index:04d}", "validation" if index % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"
    order = np.random.default_rng((seed, STILL_SEED, index, 2)).permutation(len(style.classes))
    rows = []
    for start in range(0, images, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, images))
        rngs = [np.random.default_rng((seed, STILL_SEED, index, 3, number)) for number in numbers]
        expressions = [style.classes[order[number % len(order)]] for number in numbers]
        poses = [style.sample(rng, name, identity.expressiveness) for rng, name in zip(rngs, expressions)]
        scene = _concatenate_scenes([sample_scene(rng, pose, style.conditions) for rng, pose in zip(rngs, poses)])
        light = render_faces(identity, scene, np.concatenate([sample_background(rng) for rng in rngs], axis=1))
        for i, (rng, number) in enumerate(zip(rngs, numbers)):
            camera, name = sample_camera_effects(rng, style.conditions), f"{subject}_{number:03d}.jpg"
            image = apply_camera_effects(rng, camera, light[:, i], sample_occluders(rng, 1, camera.occlusion * 3)[0])
            data = simplejpeg.encode_jpeg(image, quality=camera.quality, colorspace="RGB", colorsubsampling="420")
            (root / "images" / name).write_bytes(data)
            rows.append(_format_row(f"images/{name}", expressions[i], subject, split, poses[i]))
    return rows
