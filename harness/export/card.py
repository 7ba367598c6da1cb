"""card.json: what someone who meets an exported file elsewhere must know to use it and to trust it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.checkpoint import CARD, hash_file
from backbones.spec import Preprocessing
from harness.export.formats import Format, require_runtime
from harness.export.network import EMBEDDING, OUTPUTS, ExportNetwork
from harness.export.onnx_graph import VIEWS
from harness.metrics.tasks import Task, get_task
from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS, SmoothingParams
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.video.faces.boxes import Margin

if TYPE_CHECKING:
    from harness.export.formats import Format
    from harness.leaderboard.runs import FinishedRun
    from harness.smoothing.kernels import SmoothingParams
    from harness.video.faces.boxes import Margin


__all__ = ["CARD", "KIND", "VERSION", "describe_file", "make_card", "package_versions"]

KIND, VERSION = "framelight export", 1
INPUT = "crops"


def make_card(  # noqa: PLR0913 - each is a part of the card
    chosen: FinishedRun,
    network: ExportNetwork,
    form: Format,
    embedding: bool,
    calibration: int,
    causal: SmoothingParams | None = None,
    margin: Margin | None = None,
) -> dict[str, Any]:
    """JSON values; `files` is left to be filled in. causal: what was chosen for live use, where that was done;
    margin: of the crops that the run learned from, around the boxes of the default detector, where it is known.
    """
    record, task, own = chosen.record, network.task, chosen.filter
    preprocessing, size = network.backbone.spec.preprocessing, network.size
    return {
        "kind": KIND,
        "version": VERSION,
        "format": form.name,
        "task": task.name,
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "layout": "NHWC",
            "colours": "RGB",
            "size": size,
            "any_size": form.any_size(network),
            "interpolation": preprocessing.interpolation,
            "what": "square crops of one face; resizing keeps no aspect ratio and is antialiased; "
            "normalisation is inside",
        },
        "outputs": {"name": OUTPUTS, "columns": list(task.columns), "blocks": _blocks(network)},
        "embedding": {"name": EMBEDDING, "width": network.backbone.embedding_width} if embedding else None,
        "thresholds": _thresholds(own),
        "smoothing": _smoothing(own),
        "causal": None if causal is None else {**_smoothing(causal), "thresholds": _thresholds(causal)},
        "margin": None if margin is None else {"scale": margin.scale, "dx": margin.dx, "dy": margin.dy},
        "licence": network.backbone.spec.licence,
        "source": network.backbone.spec.source,
        "calibration": calibration,
        "parameters": network.cost.parameters,
        "macs": network.cost.macs,
        "run": {
            "run_id": record.group_id,
            "job_id": record.job_id,
            "seed": record.seed,
            "recipe": record.recipe,
            "protocol": record.protocol,
            "optimistic": chosen.optimistic,
            "flags": list(record.flags),
            "dataset": record.dataset,
            "data_digest": record.data_digest,
            "split": record.split,
            "metric": record.metric,
            "value": record.metrics[record.metric],
            "ci_low": record.ci_low,
            "ci_high": record.ci_high,
            "backbone": record.backbone,
            "backbone_weights": record.backbone_weights,
            "weights_hash": record.weights_hash,
            "features": record.features,
            "head": record.head,
            "environment": dict(record.environment),
        },
        "versions": package_versions(),
        "files": [],
    }


def describe_file(form: Format, path: Path, precision: str) -> dict[str, Any]:
    """What identifies an exported file: `parts` are the sha256 of each file that it is made of; `size` is in bytes."""
    parts = {part.name: hash_file(part) for part in form.parts(path)}
    whole = parts[path.name] if len(parts) == 1 else hashlib.sha256("".join(parts.values()).encode()).hexdigest()
    return {
        "precision": precision,
        "file": path.name,
        "parts": parts,
        "sha256": whole,
        "size": sum(part.stat().st_size for part in form.parts(path)),
    }


def package_versions(
    packages: Sequence[str] = (
        "framelight",
        "torch",
        "onnx",
        "onnxruntime",
        "openvino",
        "litert-torch",
        "ai-edge-litert",
        "executorch",
    ),
) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _blocks(network: ExportNetwork) -> list[dict[str, Any]]:
    slices = network.task.slices()
    return [
        {
            "name": VIEWS[output.name],
            "from": slices[output.name].start,
            "to": slices[output.name].stop,
            "columns": list(output.columns),
            "activation": output.activation,
        }
        for output in network.task.outputs
    ]


def _smoothing(own: SmoothingParams) -> dict[str, Any]:
    return {"kernel": own.kernel, "radius": own.radius, "gaps": own.gaps}


def _thresholds(own: SmoothingParams) -> list[float] | None:
    return None if own.thresholds is None else list(own.thresholds)


@dataclass(frozen=True)
class ExportedFile:
    """precision: of its weights; name: in the folder; parts: SHA-256 of each file that it is made of, by name."""

    precision: str
    name: str
    parts: Mapping[str, str]


@dataclass(frozen=True)
class ExportCard:
    """run: what the card says of the run; filter, causal: what that chose to do with outputs, offline and, where that
    was chosen, live; margin: of the crops it learned from, where it is known; files: by precision, at least one.
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
    """InputError where the folder holds no card, or one of another version, or of a format that cannot be run here;
    FramelightError where it cannot be understood.
    """
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
        raise InputError(
            f"{path} is of version {card.get('version')}, but this Framelight reads version {VERSION}; "
            "export the run again"
        )
    form = require_runtime(str(card.get("format")))
    try:
        return _parse_card(card, form)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise FramelightError(f"{path} cannot be understood ({said}); export the run again with --force") from error


def _parse_card(card: Mapping[str, Any], form: Format) -> ExportCard:
    task, run, margin = get_task(card["task"]), card["run"], card["margin"]
    if tuple(card["outputs"]["columns"]) != task.columns:
        raise ValueError(f"its columns are not those of task {task.name} here")
    absent = [name for name in ("job_id", "backbone", "features", "head") if not isinstance(run.get(name), str)]
    if absent:
        raise ValueError(f"it does not say the {absent[0]} of its run")
    causal, files = card["causal"], [_parse_file(one, form) for one in card["files"]]
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


def _parse_smoothing(told: Mapping[str, Any], thresholds: Any, task: Task) -> SmoothingParams:
    found = SmoothingParams(told["kernel"], told["radius"], told["gaps"], _parsed_thresholds(thresholds, task))
    if found.kernel not in KERNELS:
        raise unknown_name_error("kernel", found.kernel, KERNELS)
    if found.gaps not in GAPS:
        raise unknown_name_error("gaps", found.gaps, GAPS)
    if not isinstance(found.radius, int) or not 0 <= found.radius <= MAX_RADIUS:
        raise ValueError(f"radius {found.radius!r} is no whole number from 0 to {MAX_RADIUS}")
    return found


def _parsed_thresholds(told: Any, task: Task) -> tuple[float, ...] | None:
    if told is None:
        return None
    width = sum(len(output.columns) for output in task.outputs if output.name == "au")
    if len(told) != width:
        raise ValueError(f"{len(told)} thresholds for {width} action units")
    return tuple(map(float, told))


def _parse_file(told: Mapping[str, Any], form: Format) -> ExportedFile:
    """ValueError for names that lead out of the folder, and files whose hashes are not told."""
    file = ExportedFile(str(told["precision"]), told["file"], dict(told["parts"]))
    plain = all(Path(name).name == name for name in file.parts)
    if not plain or {part.name for part in form.parts(Path(file.name))} != set(file.parts):
        raise ValueError(f"it does not name the parts of {file.name!r} with their hashes")
    return file
