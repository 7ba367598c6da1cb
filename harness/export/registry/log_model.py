"""Log and register an exported run as an MLflow model, and update the `champion` alias of its leaderboard."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.regular_files import hash_file
from harness.export.registry.champion import reason_not_champion
from harness.export.registry.mlflow_registry import (
    CARD,
    CHAMPION,
    EXAMPLE,
    FILE,
    FOLDER,
    LOADER,
    SHA256,
    ModelWriter,
    Registry,
    Version,
)
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification import RunVerifier
from harness.tracking import locate, remote_job_files, tracked_records
from harness.tracking.records import Record
from harness.tracking.serialization import JOB_TAG
from harness.utils.console import suppress_logging
from harness.utils.errors import FramelightError
from harness.utils.files import write_json
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.tracking.mlflow_api import LoggedModel


EXAMPLE_SIDE = 64
"""Side in pixels of the input example for a file that takes crops of any size. It is small, because MLflow stores the
example as JSON with about 20 characters per pixel."""
PACKAGES = ("onnxruntime", "numpy")


def log_exported(store: Store, record: Record, folder: Path) -> list[str]:
    """Log the float32 ONNX file of an export to the MLflow run of its record, and register it.

    If the same file is registered already, no new version is created.

    Parameters
    ----------
    store : Store
    record : Record
        Record of the exported run.
    folder : Path
        The export, with card.json, example.py and the model file.

    Returns
    -------
    list of str
        Messages for the user.

    Raises
    ------
    FramelightError
        If the model cannot be logged to MLflow; the export itself is complete.
    """
    try:
        return _log_model(store, record, folder)
    except FramelightError as error:
        raise FramelightError(
            f"{folder} was written, but its model was not logged to MLflow (--no-model skips that): {error}"
        ) from error


def _log_model(store: Store, record: Record, folder: Path) -> list[str]:
    file = folder / FILE
    if not file.is_file():
        return [f"not logged to MLflow: the float32 ONNX file {file} does not exist; add --precision float32"]
    location = locate(store)
    registry = Registry(location)
    run_id = registry.run_of(record.job_id)
    if run_id is None:
        return [f"not logged to MLflow: job {record.job_id} is not tracked at {location}"]
    name, tags = model_name(record), _tags(record, file)
    version, new = registry.register(name, run_id, tags, _model_writer(record, folder, tags))
    message = f"{'logged to MLflow as' if new else 'already in MLflow as'} {version.uri}, at {location}"
    significance = SignificanceCache(store, remote_job_files(store))
    with suppress_logging():
        verifier = RunVerifier(store, significance, full=True)
        rows = leaderboard_rows(tracked_records(store), record.task, significance, verifier.verify)
    return [message, _update_champion(registry, version, record, reason_not_champion(record, rows))]


def model_name(record: Record) -> str:
    """Return the name of a run's registered model, `framelight-<task>-<dataset>`; special characters are replaced."""
    return f"framelight-{record.task}-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", record.dataset).strip("-") or "data")


def _update_champion(registry: Registry, version: Version, record: Record, reason: str) -> str:
    """Set the `champion` alias if `reason` is "", and return a message."""
    previous = registry.aliases(version.name).get(CHAMPION)
    champion = f"models:/{version.name}@{CHAMPION}"
    if reason:
        unchanged = (
            ""
            if previous is None
            else f"; {champion} stays version {previous}"
            if previous != version.number
            else f"; {champion} stays this version until a better run is exported"
        )
        return f"not the new champion: {reason}{unchanged}"
    if previous == version.number:
        return f"{champion} is already this version"
    registry.set_alias(version, CHAMPION)
    return (
        f"{champion} is now this version: run {record.group_id} is significantly better than the rest of its "
        "leaderboard" + (f" (previously version {previous})" if previous else "")
    )


def _tags(record: Record, file: Path) -> dict[str, str]:
    values = {
        JOB_TAG: record.job_id,
        "framelight.run_id": record.group_id,
        "framelight.task": record.task,
        "framelight.data_digest": record.data_digest,
        "framelight.split": record.split,
        "framelight.metric": record.metric,
        "framelight.value": f"{record.metrics[record.metric]:z.6f}",
        "framelight.protocol": record.protocol,
        "framelight.backbone": record.backbone or "",
        SHA256: hash_file(file),
    }
    return {name: value for name, value in values.items() if value}


def _model_writer(record: Record, folder: Path, tags: Mapping[str, str]) -> ModelWriter:
    def prepare(to: Path, model: LoggedModel) -> None:
        from harness.export.registry.input_example import synthetic_example
        from harness.tracking.mlflow_api import save_pyfunc

        crops, outputs = _signature(folder / FILE)
        [(_, _, shape)] = crops
        with tempfile.TemporaryDirectory() as temp_dir:
            data = Path(temp_dir) / Path(FOLDER).name
            _copy_export(folder, data)
            save_pyfunc(
                to,
                model,
                LOADER,
                data,
                crops,
                outputs,
                synthetic_example(EXAMPLE_SIDE if shape[1] < 0 else shape[1]),
                [f"{name}=={version_of(name)}" for name in PACKAGES],
                tags,
            )

    return prepare


def _copy_export(folder: Path, data: Path) -> None:
    """Copy the float32 file, the example script, and the card without its entries for other files."""
    data.mkdir()
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["files"] = [entry for entry in card.get("files", ()) if entry["file"] == FILE]
    write_json(data / CARD, card)
    for name in (FILE, EXAMPLE):
        shutil.copyfile(folder / name, data / name)


def _signature(file: Path) -> tuple[list[tuple[str, str, list[int]]], list[tuple[str, str, list[int]]]]:
    """Read name, type and shape of the file's inputs and outputs; -1 stands for any length."""
    from backbones.onnx_session import open_session

    session = open_session(file, threads=1)
    kinds = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
    inputs, outputs = (
        [
            (port.name, kinds[port.type], [side if isinstance(side, int) else -1 for side in port.shape])
            for port in ports
        ]
        for ports in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs
