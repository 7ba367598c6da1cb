"""What card.json of an export says, as values that a model can be made of. Whoever wrote it is not trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.spec import Preprocessing
from harness.export.card import CARD, KIND, VERSION
from harness.export.formats import Format, readable
from harness.metrics.tasks import Task
from harness.metrics.tasks import task as task_named
from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS, Filter
from harness.utils.errors import FramelightError, InputError, unknown
from harness.video.faces.boxes import Margin


@dataclass(frozen=True)
class File:
    """precision: of its weights; name: in the folder; parts: SHA-256 of each file that it is made of, by name."""

    precision: str
    name: str
    parts: Mapping[str, str]


@dataclass(frozen=True)
class Told:
    """run: what the card says of the run; filter, causal: what that chose to do with outputs, offline and, where that
    was chosen, live; margin: of the crops it learned from, where it is known; files: by precision, at least one."""

    run: Mapping[str, Any]
    task: Task
    form: Format
    preprocessing: Preprocessing
    filter: Filter
    causal: Filter | None
    margin: Margin | None
    files: Mapping[str, File]


def read_card(folder: Path) -> Told:
    """InputError where the folder holds no card, or one of another version, or of a format that cannot be run here;
    FramelightError where it cannot be understood."""
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not the folder of an export: it has no {CARD}") from error
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path} cannot be read ({error}); export the run again with --force") from error
    if not isinstance(card, dict) or card.get("kind") != KIND or not card.get("files"):
        raise InputError(f"{path} is not the card of an export")
    if card.get("version") != VERSION:
        raise InputError(f"{path} is of version {card.get('version')}, but this Framelight reads version {VERSION}; "
                         "export the run again")
    form = readable(str(card.get("format")))
    try:
        return _told(card, form)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise FramelightError(f"{path} cannot be understood ({said}); export the run again with --force") from error


def _told(card: Mapping[str, Any], form: Format) -> Told:
    task, run, margin = task_named(card["task"]), card["run"], card["margin"]
    if tuple(card["outputs"]["columns"]) != task.columns:
        raise ValueError(f"its columns are not those of task {task.name} here")
    absent = [name for name in ("job_id", "backbone", "features", "head") if not isinstance(run.get(name), str)]
    if absent:
        raise ValueError(f"it does not say the {absent[0]} of its run")
    causal, files = card["causal"], [_file(one, form) for one in card["files"]]
    return Told(
        run, task, form, Preprocessing(card["input"]["size"], card["input"]["interpolation"]),
        _filter(card["smoothing"], card["thresholds"], task),
        None if causal is None else _filter(causal, causal["thresholds"], task),
        None if margin is None else Margin(*(float(margin[name]) for name in ("scale", "dx", "dy"))),
        {file.precision: file for file in files})


def _filter(told: Mapping[str, Any], thresholds: Any, task: Task) -> Filter:
    found = Filter(told["kernel"], told["radius"], told["gaps"], _thresholds(thresholds, task))
    if found.kernel not in KERNELS:
        raise unknown("kernel", found.kernel, KERNELS)
    if found.gaps not in GAPS:
        raise unknown("gaps", found.gaps, GAPS)
    if not isinstance(found.radius, int) or not 0 <= found.radius <= MAX_RADIUS:
        raise ValueError(f"radius {found.radius!r} is no whole number from 0 to {MAX_RADIUS}")
    return found


def _thresholds(told: Any, task: Task) -> tuple[float, ...] | None:
    if told is None:
        return None
    width = sum(len(output.columns) for output in task.outputs if output.name == "au")
    if len(told) != width:
        raise ValueError(f"{len(told)} thresholds for {width} action units")
    return tuple(map(float, told))


def _file(told: Mapping[str, Any], form: Format) -> File:
    """ValueError for names that lead out of the folder, and files whose hashes are not told."""
    file = File(str(told["precision"]), told["file"], dict(told["parts"]))
    plain = all(Path(name).name == name for name in file.parts)
    if not plain or {part.name for part in form.parts(Path(file.name))} != set(file.parts):
        raise ValueError(f"it does not name the parts of {file.name!r} with their hashes")
    return file
