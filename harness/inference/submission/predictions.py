"""Kept or fresh predictions at the rows of a submission, filled and smoothed as the run's own scores were."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset
from harness.features.store import FeatureEntry, FeatureStore
from harness.inference.submission.rows import Rows
from harness.jobs.predictions import Predictions
from harness.leaderboard.runs import FinishedRun
from harness.metrics.tasks import Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import MAX_RADIUS, SmoothingParams, smooth
from harness.utils.errors import InputError


def outputs_at(rows: Rows, predictions: Predictions, chosen: SmoothingParams) -> np.ndarray:
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
        own, crops = order[bounds[i] : bounds[i + 1]], held[name]
        if crops.start == crops.stop:
            outputs[own] = predictions.outputs.mean(axis=0, dtype=np.float64)
        else:
            dense = _dense_outputs(predictions, crops, int(rows.last[i]), chosen)
            outputs[own] = dense[np.minimum(rows.frame[own], len(dense)) - 1]
    return outputs


def decode_predictions(task: Task, outputs: np.ndarray, chosen: SmoothingParams) -> dict[str, np.ndarray]:
    """Outputs [N, C] as they are written: `va` float32 [N, 2], `expr` int64 [N] (argmax), `au` int8 [N, 12]."""
    found = task.decode(outputs, 0.5 if chosen.thresholds is None else np.array(chosen.thresholds))
    return found | ({"va": found["va"].astype(np.float32)} if "va" in found else {})


def _dense_outputs(predictions: Predictions, crops: slice, last: int, chosen: SmoothingParams) -> np.ndarray:
    """[T, C] to the last crop, or as far as a window of frame `last` reaches: a stray crop makes no million frames."""
    frames = predictions.frames[crops]
    length = min(int(frames[-1]), last + MAX_RADIUS)
    return smooth(fill_gaps(frames, predictions.outputs[crops], length, chosen.gaps), chosen.kernel, chosen.radius)


def features_for(chosen: FinishedRun, dataset: Dataset, images: str) -> FeatureEntry:
    """The entry of the run's backbone on `dataset`; images: the data set's digest.

    InputError where the backbone has other weights by now, or a baseline without one finds no features to go by.
    """
    kept = FeatureStore(chosen.store.features)
    if not chosen.configuration.entry:
        return _any_entry(kept, images, dataset)
    trained_on = kept.entry(chosen.configuration.entry)
    if trained_on.data_digest == images:
        return trained_on
    from harness.runner.preparation import ExtractionOptions, get_or_extract_features

    entry, info = get_or_extract_features(
        chosen.record.backbone,
        trained_on.backbone["reference"],
        dataset,
        chosen.store,
        ExtractionOptions(trained_on.dtype, trained_on.compute),
        images,
    )
    if info.weights_hash != trained_on.backbone["weights_hash"]:
        raise InputError(
            f"backbone {trained_on.backbone['reference']} has other weights than when run "
            f"{chosen.record.group_id} was made; run its recipe again"
        )
    return entry


def _any_entry(kept: FeatureStore, images: str, dataset: Dataset) -> FeatureEntry:
    """A baseline reads no image, only which frames have a crop; every backbone's entry tells."""
    for path in sorted(kept.root.glob("*/entry.json")):
        entry = kept.entry(path.parent.name)
        if entry.data_digest == images:
            return entry
    raise InputError(
        f"the store has no features of {dataset.name}, which tell the frames that have a crop; "
        f"add them: framelight extract --data {dataset.root} --backbone tiny_mobilenet@random"
    )
