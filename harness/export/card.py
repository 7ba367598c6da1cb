"""card.json: what someone who meets an exported file elsewhere must know to use it and to trust it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.checkpoint import CARD, hash_file
from harness.export.graph import VIEWS
from harness.export.network import EMBEDDING, OUTPUTS, Network

if TYPE_CHECKING:
    from harness.export.formats import Format
    from harness.leaderboard.runs import Chosen
    from harness.smoothing.kernels import Filter
    from harness.video.faces.boxes import Margin

__all__ = ["CARD", "KIND", "VERSION", "card_of", "file_of", "versions"]

KIND, VERSION = "framelight export", 1
INPUT = "crops"


def card_of(chosen: Chosen, network: Network, form: Format, embedding: bool, calibration: int,
            causal: Filter | None = None, margin: Margin | None = None) -> dict[str, Any]:
    """JSON values; `files` is left to be filled in. causal: what was chosen for live use, where that was done;
    margin: of the crops that the run learned from, around the boxes of the default detector, where it is known."""
    record, task, own = chosen.record, network.task, chosen.filter
    preprocessing, size = network.backbone.spec.preprocessing, network.size
    return {
        "kind": KIND, "version": VERSION, "format": form.name, "task": task.name,
        "input": {"name": INPUT, "dtype": "uint8", "layout": "NHWC", "colours": "RGB", "size": size,
                  "any_size": form.any_size(network), "interpolation": preprocessing.interpolation,
                  "what": "square crops of one face; resizing keeps no aspect ratio and is antialiased; "
                          "normalisation is inside"},
        "outputs": {"name": OUTPUTS, "columns": list(task.columns), "blocks": _blocks(network)},
        "embedding": {"name": EMBEDDING, "width": network.backbone.embedding_width} if embedding else None,
        "thresholds": _thresholds(own), "smoothing": _smoothing(own),
        "causal": None if causal is None else {**_smoothing(causal), "thresholds": _thresholds(causal)},
        "margin": None if margin is None else {"scale": margin.scale, "dx": margin.dx, "dy": margin.dy},
        "licence": network.backbone.spec.licence, "source": network.backbone.spec.source,
        "calibration": calibration,
        "parameters": network.cost.parameters, "macs": network.cost.macs,
        "run": {"run_id": record.group_id, "job_id": record.job_id, "seed": record.seed, "recipe": record.recipe,
                "protocol": record.protocol, "optimistic": chosen.optimistic, "flags": list(record.flags),
                "dataset": record.dataset, "data_digest": record.data_digest, "split": record.split,
                "metric": record.metric, "value": record.metrics[record.metric], "ci_low": record.ci_low,
                "ci_high": record.ci_high, "backbone": record.backbone, "backbone_weights": record.backbone_weights,
                "weights_hash": record.weights_hash, "features": record.features, "head": record.head,
                "environment": dict(record.environment)},
        "versions": versions(), "files": []}


def file_of(form: Format, path: Path, precision: str) -> dict[str, Any]:
    """What identifies an exported file: `parts` are the sha256 of each file that it is made of; `size` is in bytes."""
    parts = {part.name: hash_file(part) for part in form.parts(path)}
    whole = parts[path.name] if len(parts) == 1 else hashlib.sha256("".join(parts.values()).encode()).hexdigest()
    return {"precision": precision, "file": path.name, "parts": parts, "sha256": whole,
            "size": sum(part.stat().st_size for part in form.parts(path))}


def versions(packages: Sequence[str] = ("framelight", "torch", "onnx", "onnxruntime", "openvino", "litert-torch",
                                        "ai-edge-litert", "executorch")) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _blocks(network: Network) -> list[dict[str, Any]]:
    slices = network.task.slices()
    return [{"name": VIEWS[output.name], "from": slices[output.name].start, "to": slices[output.name].stop,
             "columns": list(output.columns), "activation": output.activation} for output in network.task.outputs]


def _smoothing(own: Filter) -> dict[str, Any]:
    return {"kernel": own.kernel, "radius": own.radius, "gaps": own.gaps}


def _thresholds(own: Filter) -> list[float] | None:
    return None if own.thresholds is None else list(own.thresholds)
