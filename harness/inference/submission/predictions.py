"""Predictions for the rows of a submission, with gaps filled and outputs smoothed as for the run's score."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset
from harness.features.entry import FeatureEntry
from harness.features.store import FeatureStore
from harness.inference.submission.rows import Rows
from harness.jobs.predictions import Predictions
from harness.leaderboard.finished_run import FinishedRun
from harness.metrics.tasks import Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import MAX_RADIUS, SmoothingParams, smooth
from harness.utils.errors import InputError


def outputs_at(rows: Rows, predictions: Predictions, params: SmoothingParams) -> np.ndarray:
    """Compute the outputs of the rows.

    In each video, gaps are filled from frame 1 to the last crop, and the outputs are smoothed; later frames repeat the
    last smoothed output. A video without crops gets the mean output of all crops.

    Parameters
    ----------
    rows : Rows
        N rows.
    predictions : Predictions
    params : SmoothingParams

    Returns
    -------
    ndarray of shape (N, C)
        float64.

    Raises
    ------
    InputError
        If no video has a crop.
    """
    if not len(predictions.frames):
        raise InputError("no video of the split has a crop, so there are no predictions; add the crops to the dataset")
    slices = dict(zip(predictions.sequences, predictions.slices(np.arange(len(predictions.sequences)))))
    outputs = np.empty((len(rows), predictions.outputs.shape[1]))
    order = np.argsort(rows.index, kind="stable")
    bounds = np.searchsorted(rows.index[order], np.arange(len(rows.videos) + 1))
    for i, name in enumerate(rows.videos):
        video_rows, crops = order[bounds[i] : bounds[i + 1]], slices[name]
        if crops.start == crops.stop:
            outputs[video_rows] = predictions.outputs.mean(axis=0, dtype=np.float64)
        else:
            dense = _dense_outputs(predictions, crops, int(rows.last[i]), params)
            outputs[video_rows] = dense[np.minimum(rows.frame[video_rows], len(dense)) - 1]
    return outputs


def decode_predictions(task: Task, outputs: np.ndarray, params: SmoothingParams) -> dict[str, np.ndarray]:
    """Decode outputs [N, C] to `va` float32 [N, 2], `expr` int64 [N] (argmax) and `au` int8 [N, 12]."""
    decoded = task.decode(outputs, 0.5 if params.thresholds is None else np.array(params.thresholds))
    return decoded | ({"va": decoded["va"].astype(np.float32)} if "va" in decoded else {})


def _dense_outputs(predictions: Predictions, crops: slice, last: int, params: SmoothingParams) -> np.ndarray:
    """Fill and smooth the outputs of a video up to its last crop.

    Outputs are needed up to frame `last` only, so the result ends at `last + MAX_RADIUS` if that is earlier.
    """
    frames = predictions.frames[crops]
    length = min(int(frames[-1]), last + MAX_RADIUS)  # a stray crop must not allocate millions of frames
    return smooth(fill_gaps(frames, predictions.outputs[crops], length, params.gaps), params.kernel, params.radius)


def features_for(run: FinishedRun, dataset: Dataset, images: str) -> FeatureEntry:
    """Get the features of the run's backbone on a dataset; extract them if necessary.

    Parameters
    ----------
    run : FinishedRun
    dataset : Dataset
    images : str
        Digest of the dataset.

    Raises
    ------
    InputError
        If the backbone's weights have changed. For a baseline, which has no backbone: if the store has no features of
        the dataset from any backbone.
    """
    features = FeatureStore(run.store.features)
    if not run.configuration.entry:
        return _any_entry(features, images, dataset)
    trained_on = features.entry(run.configuration.entry)
    if trained_on.data_digest == images:
        return trained_on
    from harness.runner.feature_preparation import ExtractionOptions, get_or_extract_features

    entry, info = get_or_extract_features(
        run.record.backbone,
        trained_on.backbone["reference"],
        dataset,
        run.store,
        ExtractionOptions(trained_on.dtype, trained_on.compute),
        images,
    )
    if info.weights_hash != trained_on.backbone["weights_hash"]:
        raise InputError(
            f"the weights of backbone {trained_on.backbone['reference']} have changed since run "
            f"{run.record.group_id}; run its recipe again"
        )
    return entry


def _any_entry(features: FeatureStore, images: str, dataset: Dataset) -> FeatureEntry:
    """Get any backbone's features of a dataset: a baseline only needs to know which frames have a crop."""
    for path in sorted(features.root.glob("*/entry.json")):
        entry = features.entry(path.parent.name)
        if entry.data_digest == images:
            return entry
    raise InputError(
        f"the store has no features of {dataset.name}, from which a baseline takes the frames that have a crop; "
        f"extract them with framelight extract --data {dataset.root} --backbone tiny_mobilenet@random"
    )
