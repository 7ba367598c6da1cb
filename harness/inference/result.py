"""Result of inference on one input: the faces of every frame and the outputs of each run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.tasks import Task


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of one run for the N rows of a `PredictionResult`.

    Attributes
    ----------
    name : str
        Run id, or name of an exported model.
    task : Task
    raw : ndarray of shape (N, C)
        float32 outputs of the model after the activation of the task, NaN where the face was not found.
    smoothed : ndarray of shape (N, C)
        float64 after the filter, NaN where gaps were not filled.
    kernel : str
        Kernel of the filter.
    radius : int
        Radius of the filter in frames.
    thresholds : tuple of float or None
        Thresholds of the action units; None for 0.5.
    label : str
        Description of the model: backbone, features, head and, for an exported model, its file.
    synthetic : tuple of str
        Parts of the run (`backbone`, `head`) that learned from synthetic faces.
    """

    name: str
    task: Task
    raw: np.ndarray
    smoothed: np.ndarray
    kernel: str
    radius: int
    thresholds: tuple[float, ...] | None
    label: str = ""
    synthetic: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PredictionResult:
    """F frames with N faces in them; rows are ordered by frame, then by face.

    Attributes
    ----------
    source : str
        The input as the user named it.
    rate : float or None
        Frames per second, None for images.
    size : tuple of int
        Width and height of the first frame in pixels.
    frames : ndarray of shape (F,)
        int32 frame numbers, ascending; the first frame of the input has number 1.
    seconds : ndarray of shape (F,)
        float64, NaN without time stamps.
    frame : ndarray of shape (N,)
        int32 frame number of each row.
    face : ndarray of shape (N,)
        int32 face number of each row, from 1.
    found : ndarray of shape (N,)
        bool, False where the face was not detected in that frame.
    boxes : ndarray of shape (N, 4)
        float32 x, y, width and height in pixels, repeated or interpolated where not found.
    detection : ndarray of shape (N,)
        float32 score of the detector, NaN where not found.
    outputs : tuple of Outputs
        One for each run.
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
