"""Result tables: one row for each face of each frame, and one for each frame without a face."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.result import Outputs, PredictionResult
from harness.jobs.tables import BLOCK_ORDER, RAW_SUFFIX, nullable_integers, output_columns, round_values
from harness.utils.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd

CSV, PARQUET = "predictions.csv", "predictions.parquet"
METADATA = "framelight"
"""Key in the metadata of the parquet file; its value describes input and runs as JSON."""
SECONDS, PIXELS, OUTPUTS = 6, 2, 7
"""Decimals to which times, boxes and outputs are rounded; further digits are numerical noise."""


def table(result: PredictionResult) -> pd.DataFrame:
    """Convert a result to a table, ordered by frame, then by face.

    Frames without a face have one row. Missing values are empty, never 0. Values are rounded to 7 decimals (times:
    6, boxes: 2) so that CSV and parquet files have the same values.

    Parameters
    ----------
    result : PredictionResult

    Returns
    -------
    DataFrame
        Columns `frame`, `time` in seconds, `face`, `found` (0 or 1), the box as `x`, `y`, `width` and `height` in
        pixels, `detection`. Then the smoothed outputs: `expression` and `p_<Expression>`, `valence` and `arousal`,
        `AU<n>` (0 or 1, by the run's thresholds) and `p_AU<n>`. Then the same columns before smoothing, with the suffix
        `_raw`. If several runs provide the same output, its columns have the prefix `<run>.`.
    """
    import pandas as pd

    empty = np.setdiff1d(result.frames, result.frame)
    frame = np.concatenate([result.frame, empty])
    order = np.argsort(frame, kind="stable")
    seconds = result.seconds[np.searchsorted(result.frames, frame)]
    columns = {
        "frame": frame.astype(np.int32),
        "time": round_values(seconds, SECONDS),
        "face": nullable_integers(
            _padded(result.face, len(empty), 0), np.int32, np.arange(len(frame)) < len(result.face)
        ),
        "found": _padded(result.found, len(empty), 0).astype(np.int8),
        **{
            name: _padded(round_values(result.boxes[:, i], PIXELS), len(empty))
            for i, name in enumerate(("x", "y", "width", "height"))
        },
        "detection": _padded(round_values(result.detection, OUTPUTS), len(empty)),
    }
    counts = Counter(output.name for run in result.outputs for output in run.task.outputs)
    for name, run, values, suffix in _blocks(result):
        prefix = f"{run.name}." if counts[name] > 1 else ""
        columns |= _columns(name, run, _padded(values, len(empty)), prefix, suffix)
    return pd.DataFrame(columns).take(order).reset_index(drop=True)


def as_csv(rows: pd.DataFrame, header: bool = True) -> str:
    """Format rows as comma-separated lines, with or without a header line."""
    from pyarrow import Table
    from pyarrow.csv import WriteOptions, write_csv

    names, lines = io.StringIO(), io.BytesIO()
    if header:
        csv.writer(names, lineterminator="\n").writerow(rows.columns)
    write_csv(
        Table.from_pandas(rows, preserve_index=False), lines, WriteOptions(include_header=False, quoting_style="none")
    )
    return names.getvalue() + lines.getvalue().decode()


def write_tables(result: PredictionResult, folder: Path) -> tuple[Path, Path]:
    """Write predictions.csv and predictions.parquet, each atomically, and return their paths.

    Both contain the same numbers. The parquet metadata describes input and runs as JSON under the key `framelight`.
    """
    from pyarrow import Table, parquet

    rows = table(result)
    paths = folder / CSV, folder / PARQUET
    with atomic_write(paths[0]) as tmp_path:
        tmp_path.write_text(as_csv(rows), encoding="utf-8")
    arrow = Table.from_pandas(rows, preserve_index=False)
    # the file is opened here because pyarrow would encode its name as UTF-8
    with atomic_write(paths[1]) as tmp_path, tmp_path.open("wb") as file:
        parquet.write_table(
            arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), METADATA: json.dumps(metadata(result))}),
            file,
        )
    return paths


def metadata(result: PredictionResult) -> dict:
    """Describe input and runs as JSON values."""
    return {
        "source": result.source,
        "rate": result.rate,
        "width": result.size[0],
        "height": result.size[1],
        "frames": len(result.frames),
        "runs": [
            {
                "name": run.name,
                "label": run.label,
                "task": run.task.name,
                "kernel": run.kernel,
                "radius": run.radius,
                "thresholds": None if run.thresholds is None else list(run.thresholds),
                "synthetic": list(run.synthetic),
            }
            for run in result.outputs
        ],
    }


def _blocks(result: PredictionResult) -> Iterator[tuple[str, Outputs, np.ndarray, str]]:
    """Yield (output, run, values [N, columns], suffix) in the order of the columns: smoothed ones, then raw ones."""
    for suffix in ("", RAW_SUFFIX):
        for run in result.outputs:
            slices = run.task.slices()
            for name in (name for name in BLOCK_ORDER if name in slices):
                yield name, run, (run.raw if suffix else run.smoothed)[:, slices[name]], suffix


def _columns(name: str, run: Outputs, values: np.ndarray, prefix: str, suffix: str) -> dict[str, object]:
    """Build the columns of one output of one run from values [M, columns]; a missing row is NaN in all columns."""
    columns = output_columns(name, values, run.thresholds, OUTPUTS)
    if "expression" in columns:
        columns["expression"] = columns["expression"].astype("string")
    return {f"{prefix}{column}{suffix}": data for column, data in columns.items()}


def _padded(values: np.ndarray, more: int, fill: float = np.nan) -> np.ndarray:
    """Append `more` rows of `fill`; the result is float64."""
    return np.concatenate([values, np.full((more, *values.shape[1:]), fill)])
