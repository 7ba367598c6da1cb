"""An exported run becomes a model in MLflow, and the champion of its board where it leads beyond the tie."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from harness.data.image_decoding import decode_image
from harness.data.synthetic.stills import write_subject
from harness.export.registry.champion import reason_not_champion
from harness.export.registry.registry import CARD, CHAMPION, EXAMPLE, FILE, FOLDER, LOADER, SHA256
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.tracking import locate, remote_job_files, tracked_records
from harness.tracking.records import Record
from harness.tracking.serialization import JOB_TAG
from harness.utils.console import suppress_logging
from harness.utils.errors import FramelightError
from harness.utils.files import sha256, write_json
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.export.registry.registry import ModelWriter, Registry, Version
    from harness.tracking.mlflow_api import LoggedModel


def synthetic_example(side: int | None = None) -> np.ndarray:
    """uint8 [1, S, S, 3] RGB; side: S where a model takes no other, else 112."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        write_subject(Path(folder), seed=0, index=0, images=1)
        [path] = Path(folder).glob("images/*.jpg")
        crop = decode_image(path)
    if side is not None:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    return crop[None]


EXAMPLE_SIDE = 64
"""Pixels of the drawn crop that shows what the model takes: as JSON each costs some twenty characters."""
PACKAGES = ("onnxruntime", "numpy")


def log_exported(store: Store, record: Record, folder: Path) -> list[str]:
    """Log the float32 ONNX file of an export to the MLflow run of `record`, and register it; what happened, in lines.

    folder: of the export, with card.json, example.py and the file. The same file again makes no second version.
    Raises FramelightError where MLflow cannot be written; the export is whole even then.
    """
    try:
        return _log_model(store, record, folder)
    except FramelightError as error:
        raise FramelightError(
            f"{folder} is written, but its model was not logged (--no-model leaves that out): {error}"
        ) from error


def _log_model(store: Store, record: Record, folder: Path) -> list[str]:
    file = folder / FILE
    if not file.is_file():
        return [f"not logged to MLflow, which is given the float32 ONNX file: {file} is not there"]
    from harness.export.registry.registry import Registry

    location = locate(store)
    registry = Registry(location)
    run_id = registry.run_of(record.job_id)
    if run_id is None:
        return [f"not logged to MLflow: job {record.job_id} is not tracked at {location.uri}"]
    name, tags = model_name(record), _tags(record, file)
    version, new = registry.register(name, run_id, tags, _model_writer(record, folder, tags))
    said = f"{'logged to MLflow as' if new else 'already in MLflow as'} {version.uri}, at {location.uri}"
    evidence = SignificanceCache(store, remote_job_files(store))
    with suppress_logging():
        listed = leaderboard_rows(tracked_records(store), record.task, evidence)
    return [said, _update_champion(registry, version, record, reason_not_champion(record, listed))]


def model_name(record: Record) -> str:
    """`framelight-<task>-<data set>` in the letters that MLflow and shells take."""
    return f"framelight-{record.task}-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", record.dataset).strip("-") or "data")


def _update_champion(registry: Registry, version: Version, record: Record, why: str) -> str:
    before = registry.aliases(version.name).get(CHAMPION)
    champion = f"models:/{version.name}@{CHAMPION}"
    if why:
        kept = (
            ""
            if before is None
            else f"; {champion} stays version {before}"
            if before != version.number
            else f"; {champion} is still this version, until another run leads and is exported"
        )
        return f"not made the champion: {why}{kept}"
    if before == version.number:
        return f"{champion} is this version already"
    registry.set_alias(version, CHAMPION)
    return f"{champion} is now this version: run {record.group_id} leads its board beyond the tie" + (
        f" (it was version {before})" if before else ""
    )


def _tags(record: Record, file: Path) -> dict[str, str]:
    values = {
        JOB_TAG: record.job_id,
        "framelight.run_id": record.group_id,
        "framelight.task": record.task,
        "framelight.data_digest": record.data_digest,
        "framelight.split": record.split,
        "framelight.metric": record.metric,
        "framelight.value": f"{record.metrics[record.metric]:.6f}",
        "framelight.protocol": record.protocol,
        "framelight.backbone": record.backbone or "",
        SHA256: sha256(file),
    }
    return {name: value for name, value in values.items() if value}


def _model_writer(record: Record, folder: Path, tags: Mapping[str, str]) -> ModelWriter:
    def prepare(to: Path, model: LoggedModel) -> None:
        from harness.tracking.mlflow_api import save_pyfunc

        crops, outputs = _signature(folder / FILE)
        [(_, _, shape)] = crops
        with tempfile.TemporaryDirectory() as aside:
            data = Path(aside) / Path(FOLDER).name
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
    """The float32 file alone, and a card that speaks of no other."""
    data.mkdir()
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["files"] = [one for one in card.get("files", ()) if one["file"] == FILE]
    write_json(data / CARD, card)
    for name in (FILE, EXAMPLE):
        shutil.copyfile(folder / name, data / name)


def _signature(file: Path) -> tuple[list[tuple[str, str, list[int]]], list[tuple[str, str, list[int]]]]:
    """(name, type, shape) of what the file takes and gives; -1 for any length."""
    from onnxruntime import InferenceSession

    session = InferenceSession(file, providers=["CPUExecutionProvider"])
    kinds = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
    taken, given = (
        [
            (port.name, kinds[port.type], [side if isinstance(side, int) else -1 for side in port.shape])
            for port in ports
        ]
        for ports in (session.get_inputs(), session.get_outputs())
    )
    return taken, given
