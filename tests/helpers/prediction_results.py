"""Synthetic prediction results: faces that move, disappear for some frames and change their expression."""

from __future__ import annotations

import numpy as np

from harness.inference.result import Outputs, PredictionResult
from harness.metrics.tasks import get_task
from harness.smoothing import smooth
from harness.smoothing.gaps import fill_gaps


def a_reading(
    boxes,
    frames=75,
    tasks=("mtl",),
    lost=(),
    size=(640, 360),
    rate=25.0,
    seed=3,
    radius=5,
    missing="filled",
    thresholds=None,
    noise=0.8,
    without=(),
    kernel="mean",
):
    """One face for each of the boxes, in all frames.

    lost: (face, first, last) where a face is not found; without: frame numbers in which there is none at all.
    """
    generator = np.random.default_rng(seed)
    count = len(boxes)
    frame = np.repeat(np.arange(1, frames + 1), count).astype(np.int32)
    face = np.tile(np.arange(1, count + 1), frames).astype(np.int32)
    found = np.ones(len(frame), dtype=bool)
    for one, first, last in lost:
        found[(face == one) & (frame >= first) & (frame <= last)] = False
    sway = 0.04 * np.sin(frame / 15 + face)[:, None] * np.array([1, 0.5, 0, 0])
    held = np.asarray(boxes, dtype=np.float32).reshape(count, 4)[face - 1]
    held = (held + sway * held[:, 2:3]).astype(np.float32)
    detection = np.where(found, generator.uniform(3, 9, len(frame)), np.nan).astype(np.float32)
    outputs = tuple(
        _outputs(generator, name, frame, face, found, kernel, radius, missing, thresholds, noise) for name in tasks
    )
    keep = ~np.isin(frame, without)
    outputs = tuple(
        Outputs(
            one.name, one.task, one.raw[keep], one.smoothed[keep], one.kernel, one.radius, one.thresholds, one.label
        )
        for one in outputs
    )
    numbers = np.arange(1, frames + 1, dtype=np.int32)
    seconds = (numbers - 1) / rate if rate else np.full(frames, np.nan)
    return PredictionResult(
        "talker.mp4",
        rate,
        size,
        numbers,
        seconds,
        frame[keep],
        face[keep],
        found[keep],
        held[keep],
        detection[keep],
        outputs,
    )


def _outputs(generator, name, frame, face, found, kernel, radius, missing, thresholds, noise):
    task = get_task(name)
    phase = frame[:, None] / 20 + 2.1 * face[:, None]
    logits = {
        "va": 0.8 * np.sin(phase + np.array([0, 1.3])),
        "expr": 2.5 * np.cos(phase / 2 - np.arange(8) * 0.8),
        "au": 3 * np.sin(phase + np.arange(12)) - 1,
    }
    made = np.concatenate([logits[output.name] for output in task.outputs], axis=1)
    raw = task.activate(made + noise * generator.normal(size=made.shape)).astype(np.float32)
    smoothed = np.full(raw.shape, np.nan)
    for one in np.unique(face):
        seen = (face == one) & found
        if seen.any():
            dense = smooth(fill_gaps(frame[seen], raw[seen], int(frame.max())), kernel, radius)
            rows = (face == one) & (found | (missing == "filled"))
            smoothed[rows] = dense[frame[rows] - 1]
    raw[~found] = np.nan
    return Outputs(f"{name}-{task.width:04d}", task, raw, smoothed, kernel, radius, thresholds, f"made up for {name}")
