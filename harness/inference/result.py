"""What was read of one input: every face of every frame, and what each run says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.tasks import Task


@dataclass(frozen=True, eq=False)
class Outputs:
    """One run's outputs of the N rows of a `PredictionResult`.

    name: the run's id, or what stands for it; raw: float32 [N, C] in the task's space, NaN where the face was not
    found; smoothed: float64 [N, C] after the filter, NaN where nothing was filled in; kernel, radius: of the filter;
    thresholds: of the action units, None where 0.5 is kept; label: run, backbone, features and head in words.
    """

    name: str
    task: Task
    raw: np.ndarray
    smoothed: np.ndarray
    kernel: str
    radius: int
    thresholds: tuple[float, ...] | None
    label: str = ""


@dataclass(frozen=True, eq=False)
class PredictionResult:
    """F frames with N faces in them, rows by frame, then by face.

    source: the input as it was named; rate: frames a second, None for pictures; size: (width, height) of the first
    frame in pixels; frames: int32 [F] frame numbers, ascending from 1; seconds: float64 [F], NaN where there is no
    time.
    frame: int32 [N]; face: int32 [N] ids from 1; found: bool [N], False where the face was not seen in that frame;
    boxes: float32 [N, 4] x, y, width and height in pixels, held or interpolated where not found; detection: float32
    [N], the detector's score, NaN where not found.
    """

    source: str
    rate: float | None
    size: tuple[int, int]
    frames: np.ndarray
    seconds: np.ndarray
    frame: np.ndarray
    face: np.ndarray
    found: np.ndarray
    boxes: np.ndarray
    detection: np.ndarray
    outputs: tuple[Outputs, ...]
