"""Outputs and labels as columns of a table, under the names that every table of predictions has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS, Task
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import SmoothingParams, smooth

if TYPE_CHECKING:
    import pandas as pd

RAW_SUFFIX = "_raw"
"""Behind the names of columns that are not smoothed."""
BLOCK_ORDER = ("expr", "va", "au")
"""Of the blocks of columns, whatever their order in the outputs."""


def output_columns(
    name: str, values: np.ndarray, thresholds: tuple[float, ...] | None = None, decimals: int | None = None
) -> dict[str, Any]:
    """Columns of one block of outputs: what is decided, then what it is decided from.

    Parameters
    ----------
    name : {"expr", "va", "au"}
    values : float array of shape (n, columns of the block)
        Smoothed or raw outputs. Rows of NaN are unknown and stay empty.
    thresholds : tuple of 12 floats, optional
        Of the action units. Default: 0.5.
    decimals : int, optional
        Round the numbers. Decisions are made before.

    Returns
    -------
    dict of column name to array of length n
        `expression` and `p_<Expression>`; `valence` and `arousal`; or `AU<n>` (0 or 1) and `p_AU<n>`.
    """
    import pandas as pd

    known = ~np.isnan(values).any(axis=1)
    numbers = (round_values(values, decimals) if decimals is not None else values).T
    if name == "va":
        return dict(zip(AFFECTS, numbers))
    if name == "expr":
        best = np.where(known, np.where(known[:, None], values, 0).argmax(axis=1), -1)
        return {
            "expression": pd.Categorical.from_codes(best, EXPRESSIONS),
            **{f"p_{expression}": column for expression, column in zip(EXPRESSIONS, numbers)},
        }
    present = values >= (0.5 if thresholds is None else np.array(thresholds))
    return {
        **{unit: nullable_integers(column, np.int8, known) for unit, column in zip(ACTION_UNITS, present.T)},
        **{f"p_{unit}": column for unit, column in zip(ACTION_UNITS, numbers)},
    }


def predictions_table(task: Task, predictions: Predictions, smoothing: SmoothingParams) -> pd.DataFrame:
    """One row for each frame that has a crop: `video`, `frame`, the smoothed outputs, then the raw ones."""
    import pandas as pd

    columns: dict[str, Any] = {
        "video": np.repeat(np.array(predictions.sequences, dtype=object), predictions.lengths),
        "frame": predictions.frames,
    }
    raw = predictions.outputs.astype(np.float64)
    for suffix, outputs in (("", _smooth_outputs(predictions, smoothing)), (RAW_SUFFIX, raw)):
        for name, block in _ordered_blocks(task):
            named = output_columns(name, outputs[:, block], smoothing.thresholds)
            columns |= {f"{column}{suffix}": values for column, values in named.items()}
    return pd.DataFrame(columns)


def labels_table(task: Task, labels: Labels) -> pd.DataFrame:
    """One row for each annotated row, in the order of the annotations; labels that are not valid are empty.

    `video`, `frame`, `unit` (what scores are resampled over: the video, or the subject of a still), then `expression`,
    `valence` and `arousal`, or the action units.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "video": np.array(labels.sequences, dtype=object)[labels.sequence],
        "frame": labels.frame,
        "unit": np.array(labels.units, dtype=object)[labels.unit],
    }
    valid = task.valid(labels.targets)
    for name, _ in _ordered_blocks(task):
        target = labels.targets[name]
        if name == "expr":
            columns["expression"] = pd.Categorical.from_codes(np.where(valid[name], target, -1), EXPRESSIONS)
        elif name == "va":
            columns |= zip(AFFECTS, np.where(valid[name][:, None], target, np.nan).T)
        else:
            columns |= {
                unit: nullable_integers(column, np.int8, column >= 0) for unit, column in zip(ACTION_UNITS, target.T)
            }
    return pd.DataFrame(columns)


def nullable_integers(values: np.ndarray, kind: type[np.integer], known: np.ndarray) -> pd.arrays.IntegerArray:
    """Whole numbers, missing where not `known`."""
    import pandas as pd

    return pd.arrays.IntegerArray(np.where(known, values, 0).astype(kind), ~known)


def round_values(values: np.ndarray, decimals: int) -> np.ndarray:
    """float64; adding 0 makes -0.0 a 0."""
    return np.asarray(values, dtype=np.float64).round(decimals) + 0.0


def _ordered_blocks(task: Task) -> list[tuple[str, slice]]:
    slices = task.slices()
    return [(name, slices[name]) for name in BLOCK_ORDER if name in slices]


def _smooth_outputs(predictions: Predictions, smoothing: SmoothingParams) -> np.ndarray:
    """float64 [n, C] at the crops, as the run's own scores were smoothed; a radius of 0 leaves them as they are."""
    outputs = predictions.outputs.astype(np.float64)
    if smoothing.radius == 0:
        return outputs
    for rows in predictions.slices(np.flatnonzero(predictions.lengths)):
        frames = predictions.frames[rows]
        dense = fill_gaps(frames, outputs[rows], int(frames[-1]), smoothing.gaps)
        outputs[rows] = smooth(dense, smoothing.kernel, smoothing.radius)[frames - 1]
    return outputs
