"""An exported file against the predictions that its run kept: how far its outputs are, and its own score."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backbones.resizing import resize_batch
from backbones.spec import Preprocessing
from harness.data.dataset import Dataset
from harness.data.image_decoding import CorruptImageError, decode_image
from harness.export.formats import Model
from harness.export.network import OUTPUTS
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.leaderboard.runs import FinishedRun
from harness.metrics.tasks import Task, get_task
from harness.metrics.unit_statistics import SufficientStatistics, score
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write

CHUNK = 1024
"""Crops whose outputs are kept together: what a kill loses at most."""
BATCH = 32


@dataclass(frozen=True, eq=False)
class ParityResult:
    """largest: difference of an output of any crop from the run's; agreement: share of equal labels (see `agreement`);
    value: the task's metric with the run's own smoothing and thresholds; statistics: of it, by unit.
    """

    crops: int
    largest: float
    agreement: float
    value: float
    units: tuple[str, ...]
    statistics: SufficientStatistics


def compute_outputs(
    model: Model,
    preprocessing: Preprocessing,
    crops: list[Path],
    kept: Path,
    width: int,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """float32 [len(crops), width] outputs of a file, in the order of the crops.

    kept: folder of this file's outputs; those it holds are not computed again. FramelightError for a crop that cannot
    be read, and outputs that are not finite.
    """
    found = [np.zeros((0, width), np.float32)]
    with ThreadPoolExecutor(1) as ahead:
        for start in range(0, len(crops), CHUNK):
            path, part = kept / f"{start}.npy", crops[start : start + CHUNK]
            values = _load_cached(path, (len(part), width))
            if values is None:
                values = _predict_chunk(model, preprocessing, part, ahead)
                with atomic_write(path) as aside, open(aside, "wb") as file:
                    np.save(file, values)
            found.append(values)
            progress(start + len(part), len(crops))
    return np.concatenate(found)


def _predict_chunk(
    model: Model, preprocessing: Preprocessing, crops: list[Path], ahead: ThreadPoolExecutor
) -> np.ndarray:
    """The next batch is read while this one is predicted."""
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    found, reading = [], ahead.submit(_read_crops, batches[0], preprocessing)
    for following in [*batches[1:], None]:
        pixels = reading.result()
        if following is not None:
            reading = ahead.submit(_read_crops, following, preprocessing)
        found.append(model(pixels)[OUTPUTS])
    values = np.concatenate(found).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise FramelightError(
            "the exported file gives outputs that are not finite; leave this precision out: name the "
            "others with --precision"
        )
    return values


def _read_crops(crops: list[Path], preprocessing: Preprocessing) -> np.ndarray:
    try:
        return resize_batch([decode_image(path) for path in crops], preprocessing)
    except CorruptImageError as error:
        raise FramelightError(
            f"{error}, though the run predicted it; mend the data set, or run the recipe again"
        ) from error


def _load_cached(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return values if values.shape == shape and values.dtype == np.float32 else None


def crop_paths(kept: Predictions, dataset: Dataset) -> list[Path]:
    """The image of every kept prediction; FramelightError where the data set has it no more."""
    found: list[Path] = []
    for name, rows in zip(kept.sequences, kept.slices(np.arange(len(kept.sequences)))):
        frames, sequence = kept.frames[rows], dataset.sequences.get(name)
        at = np.searchsorted(sequence.frames, frames) if sequence is not None else np.zeros(len(frames), np.int64)
        if sequence is None or (at >= len(sequence.frames)).any() or (sequence.frames[at] != frames).any():
            raise FramelightError(
                f"{dataset.root}: sequence {name} lacks crops that the run predicted; name the data "
                "set that it ran on with --data DIR"
            )
        found += [sequence.images[i] for i in at.tolist()]
    return found


def check_parity(chosen: FinishedRun, kept: Predictions, dataset: Dataset, found: np.ndarray) -> ParityResult:
    """found: [n, C] outputs of the file for each kept prediction."""
    task, own, configuration = get_task(chosen.configuration.task), chosen.filter, chosen.configuration
    own_outputs = Predictions(kept.sequences, kept.lengths, kept.frames, found)
    labels = dataset.labels(task.name, chosen.record.split)
    replay = Replay(task, own_outputs, labels, dataset.temporal, own.gaps, configuration.missing)
    thresholds = 0.5 if own.thresholds is None else np.array(own.thresholds)
    statistics = replay.statistics(own.kernel, own.radius, thresholds)
    return ParityResult(
        len(found),
        float(np.abs(found - kept.outputs).max(initial=0.0)),
        agreement(task, found, kept.outputs, thresholds),
        score(statistics).metrics[task.metric],
        replay.units,
        statistics,
    )


def agreement(task: Task, one: np.ndarray, other: np.ndarray, thresholds: np.ndarray | float) -> float:
    """Share of crops whose labels are equal, 0 to 1: the expression, the quadrant of valence and arousal, each action
    unit; the mean of those that the task has. Unsmoothed outputs, the run's thresholds.
    """
    first, second = task.decode(one, thresholds), task.decode(other, thresholds)
    equal = {name: first[name] == second[name] for name in first}
    if "va" in equal:
        equal["va"] = ((first["va"] >= 0) == (second["va"] >= 0)).all(axis=1)
    return float(np.mean([same.mean() for same in equal.values()])) if len(one) else 1.0
