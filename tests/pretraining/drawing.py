"""Tables of stills that are quick to learn: the ground's colour is the subject, a bar's place the expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.image_table import ImageTable
from harness.tasks import EXPRESSIONS

CLASSES = 4


def draw(root: Path, subjects: int = 6, each: int = 16, seed: int = 0) -> ImageTable:
    """Write images and labels.csv: every third subject is a validation subject, expressions are balanced."""
    random = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    lines = ["image,expression,subject,split"]
    for subject in range(subjects):
        ground = np.array([40 + 170 * (subject % 2), 40 + 170 * (subject // 2 % 2), 40 + 60 * (subject % 3)])
        for number in range(each):
            expression = number % CLASSES
            pixels = np.broadcast_to(ground, (48, 48, 3)) + random.normal(0, 8, (48, 48, 3))
            pixels[6 + 10 * expression:12 + 10 * expression, 8:40] = 255 - ground
            name = f"images/s{subject}_{number:02d}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name)
            split = "validation" if subject % 3 == 2 else "train"
            lines.append(f"{name},{EXPRESSIONS[expression].lower()},s{subject},{split}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return ImageTable(root)
