"""Synthetic still images: a few images of each of many people, with subject, expression and further labels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import simplejpeg

from harness.data.synthetic.acting import CIRCUMPLEX, LABEL_THRESHOLD, LID_OPENING, Acting, sample_peaks
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
from harness.data.synthetic.video import BATCH_SIZE, STILL_SEED
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS

HEADER = ("image", "expression", "subject", "split", *AFFECTS, *ACTION_UNITS)
VALIDATION_EVERY = 6


@dataclass(frozen=True, eq=False)
class StillActing:
    """Facial behavior in one still image.

    Attributes
    ----------
    expression : str
    acting : Acting
        A single frame.
    """

    expression: str
    acting: Acting


def _sample_still_acting(rng: np.random.Generator, expression: str, expressiveness: float) -> StillActing:
    strength = rng.uniform(0.7, 1.0)
    units, affect, wide = np.zeros(len(ACTION_UNITS)), rng.normal(0, 0.1, 2), 0.0
    if expression != "Neutral":
        units = strength * sample_peaks(rng, expression, max(expressiveness, 0.9))
        affect = affect + strength * np.array(CIRCUMPLEX[expression])
        wide = LID_OPENING.get(expression, 0.0) * strength
    stray = rng.integers(len(ACTION_UNITS))
    units[stray] = max(units[stray], rng.uniform(0, 0.7) * (rng.random() < 0.2))
    talk = rng.random() < 0.08
    for name, share in (("AU25", 0.7), ("AU26", 0.5)):
        unit = ACTION_UNITS.index(name)
        units[unit] = max(units[unit], talk * rng.uniform(0, share))
    blink = 1.0 if rng.random() < 0.05 else max(0.0, rng.normal(0, 0.08))
    acting = Acting(
        np.clip(units, 0, 1)[None],
        np.array([EXPRESSIONS.index(expression)]),
        np.clip(affect, -1, 1)[None],
        np.array([blink]),
        np.array([wide]),
        np.clip(rng.normal(0, 0.5, 1), -1, 1),
        np.clip(rng.normal(0, 0.025, (1, 2)), -0.05, 0.05),
    )
    return StillActing(expression, acting)


def _format_row(name: str, subject: str, split: str, pose: StillActing) -> str:
    units = (pose.acting.action_units[0] > LABEL_THRESHOLD).astype(int)
    affect = ",".join(f"{value:.3f}" for value in pose.acting.affect[0])
    return f"{name},{pose.expression.lower()},{subject},{split},{affect},{','.join(map(str, units))}"


def _concatenate_scenes(scenes: list[Scene]) -> Scene:
    return Scene(*(np.concatenate([getattr(scene, f.name) for scene in scenes]) for f in fields(Scene)))


def subject_identity(seed: int, index: int) -> Identity:
    """Return the appearance of subject `index` of the still images."""
    return sample_identity(np.random.default_rng((seed, STILL_SEED, index, 1)))


def write_subject(root: Path, seed: int, index: int, images: int) -> list[str]:
    """Write the images of one subject to root/images.

    Parameters
    ----------
    root : Path
    seed : int
    index : int
        Number of the subject.
    images : int
        Number of images.

    Returns
    -------
    list of str
        Rows of the image table, see `HEADER`.
    """
    identity = subject_identity(seed, index)
    subject, split = f"s{index:04d}", "validation" if index % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"
    order = np.random.default_rng((seed, STILL_SEED, index, 2)).permutation(len(EXPRESSIONS))
    rows = []
    for start in range(0, images, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, images))
        rngs = [np.random.default_rng((seed, STILL_SEED, index, 3, number)) for number in numbers]
        poses = [
            _sample_still_acting(rng, EXPRESSIONS[order[number % len(order)]], identity.expressiveness)
            for rng, number in zip(rngs, numbers)
        ]
        scene = _concatenate_scenes([sample_scene(rng, pose.acting) for rng, pose in zip(rngs, poses)])
        light = render_faces(identity, scene, np.concatenate([sample_background(rng) for rng in rngs], axis=1))
        for i, (rng, number) in enumerate(zip(rngs, numbers)):
            camera, name = sample_camera_effects(rng), f"{subject}_{number:03d}.jpg"
            image = apply_camera_effects(rng, camera, light[:, i], sample_occluders(rng, 1, camera.occlusion * 3)[0])
            data = simplejpeg.encode_jpeg(image, quality=camera.quality, colorspace="RGB", colorsubsampling="420")
            (root / "images" / name).write_bytes(data)
            rows.append(_format_row(f"images/{name}", subject, split, poses[i]))
    return rows
