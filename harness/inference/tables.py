"""What was read as a table: one row for each face of each frame, and one for each frame without a face."""

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
"""Key of the JSON in the parquet file that says what was read by which runs."""
SECONDS, PIXELS, OUTPUTS = 6, 2, 7
"""Decimals that are kept: what lies beyond is noise of the arithmetic, and no table needs it."""


def table(result: PredictionResult) -> pd.DataFrame:
    """One row for each of the N rows of the result and for each frame without a face, by frame, then by face.

    `frame`, `time` in seconds, `face` (empty where there is none), `found` (0 or 1), the box as `x`, `y`, `width` and
    `height` in pixels of the frame, `detection`; then for each output of the runs after the filter `expression` and
    `p_<Expression>`, `valence` and `arousal`, `AU<n>` (0 or 1, by the run's thresholds) and `p_AU<n>`; then the same
    before the filter, with `_raw` behind the name. Where two runs give the same output, its names have `<run>.` before
    them. What is not known is empty, never 0. Numbers are rounded to 7 decimals (boxes: 2), so that the two files
    hold the same.
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
    given = Counter(output.name for one in result.outputs for output in one.task.outputs)
    for name, one, values, suffix in _blocks(result):
        prefix = f"{one.name}." if given[name] > 1 else ""
        columns |= _columns(name, one, _padded(values, len(empty)), prefix, suffix)
    return pd.DataFrame(columns).take(order).reset_index(drop=True)


def as_csv(rows: pd.DataFrame, header: bool = True) -> str:
    """Comma-separated lines, each with its end of line; without `header` to go on below others."""
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
    """Write predictions.csv and predictions.parquet, whole or not at all; both hold the same numbers.

    The parquet file says in its metadata, under `framelight` as JSON, what was read and by which runs.
    """
    from pyarrow import Table, parquet

    rows = table(result)
    paths = folder / CSV, folder / PARQUET
    with atomic_write(paths[0]) as aside:
        aside.write_text(as_csv(rows), encoding="utf-8")
    arrow = Table.from_pandas(rows, preserve_index=False)
    with atomic_write(paths[1]) as aside:
        parquet.write_table(
            arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), METADATA: json.dumps(metadata(result))}),
            aside,
        )
    return paths


def metadata(result: PredictionResult) -> dict:
    """What was read and by which runs, as JSON types."""
    return {
        "source": result.source,
        "rate": result.rate,
        "width": result.size[0],
        "height": result.size[1],
        "frames": len(result.frames),
        "runs": [
            {
                "name": one.name,
                "label": one.label,
                "task": one.task.name,
                "kernel": one.kernel,
                "radius": one.radius,
                "thresholds": None if one.thresholds is None else list(one.thresholds),
            }
            for one in result.outputs
        ],
    }


def _blocks(result: PredictionResult) -> Iterator[tuple[str, Outputs, np.ndarray, str]]:
    """(output, run, [N, columns], suffix) in the order of the columns: all smoothed ones, then all raw ones."""
    for suffix in ("", RAW_SUFFIX):
        for one in result.outputs:
            slices = one.task.slices()
            for name in (name for name in BLOCK_ORDER if name in slices):
                yield name, one, (one.raw if suffix else one.smoothed)[:, slices[name]], suffix


def _columns(name: str, one: Outputs, values: np.ndarray, prefix: str, suffix: str) -> dict[str, object]:
    """The columns of one output of one run; values: [M, columns], NaN in whole rows."""
    columns = output_columns(name, values, one.thresholds, OUTPUTS)
    if "expression" in columns:
        columns["expression"] = columns["expression"].astype("string")
    return {f"{prefix}{column}{suffix}": held for column, held in columns.items()}


def _padded(values: np.ndarray, more: int, fill: float = np.nan) -> np.ndarray:
    """float64, with `more` rows of `fill` below."""
    return np.concatenate([values, np.full((more, *values.shape[1:]), fill)])
