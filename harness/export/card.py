"""Model card of an export, `card.json`: use of the files, provenance and scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.regular_files import hash_file
from harness.export.card_reader import KIND, VERSION
from harness.export.formats import Format
from harness.export.network import EMBEDDING, OUTPUTS, ExportNetwork
from harness.export.onnx_graph import VIEWS
from harness.leaderboard.synthetic_training import synthetic_parts_of_run
from harness.metrics.tasks import Task
from harness.smoothing.kernels import SmoothingParams
from harness.tracking.environment import package_version
from harness.video.faces.alignment import TEMPLATE, TEMPLATE_SIDE

if TYPE_CHECKING:
    from backbones.spec import Preprocessing
    from harness.leaderboard.finished_run import FinishedRun

INPUT = "crops"
PACKAGES = ("framelight", "torch", "onnx", "onnxruntime", "openvino", "litert-torch", "ai-edge-litert", "executorch")
"""Packages whose versions are recorded in a card."""


def make_card(  # noqa: PLR0913 - each is a part of the card
    run: FinishedRun,
    network: ExportNetwork,
    form: Format,
    embedding: bool,
    calibration: int,
    causal: SmoothingParams | None = None,
    margin: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the card as JSON values; its list `files` is empty and is filled by the caller.

    Parameters
    ----------
    run : FinishedRun
        The exported run.
    network : ExportNetwork
        Network with heads.
    form : Format
    embedding : bool
        Whether the files return the embedding too.
    calibration : int
        Number of crops that calibrated int8.
    causal : SmoothingParams, optional
        Smoothing for live use, if the run selected one.
    margin : mapping, optional
        Margin of the training crops around the face boxes of a detector, with the keys `scale`, `dx`, `dy` and
        `detector` (the detector's name). None if it could not be estimated.
    """
    task, smoothing = network.task, run.filter
    assert task is not None
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
            "what": f"square crops of one face{_alignment_text(preprocessing)}; resizing ignores the aspect ratio and "
            "is antialiased; the model normalizes them itself",
            **({} if preprocessing.align == "none" else {"align": preprocessing.align}),
        },
        "outputs": {"name": OUTPUTS, "columns": list(task.columns), "blocks": _blocks(task)},
        "embedding": {"name": EMBEDDING, "width": network.backbone.embedding_width} if embedding else None,
        "thresholds": _thresholds(smoothing),
        "smoothing": _smoothing(smoothing),
        "causal": None if causal is None else {**_smoothing(causal), "thresholds": _thresholds(causal)},
        "margin": margin,
        "licence": network.backbone.spec.licence,
        "source": network.backbone.spec.source,
        "calibration": calibration,
        "parameters": network.cost.parameters,
        "macs": network.cost.macs,
        "run": describe_run(run),
        "versions": package_versions(),
        "files": [],
    }


def describe_run(run: FinishedRun) -> dict[str, Any]:
    """Describe the exported run as JSON values."""
    record = run.record
    return {
        "run_id": record.group_id,
        "job_id": record.job_id,
        "seed": record.seed,
        "recipe": record.recipe,
        "protocol": record.protocol,
        "optimistic": run.optimistic,
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
        "synthetic": list(synthetic_parts_of_run(run)),
        "environment": dict(record.environment),
    }


def describe_file(form: Format, path: Path, precision: str) -> dict[str, Any]:
    """Describe an exported file as JSON values; `parts` maps file names to SHA-256 hashes, `size` is in bytes."""
    parts = {part.name: hash_file(part) for part in form.parts(path)}
    digest = parts[path.name] if len(parts) == 1 else hashlib.sha256("".join(parts.values()).encode()).hexdigest()
    return {
        "precision": precision,
        "file": path.name,
        "parts": parts,
        "sha256": digest,
        "size": sum(part.stat().st_size for part in form.parts(path)),
    }


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages among `PACKAGES`."""
    return {name: version for name in PACKAGES if (version := package_version(name))}


def _blocks(task: Task) -> list[dict[str, Any]]:
    slices = task.slices()
    return [
        {
            "name": VIEWS[output.name],
            "from": slices[output.name].start,
            "to": slices[output.name].stop,
            "columns": list(output.columns),
            "activation": output.activation,
        }
        for output in task.outputs
    ]


def _alignment_text(preprocessing: Preprocessing) -> str:
    """Describe how crops must be aligned before they are passed to the model; "" if they need no alignment."""
    if preprocessing.align == "none":
        return ""
    points = ", ".join(f"({x:g}, {y:g})" for x, y in TEMPLATE.tolist())
    return (
        ", aligned by a similarity transform that maps its eyes, nose tip and corners of the mouth to "
        f"{points} in {TEMPLATE_SIDE} x {TEMPLATE_SIDE} pixels (the model does not align them)"
    )


def _smoothing(params: SmoothingParams) -> dict[str, Any]:
    return {"kernel": params.kernel, "radius": params.radius, "gaps": params.gaps}


def _thresholds(params: SmoothingParams) -> list[float] | None:
    return None if params.thresholds is None else list(params.thresholds)
