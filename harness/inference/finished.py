"""Read the result of a prediction back from its files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.inference.forward import LoadedRun
from harness.inference.predict_session import PredictSession
from harness.inference.result import Outputs, PredictionResult
from harness.inference.tables import METADATA, PARQUET
from harness.jobs.tables import RAW_SUFFIX
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd


VALUE_COLUMNS = {
    "expr": tuple(f"p_{name}" for name in EXPRESSIONS),
    "va": AFFECTS,
    "au": tuple(f"p_{name}" for name in ACTION_UNITS),
}
"""Table columns with the values of each output."""


def read_result(folder: Path, session: PredictSession) -> PredictionResult:
    """Read a result, with rounded values, from the table that `harness.inference.tables.write_tables` wrote.

    Parameters
    ----------
    folder : Path
        Folder of the prediction.
    session : PredictSession
        The session of the same prediction.

    Returns
    -------
    PredictionResult
    """
    from pyarrow import parquet

    arrow = parquet.read_table(folder / PARQUET)
    rows: pd.DataFrame = arrow.to_pandas()
    info: dict[str, Any] = json.loads(arrow.schema.metadata[METADATA.encode()])
    frames, first = np.unique(rows["frame"].to_numpy(np.int32), return_index=True)
    seconds = rows["time"].to_numpy(np.float64)[first]
    faces = rows[rows["face"].notna()]
    prefixes = Counter(output.name for reader in session.readers for output in reader.task.outputs)
    outputs = tuple(
        Outputs(
            reader.name,
            reader.task,
            _values(faces, reader, prefixes, RAW_SUFFIX).astype(np.float32),
            _values(faces, reader, prefixes, ""),
            params.kernel,
            params.radius,
            params.thresholds,
            reader.label,
            reader.synthetic,
        )
        for reader, params in zip(session.readers, session.filters)
    )
    return PredictionResult(
        info["source"],
        info["rate"],
        (info["width"], info["height"]),
        frames,
        seconds,
        faces["frame"].to_numpy(np.int32),
        faces["face"].to_numpy(np.int32),
        faces["found"].to_numpy() == 1,
        faces[["x", "y", "width", "height"]].to_numpy(np.float32),
        faces["detection"].to_numpy(np.float32),
        outputs,
    )


def _values(faces: pd.DataFrame, reader: LoadedRun, counts: Counter[str], suffix: str) -> np.ndarray:
    """Collect the outputs of a run, float64 [N, C], with the columns in the order of the task."""
    names = [
        f"{reader.name}." * (counts[output.name] > 1) + column + suffix
        for output in reader.task.outputs
        for column in VALUE_COLUMNS[output.name]
    ]
    return faces[names].to_numpy(np.float64)
