"""Read and validate the model card of an export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.card import CARD
from backbones.spec import Preprocessing
from harness.export.formats import Format, require_runtime
from harness.metrics.tasks import Task, get_task
from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS, SmoothingParams
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.video.faces.boxes import Margin

if TYPE_CHECKING:
    from harness.export.formats import Format
    from harness.smoothing.kernels import SmoothingParams
    from harness.video.faces.boxes import Margin

KIND, VERSION = "framelight export", 1


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
        SHA-256 by name of each file that it consists of.
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
        The card's entries about the exported run.
    task : Task
    form : Format
    preprocessing : Preprocessing
    filter : SmoothingParams
        Smoothing and thresholds that the run selected.
    causal : SmoothingParams or None
        The same for live use, if the run selected one.
    margin : Margin or None
        Margin of the training crops, if it could be estimated.
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
    files: Mapping[str, ExportedFile]


def read_card(folder: Path) -> ExportCard:
    """Read the card of an export.

    Raises
    ------
    InputError
        If the folder has no card, or the card has another version or a format that cannot be run here.
    FramelightError
        If the card cannot be read or is invalid.
    """
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not an exported model: it has no {CARD}; pass a folder that framelight export wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); export the run again with --force") from error
    if not isinstance(card, dict) or card.get("kind") != KIND or not card.get("files"):
        raise InputError(f"{path} is not the card of an export; pass a folder that framelight export wrote")
    if card.get("version") != VERSION:
        raise InputError(
            f"{path} has format version {card.get('version')}, but this Framelight reads version {VERSION}; "
            "export the run again"
        )
    form = require_runtime(str(card.get("format")))
    try:
        return _parse_card(card, form)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise FramelightError(f"{path} is invalid ({reason}); export the run again with --force") from error


def _parse_card(card: Mapping[str, Any], form: Format) -> ExportCard:
    task, run, margin = get_task(card["task"]), card["run"], card["margin"]
    if tuple(card["outputs"]["columns"]) != task.columns:
        raise ValueError(f"its columns differ from those of task {task.name}")
    missing = [name for name in ("job_id", "backbone", "features", "head") if not isinstance(run.get(name), str)]
    if missing:
        raise ValueError(f"run.{missing[0]} is missing or not a string")
    causal, files = card["causal"], [_parse_file(entry, form) for entry in card["files"]]
    return ExportCard(
        run,
        task,
        form,
        Preprocessing(card["input"]["size"], card["input"]["interpolation"]),
        _parse_smoothing(card["smoothing"], card["thresholds"], task),
        None if causal is None else _parse_smoothing(causal, causal["thresholds"], task),
        None if margin is None else Margin(*(float(margin[name]) for name in ("scale", "dx", "dy"))),
        {file.precision: file for file in files},
    )


def _parse_smoothing(entry: Mapping[str, Any], thresholds: Any, task: Task) -> SmoothingParams:
    params = SmoothingParams(entry["kernel"], entry["radius"], entry["gaps"], _parse_thresholds(thresholds, task))
    if params.kernel not in KERNELS:
        raise unknown_name_error("kernel", params.kernel, KERNELS)
    if params.gaps not in GAPS:
        raise unknown_name_error("gaps", params.gaps, GAPS)
    if not isinstance(params.radius, int) or not 0 <= params.radius <= MAX_RADIUS:
        raise ValueError(f"radius {params.radius!r} is not an integer from 0 to {MAX_RADIUS}")
    return params


def _parse_thresholds(values: Any, task: Task) -> tuple[float, ...] | None:
    if values is None:
        return None
    width = sum(len(output.columns) for output in task.outputs if output.name == "au")
    if len(values) != width:
        raise ValueError(f"{len(values)} thresholds for {width} action units")
    return tuple(map(float, values))


def _parse_file(entry: Mapping[str, Any], form: Format) -> ExportedFile:
    """Raise ValueError for names that lead out of the folder and for files without hashes."""
    file = ExportedFile(str(entry["precision"]), entry["file"], dict(entry["parts"]))
    in_folder = all(Path(name).name == name for name in file.parts)
    if not in_folder or {part.name for part in form.parts(Path(file.name))} != set(file.parts):
        raise ValueError(f"parts of {file.name!r} are missing or have no hash")
    return file
