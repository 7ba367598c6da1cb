"""Format of submission files: names, valid values, and conversion of decoded predictions to text.

Decoded predictions have the format of the targets of `harness.data.dataset.Labels`: `va` float32 [N, 2], `expr` int64
[N], `au` int8 [N, 12]. A submission has a prediction for every frame, so marks for missing labels are not valid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from harness.data.annotation_formats import FORMATS, Rule
from harness.metrics.tasks import EXPRESSIONS, Task
from harness.utils.names import bounded_name, canonical_name

MTL_FILE = "MTL_predictions.txt"
FRAMES_FILE = "predictions.txt"
NOTE = "submission.json"
"""Provenance of a submission, stored next to its files; it is not submitted."""
MTL_HEADER = "image,valence,arousal,expression,aus"
IMAGE_COLUMN = "image_location"

_CLASSES = f"a class from 0 to {len(EXPRESSIONS) - 1}"
_RULES = {
    "va": Rule(float, lambda v: (v >= -1) & (v <= 1), "a number from -1 to 1"),
    "expr": Rule(int, lambda v: (v >= 0) & (v < len(EXPRESSIONS)), _CLASSES, strict=True),
    "au": Rule(int, lambda v: (v >= 0) & (v <= 1), "0 or 1", strict=True),
}
PREDICTED = {task: dataclasses.replace(layout, rule=_RULES[task]) for task, layout in FORMATS.items()}
"""Annotation formats with the valid values of predictions."""


def video_file(video: str) -> str:
    """Return the file name of a video in composed Unicode (NFC); the end of a very long name becomes a hash."""
    return bounded_name(canonical_name(video), suffix=".txt")


def video_text(task: str, decoded: Mapping[str, np.ndarray]) -> str:
    """Format the file of one video: the header of annotations, then a line for each frame."""
    return _text(",".join(PREDICTED[task].header), _cells(task, decoded[task]))


def image_text(task: Task, header: str, images: np.ndarray, decoded: Mapping[str, np.ndarray]) -> str:
    """Format one file of all videos: `header`, then the name and the predictions of each of the N images."""
    lines = np.asarray(images, dtype=object)
    for output in task.outputs:
        lines = lines + "," + _cells(output.name, decoded[output.name])
    return _text(header, lines)


def image_header(task: str) -> str:
    """Make the default header of the file of all videos."""
    return MTL_HEADER if task == "mtl" else ",".join((IMAGE_COLUMN, *PREDICTED[task].header))


def _text(header: str, lines: np.ndarray) -> str:
    return "\n".join([header, *lines.tolist()]) + "\n"


def _cells(output: str, values: np.ndarray) -> np.ndarray:
    """Format values as an object array [N] of comma-separated text; nine digits represent float32 exactly."""
    if output == "va":
        columns = [np.char.mod("%.9g", column + 0.0).astype(object) for column in values.T]  # 0 instead of -0
        return columns[0] + "," + columns[1]
    if output == "expr":
        return np.array([str(i) for i in range(len(EXPRESSIONS))], dtype=object)[values]
    _, first, row = np.unique(values @ (1 << np.arange(values.shape[1])), return_index=True, return_inverse=True)
    return np.array([",".join(map(str, pattern)) for pattern in values[first].tolist()], dtype=object)[row]
