"""Kept or fresh predictions at the rows of a submission, filled and smoothed as the run's own scores were."""

from __future__ import annotations

import numpy as np

from harness.jobs.predictions import Predictions
from harness.metrics.tasks import Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import MAX_RADIUS, Filter, smooth
from harness.submission.rows import Rows
from harness.utils.errors import InputError


def outputs_at(rows: Rows, predictions: Predictions, chosen: Filter) -> np.ndarray:
    """float64 [N, C] outputs of the rows.

    Each video is made dense from frame 1 to its last crop and smoothed; what comes after has the last crop's smoothed
    output. A video without a crop has the mean output of all crops. InputError where no video has a crop.
    """
    if not len(predictions.frames):
        raise InputError("none of the videos has a crop, so there is nothing to predict from")
    held = dict(zip(predictions.sequences, predictions.slices(np.arange(len(predictions.sequences)))))
    outputs = np.empty((len(rows), predictions.outputs.shape[1]))
    order = np.argsort(rows.index, kind="stable")
    bounds = np.searchsorted(rows.index[order], np.arange(len(rows.videos) + 1))
    for i, name in enumerate(rows.videos):
        own, crops = order[bounds[i]:bounds[i + 1]], held[name]
        if crops.start == crops.stop:
            outputs[own] = predictions.outputs.mean(axis=0, dtype=np.float64)
        else:
            dense = _smoothed(predictions, crops, int(rows.last[i]), chosen)
            outputs[own] = dense[np.minimum(rows.frame[own], len(dense)) - 1]
    return outputs


def decoded(task: Task, outputs: np.ndarray, chosen: Filter) -> dict[str, np.ndarray]:
    """Outputs [N, C] as they are written: `va` float32 [N, 2], `expr` int64 [N] (argmax), `au` int8 [N, 12]."""
    found = task.decode(outputs, 0.5 if chosen.thresholds is None else np.array(chosen.thresholds))
    return found | ({"va": found["va"].astype(np.float32)} if "va" in found else {})


def _smoothed(predictions: Predictions, crops: slice, last: int, chosen: Filter) -> np.ndarray:
    """[T, C] to the last crop, or as far as a window of frame `last` reaches: a stray crop makes no million frames."""
    frames = predictions.frames[crops]
    length = min(int(frames[-1]), last + MAX_RADIUS)
    return smooth(fill_gaps(frames, predictions.outputs[crops], length, chosen.gaps), chosen.kernel, chosen.radius)
