"""Public function that exports a run to model files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.card import CARD
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import tracked_records
from harness.tracking.records import Record
from harness.utils.errors import InputError
from harness.utils.output_dir import check_output_dir
from harness.utils.paths import expand_home
from harness.utils.public_api import as_tuple, framelight_errors
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.tracking.export_records import ExportRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """Result of `export`.

    Attributes
    ----------
    folder : Path
        Folder with the model files, `card.json` and `example.py`.
    record : Record
        The exported run.
    files : tuple of ExportRecord
        For each file: its size, latency, memory and score, and how often its labels agree with those of the run.
    """

    folder: Path
    record: Record
    files: tuple[ExportRecord, ...]


@framelight_errors
def export(  # noqa: PLR0913 - public, one keyword for each option
    run: str,
    out: Path | str,
    format: str = "onnx",
    *,
    precisions: Sequence[str] | str = (),
    embedding: bool = False,
    calibration: int = 256,
    data: Path | str | None = None,
    store: Store | Path | str | None = None,
    seed: int | None = None,
    force: bool = False,
    log_model: bool = True,
    tracking_uri: str | None = None,
) -> ExportResult:
    """Export a run to files that take face crops, as `framelight export` does.

    Each file is checked against the run's predictions, scored and timed. If `out` already contains the same export,
    the files are not written again.

    Parameters
    ----------
    run : str
        A run id or its first characters, a job id, or `best:TASK` for the best run of a task.
    out : path
        A new or empty folder, or one that already contains the same export.
    format : {"onnx", "openvino", "litert", "executorch"}
    precisions : str or sequence of {"float32", "float16", "int8"}
        Default: all precisions of the format.
    embedding : bool
        Whether the files also return the backbone's embedding.
    calibration : int
        Number of training crops that set the value ranges of int8.
    data : path, optional
        Current folder of the dataset of the run. Default: the folder from which it was last opened.
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    seed : int, optional
        Seed of the run. Default: the first seed of the run.
    force : bool
        Replace the content of `out`.
    log_model : bool
        Log the float32 ONNX file as an MLflow model.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    ExportResult

    Raises
    ------
    InputError
        If the run does not exist or is a baseline that reads no images, the format or a precision is unknown, the
        format cannot be written here, or `out` has other content.
    FramelightError
        If a file cannot be written or run, or does not reproduce the outputs of the run.

    Examples
    --------
    >>> result = export("best:expr", out / "onnx", precisions=["float32"], store=store, log_model=False)
    >>> [file.file for file in result.files], result.files[0].agreement > 0.99
    (['model-float32.onnx'], True)
    """
    from harness.export.formats import require_writer

    if calibration < 1:
        raise InputError(f"calibration is {calibration}; at least one training crop is needed")
    store, out = Store.default(store, tracking_uri), expand_home(out)
    data = None if data is None else expand_home(data)
    check_output_dir(out, force, store.root, *filter(None, [data]), note=CARD)
    form = require_writer(format)
    chosen = find_finished_run(tracked_records(store), run, seed, store)
    from harness.export import model_files
    from harness.export.finished import read_finished_export

    options = model_files.ExportOptions(form, as_tuple(precisions), embedding, calibration)
    records = None if force else read_finished_export(chosen, options, out)
    if records is not None:
        logger.info(f"{out} contains this export already; use --force to write it again")
    result = ExportResult(out, chosen.record, tuple(records or model_files.export(chosen, options, data, out)))
    if log_model:
        log_to_mlflow(result, store)
    return result


def log_to_mlflow(result: ExportResult, store: Store) -> None:
    """Log the float32 file of an ONNX export as an MLflow model; exports to other formats are not logged."""
    if result.files[0].format == "onnx":
        from harness.export.registry.log_model import log_exported

        for line in log_exported(store, result.record, result.folder):
            logger.info(line)
