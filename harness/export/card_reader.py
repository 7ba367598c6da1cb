"""Read and validate the model card of an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.card import CARD
from backbones.errors import BackboneError
from backbones.spec import Preprocessing
from harness.export.formats import Format, require_runtime
from harness.metrics.tasks import Task, get_task
from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS, SmoothingParams
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.json_checks import Check, find_faults, is_count, is_label, is_number, shorten_value
from harness.utils.json_text import read_json
from harness.utils.names import is_file_name, is_id
from harness.video.faces.boxes import Margin
from harness.video.faces.detector import HAAR

KIND, VERSION = "framelight export", 1
MAX_MARGIN = 100
"""Maximum scale and maximum absolute offset of a margin, relative to the side of a box."""


@dataclass(frozen=True)
class ExportedFile:
    """One model file of an export.

    Attributes
    ----------
    precision : str
        Precision of the weights.
    name : str
        Name of the file in the folder of the export.
    parts : mapping of str to str
        SHA-256 of each file that the model consists of, by the name of the file.
    """

    precision: str
    name: str
    parts: Mapping[str, str]


@dataclass(frozen=True)
class ExportCard:
    """Parsed `card.json`.

    Attributes
    ----------
    run : mapping
        Description of the exported run; see `harness.export.card.describe_run`.
    task : Task
    form : Format
    preprocessing : Preprocessing
    filter : SmoothingParams
        Smoothing and thresholds that the run selected.
    causal : SmoothingParams or None
        Smoothing and thresholds for live use, if the run selected any.
    margin : Margin or None
        Margin of the training crops, if it could be estimated.
    margin_detector : str
        Name of the face detector with which the margin was estimated.
    files : mapping of str to ExportedFile
        Files by precision, at least one.
    """

    run: Mapping[str, Any]
    task: Task
    form: Format
    preprocessing: Preprocessing
    filter: SmoothingParams
    causal: SmoothingParams | None
    margin: Margin | None
    margin_detector: str
    files: Mapping[str, ExportedFile]


def read_card(folder: Path) -> ExportCard:
    """Read the card of an export.

    Raises
    ------
    InputError
        If the folder has no card, the card cannot be read or is invalid, its version is not supported, or files of its
        format cannot be run here.
    """
    path = Path(folder) / CARD
    try:
        card = read_json(path)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not an exported model: it has no {CARD}; pass a folder that framelight export wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); export the run again with --force") from error
    if not isinstance(card, dict) or card.get("kind") != KIND or not card.get("files"):
        raise InputError(f"{path} is not the card of an export; pass a folder that framelight export wrote")
    _check_version(path, card.get("version"))
    form = require_runtime(shorten_value(card.get("format")).strip("'"))
    try:
        return _parse_card(card, form)
    except BackboneError as error:
        raise InputError(f"{path} is invalid ({error.message}); export the run again with --force") from error
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InputError(f"{path} is invalid ({reason}); export the run again with --force") from error


def _check_version(path: Path, version: Any) -> None:
    if is_count(version) and version > VERSION:
        raise InputError(
            f"{path} was written by a newer version of Framelight (format {version}; this version reads {VERSION}); "
            "upgrade Framelight"
        )
    if not is_count(version) or version != VERSION:
        raise InputError(
            f"{path} has format version {shorten_value(version)}, but this Framelight reads version {VERSION}; "
            "export the run again"
        )


def _parse_card(card: Mapping[str, Any], form: Format) -> ExportCard:
    task, run, margin = get_task(card["task"]), card["run"], card["margin"]
    if tuple(card["outputs"]["columns"]) != task.columns:
        raise ValueError(f"its columns differ from those of task {task.name}")
    faults = find_faults({name: run.get(name) for name in RUN_FIELDS}, RUN_FIELDS)
    if faults:
        raise ValueError(f"run.{faults[0]}")
    causal, files = card["causal"], [_parse_file(entry, form) for entry in card["files"]]
    return ExportCard(
        run,
        task,
        form,
        Preprocessing(card["input"]["size"], card["input"]["interpolation"], align=card["input"].get("align", "none")),
        _parse_smoothing(card["smoothing"], card["thresholds"], task),
        None if causal is None else _parse_smoothing(causal, causal["thresholds"], task),
        None if margin is None else _parse_margin(margin),
        HAAR if margin is None else str(margin.get("detector", HAAR)),
        {file.precision: file for file in files},
    )


def _parse_margin(margin: Mapping[str, Any]) -> Margin:
    values = [margin[name] for name in ("scale", "dx", "dy")]
    if not all(is_number(value) and abs(value) <= MAX_MARGIN for value in values) or values[0] <= 0:
        raise ValueError("the margin is not a positive scale and two offsets")
    return Margin(*map(float, values))


def _parse_smoothing(entry: Mapping[str, Any], thresholds: Any, task: Task) -> SmoothingParams:
    params = SmoothingParams(entry["kernel"], entry["radius"], entry["gaps"], _parse_thresholds(thresholds, task))
    if params.kernel not in KERNELS:
        raise unknown_name_error("kernel", params.kernel, KERNELS)
    if params.gaps not in GAPS:
        raise unknown_name_error("gaps", params.gaps, GAPS)
    if not is_count(params.radius) or params.radius > MAX_RADIUS:
        raise ValueError(f"radius {shorten_value(params.radius)} is not an integer from 0 to {MAX_RADIUS}")
    return params


def _parse_thresholds(values: Any, task: Task) -> tuple[float, ...] | None:
    if values is None:
        return None
    width = sum(len(output.columns) for output in task.outputs if output.name == "au")
    if not isinstance(values, list) or len(values) != width or not all(map(is_number, values)):
        raise ValueError(f"thresholds are not {width} numbers, one for each action unit")
    return tuple(map(float, values))


def _parse_file(entry: Mapping[str, Any], form: Format) -> ExportedFile:
    """Parse the description of one file; raise ValueError if a path leaves the folder or a part has no hash."""
    faults = find_faults({name: entry[name] for name in FILE_FIELDS}, FILE_FIELDS)
    if faults:
        raise ValueError(faults[0])
    file = ExportedFile(entry["precision"], entry["file"], dict(entry["parts"]))
    if not all(map(is_file_name, file.parts)) or not all(map(is_id, file.parts.values())):
        raise ValueError(f"the parts of {file.name} do not map file names to hashes")
    if {part.name for part in form.parts(Path(file.name))} != set(file.parts):
        raise ValueError(f"parts of {file.name} are missing or have no hash")
    return file


_LABEL: Check = (is_label, "printable text")
RUN_FIELDS: Mapping[str, Check] = {
    "job_id": (is_id, "an id"),
    "run_id": (lambda value: value is None or is_id(value), "an id"),
    "backbone": _LABEL,
    "features": _LABEL,
    "head": _LABEL,
}
FILE_FIELDS: Mapping[str, Check] = {
    "precision": (is_id, "the name of a precision"),
    "file": (is_file_name, "the name of a file"),
    "parts": (lambda value: isinstance(value, dict), "a mapping of file names to hashes"),
}
