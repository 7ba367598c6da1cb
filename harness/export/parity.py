"""Parity check of an exported file against the saved predictions of its run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backbones.regular_files import open_regular
from backbones.resizing import resize_batch
from backbones.spec import Preprocessing
from harness.data.dataset import Dataset
from harness.data.image_decoding import CorruptImageError, decode_image
from harness.export.formats import Model
from harness.export.network import OUTPUTS
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.leaderboard.finished_run import FinishedRun
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import Task, get_task
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write

CHUNK = 1024
"""Crops per cached file of outputs; an interruption loses the outputs of at most one such file."""
BATCH = 32


@dataclass(frozen=True, eq=False)
class ParityResult:
    """Result of a parity check.

    Attributes
    ----------
    crops : int
        Number of crops compared.
    largest : float
        Largest absolute difference between the outputs of the exported file and the saved outputs of the run.
    agreement : float
        Share of predicted labels that are equal for the file and the run; see the function `agreement`.
    value : float
        The task's metric for the exported file, with the run's smoothing and thresholds.
    units : tuple of str
        Names of the units: videos, or subjects of still images.
    statistics : SufficientStatistics
        Counts or moments of each unit, from which the metric is computed.
    """

    crops: int
    largest: float
    agreement: float
    value: float
    units: tuple[str, ...]
    statistics: SufficientStatistics


def scored_predictions(run: FinishedRun, dataset: Dataset) -> Predictions:
    """Load the part of a run's saved predictions from which its score on the reported split is computed.

    An image table is predicted in blocks of rows that may include rows of other splits; these rows are left out.

    Parameters
    ----------
    run : FinishedRun
    dataset : Dataset
        Dataset with the labels of the reported split.

    Returns
    -------
    Predictions
        See `Replay.used_predictions`.

    Raises
    ------
    FramelightError
        If the predictions are missing, were changed or cannot be read.
    """
    predictions = run.load_predictions()
    return predictions.take(_make_replay(run, predictions, dataset).used_predictions)


class CropFile(NamedTuple):
    """Image file of a crop, and whether its EXIF orientation is applied when it is decoded; see `Dataset.upright`."""

    path: Path
    upright: bool


def compute_outputs(
    model: Model,
    preprocessing: Preprocessing,
    crops: list[CropFile],
    cache: Path,
    width: int,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Compute the outputs of a model file for all crops.

    Parameters
    ----------
    model : callable
        The opened model file.
    preprocessing : Preprocessing
        Preprocessing of the backbone.
    crops : list of CropFile
    cache : Path
        Folder that caches the outputs of this model file; cached outputs are not computed again.
    width : int
        Number of output columns.
    progress : callable
        Called with the number of crops done and the total number of crops.

    Returns
    -------
    ndarray of shape (len(crops), width)
        float32.

    Raises
    ------
    FramelightError
        If a crop cannot be read, or outputs are not finite.
    """
    chunks = [np.zeros((0, width), np.float32)]
    with ThreadPoolExecutor(1) as executor:
        for start in range(0, len(crops), CHUNK):
            path, paths = cache / f"{start}.npy", crops[start : start + CHUNK]
            values = _load_cached(path, (len(paths), width))
            if values is None:
                values = _predict_chunk(model, preprocessing, paths, executor)
                with atomic_write(path) as tmp_path, tmp_path.open("wb") as file:
                    np.save(file, values)
            chunks.append(values)
            progress(start + len(paths), len(crops))
    return np.concatenate(chunks)


def _predict_chunk(
    model: Model, preprocessing: Preprocessing, crops: list[CropFile], executor: ThreadPoolExecutor
) -> np.ndarray:
    """Compute outputs batch by batch while the executor reads the next batch."""
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    outputs, reading = [], executor.submit(_read_crops, batches[0], preprocessing)
    for following in [*batches[1:], None]:
        pixels = reading.result()
        if following is not None:
            reading = executor.submit(_read_crops, following, preprocessing)
        outputs.append(model(pixels)[OUTPUTS])
    values = np.concatenate(outputs).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise FramelightError(
            "the exported file returns outputs that are not finite; export again without the "
            "precision of this file: list the other precisions with --precision"
        )
    return values


def _read_crops(crops: list[CropFile], preprocessing: Preprocessing) -> np.ndarray:
    try:
        return resize_batch([decode_image(crop.path, crop.upright) for crop in crops], preprocessing)
    except CorruptImageError as error:
        raise FramelightError(
            f"{error}, although the run has a prediction for it; repair the dataset or run the recipe again"
        ) from error


def _load_cached(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        with open_regular(path) as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, MemoryError):
        return None
    return values if values.shape == shape and values.dtype == np.float32 else None


def crop_files(predictions: Predictions, dataset: Dataset) -> list[CropFile]:
    """Find the image of every prediction; raise FramelightError if the dataset lacks one."""
    crops: list[CropFile] = []
    for name, rows in zip(predictions.sequences, predictions.slices(np.arange(len(predictions.sequences)))):
        frames, sequence = predictions.frames[rows], dataset.sequences.get(name)
        at = np.searchsorted(sequence.frames, frames) if sequence is not None else np.zeros(len(frames), np.int64)
        if sequence is None or (at >= len(sequence.frames)).any() or (sequence.frames[at] != frames).any():
            raise FramelightError(
                f"{dataset.root}: sequence {name} lacks crops that the run has predictions for; pass the "
                "dataset of the run with --data DIR"
            )
        crops += [CropFile(sequence.images[i], dataset.upright) for i in at.tolist()]
    return crops


def check_parity(run: FinishedRun, predictions: Predictions, dataset: Dataset, outputs: np.ndarray) -> ParityResult:
    """Compare the outputs of an exported file with the saved predictions of its run, and score the outputs.

    Parameters
    ----------
    run : FinishedRun
    predictions : Predictions
        The result of `scored_predictions`, n rows.
    dataset : Dataset
        Dataset with the labels of the reported split.
    outputs : ndarray of shape (n, C)
        Outputs of the exported file, in the order of the predictions.
    """
    task, params = get_task(run.configuration.task), run.filter
    exported = Predictions(predictions.sequences, predictions.lengths, predictions.frames, outputs)
    replay = _make_replay(run, exported, dataset)
    thresholds = 0.5 if params.thresholds is None else np.array(params.thresholds)
    statistics = replay.statistics(params.kernel, params.radius, thresholds)
    return ParityResult(
        len(outputs),
        float(np.abs(outputs - predictions.outputs).max(initial=0.0)),
        agreement(task, outputs, predictions.outputs, thresholds),
        score(statistics).metrics[task.metric],
        replay.units,
        statistics,
    )


def _make_replay(run: FinishedRun, predictions: Predictions, dataset: Dataset) -> Replay:
    task = get_task(run.configuration.task)
    labels = dataset.labels(task.name, run.record.split)
    return Replay(task, predictions, labels, dataset.temporal, run.filter.gaps, run.configuration.missing)


def agreement(task: Task, outputs: np.ndarray, reference: np.ndarray, thresholds: np.ndarray | float) -> float:
    """Compute the share of crops with equal predicted labels, averaged over the outputs of the task.

    The labels compared are the expression, the quadrant of valence and arousal, and each action unit.

    Parameters
    ----------
    task : Task
    outputs, reference : ndarray of shape (n, C)
        Outputs before smoothing.
    thresholds : float or ndarray
        Thresholds of action units.

    Returns
    -------
    float
        Ratio from 0 to 1; 1 if there are no crops.
    """
    first, second = task.decode(outputs, thresholds), task.decode(reference, thresholds)
    equal = {name: first[name] == second[name] for name in first}
    if "va" in equal:
        equal["va"] = ((first["va"] >= 0) == (second["va"] >= 0)).all(axis=1)
    return float(np.mean([same.mean() for same in equal.values()])) if len(outputs) else 1.0
