"""Image tables that are quick to learn: a dark mark encodes the subject, a bright bar the expression.

Both are places, as the small networks see contrast to the surroundings and neither colour nor brightness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.image_table import ImageTable
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS

CLASSES = 4


def draw(root: Path, subjects: int = 6, each: int = 16, seed: int = 0, annotated: bool = False) -> ImageTable:
    """Write images and labels.csv: every third subject is a validation subject, expressions are balanced.

    annotated: valence, arousal and action units that follow from the expression are there too, some cells empty;
    then every fourth expression is empty as well.
    """
    random = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    columns = ["image", "expression", "subject", "split", *(("valence", "arousal", *ACTION_UNITS) if annotated else ())]
    lines = [",".join(columns)]
    for subject in range(subjects):
        for number in range(each):
            expression = number % CLASSES
            pixels = random.normal(120, 8, (48, 48, 3))
            pixels[7 * subject : 7 * subject + 6, :10] = 0
            pixels[6 + 10 * expression : 12 + 10 * expression, 14:46] = 255
            name = f"images/s{subject}_{number:02d}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name)
            split = "validation" if subject % 3 == 2 else "train"
            said = "" if annotated and number % 4 == 3 and subject % 2 else EXPRESSIONS[expression].lower()
            more = _annotations(expression, number) if annotated else []
            lines.append(",".join([name, said, f"s{subject}", split, *more]))
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return ImageTable(root)


def _annotations(expression: int, number: int) -> list[str]:
    affect = ["", ""] if number % 5 == 0 else [f"{expression / 3 - 0.5:.3f}", f"{0.5 - expression / 2:.3f}"]
    units = [str(int(unit % CLASSES == expression)) for unit in range(len(ACTION_UNITS))]
    return [*affect, *units[:2], "" if number % 7 == 0 else units[2], *units[3:]]
