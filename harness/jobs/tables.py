"""Convert outputs and labels to the columns of prediction tables."""

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
"""Suffix of the names of unsmoothed columns."""
BLOCK_ORDER = ("expr", "va", "au")
"""Order of the column blocks in tables, which may differ from the order of the outputs."""


def output_columns(
    name: str, values: np.ndarray, thresholds: tuple[float, ...] | None = None, decimals: int | None = None
) -> dict[str, Any]:
    """Convert one block of outputs to columns: decisions, then the numbers that they are based on.

    Parameters
    ----------
    name : {"expr", "va", "au"}
        The block.
    values : float array of shape (n, columns of the block)
        Smoothed or raw outputs. Rows with NaN are empty in the table.
    thresholds : tuple of 12 float, optional
        Thresholds of the action units. Default: 0.5.
    decimals : int, optional
        Number of decimals of the numbers; decisions use the unrounded numbers. Default: no rounding.

    Returns
    -------
    dict of column name to array of length n
        `expression` and `p_<Expression>`; `valence` and `arousal`; or `AU<n>` (0 or 1) and `p_AU<n>`.
    """
    import pandas as pd

    defined = ~np.isnan(values).any(axis=1)
    numbers = (round_values(values, decimals) if decimals is not None else values).T
    if name == "va":
        return dict(zip(AFFECTS, numbers))
    if name == "expr":
        best = np.where(defined, np.where(defined[:, None], values, 0).argmax(axis=1), -1)
        return {
            "expression": pd.Categorical.from_codes(best, EXPRESSIONS),
            **{f"p_{expression}": column for expression, column in zip(EXPRESSIONS, numbers)},
        }
    present = values >= (0.5 if thresholds is None else np.array(thresholds))
    return {
        **{unit: nullable_integers(column, np.int8, defined) for unit, column in zip(ACTION_UNITS, present.T)},
        **{f"p_{unit}": column for unit, column in zip(ACTION_UNITS, numbers)},
    }


def predictions_table(task: Task, predictions: Predictions, smoothing: SmoothingParams) -> pd.DataFrame:
    """Convert predictions to a table.

    Parameters
    ----------
    task : Task
        The task.
    predictions : Predictions
        The predictions.
    smoothing : SmoothingParams
        Filter and thresholds.

    Returns
    -------
    pandas.DataFrame
        One row for each frame with a crop: `video`, `frame`, the smoothed outputs, then the raw outputs.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "video": np.repeat(np.array(predictions.sequences, dtype=object), predictions.lengths),
        "frame": predictions.frames,
    }
    raw = predictions.outputs.astype(np.float64)
    for suffix, outputs in (("", _smooth_outputs(predictions, smoothing)), (RAW_SUFFIX, raw)):
        for name, block in _ordered_blocks(task):
            block_columns = output_columns(name, outputs[:, block], smoothing.thresholds)
            columns |= {f"{column}{suffix}": values for column, values in block_columns.items()}
    return pd.DataFrame(columns)


def labels_table(task: Task, labels: Labels) -> pd.DataFrame:
    """Convert labels to a table; invalid labels are empty.

    Parameters
    ----------
    task : Task
        The task.
    labels : Labels
        The labels.

    Returns
    -------
    pandas.DataFrame
        One row for each row of `labels`, in the same order: `video`, `frame`, `unit` (the video, or the subject of a
        still image), then the labels of the task's outputs: `expression`, `valence` and `arousal`, action units.
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


def nullable_integers(values: np.ndarray, kind: type[np.integer], defined: np.ndarray) -> pd.arrays.IntegerArray:
    """Return integers of type `kind` that are missing where `defined` is False."""
    import pandas as pd

    return pd.arrays.IntegerArray(np.where(defined, values, 0).astype(kind), ~defined)


def round_values(values: np.ndarray, decimals: int) -> np.ndarray:
    """Round values and return them as float64; -0.0 becomes 0.0."""
    return np.asarray(values, dtype=np.float64).round(decimals) + 0.0


def _ordered_blocks(task: Task) -> list[tuple[str, slice]]:
    slices = task.slices()
    return [(name, slices[name]) for name in BLOCK_ORDER if name in slices]


def _smooth_outputs(predictions: Predictions, smoothing: SmoothingParams) -> np.ndarray:
    """Smooth outputs in the same way as for the metrics; return one float64 row for each frame with a crop."""
    outputs = predictions.outputs.astype(np.float64)
    if smoothing.radius == 0:
        return outputs
    for rows in predictions.slices(np.flatnonzero(predictions.lengths)):
        frames = predictions.frames[rows]
        dense = fill_gaps(frames, outputs[rows], int(frames[-1]), smoothing.gaps)
        outputs[rows] = smooth(dense, smoothing.kernel, smoothing.radius)[frames - 1]
    return outputs
