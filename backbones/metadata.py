"""What is known of a backbone before it is built: from a checkpoint's card, or from a cache of earlier looks.

The cache is a JSON file the caller names. An answer is kept under everything it depends on: the reference, this
package's own source, and the versions of torch and timm, whose initialisation decides random weights.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from functools import cache as once
from pathlib import Path
from typing import Any

from backbones import catalogue
from backbones.atomic_files import atomic_write
from backbones.checkpoint import entries_by_name, info_from_card, read_card
from backbones.engines.cache import read_facts
from backbones.errors import BackboneError
from backbones.references import resolve
from backbones.spec import BackboneInfo


def get_info(reference: str, checkpoints: Path | None = None, cache: Path | None = None) -> BackboneInfo:
    """What `load(reference, checkpoints).info()` would say; torch is imported only for what no card or cache tells."""
    source = resolve(reference, checkpoints)
    if source.kind == "checkpoint" and not source.name:
        return info_from_card(read_card(source.folder), reference, checkpoints)
    key = f"{reference} {_environment_key()}"
    known = read_facts(cache) if cache and source.kind in ("random", "tag") else {}
    if key in known:
        return BackboneInfo.from_dict(known[key], checkpoints)
    from backbones.loading import load

    info = load(reference, checkpoints).info()
    _write_cache(cache, source.kind, key, info.as_dict())
    return info


def describe(name: str, checkpoints: Path | None = None, cache: Path | None = None) -> dict[str, Any]:
    """Parameters, MACs, widths, size, licence and source of an architecture or a trained entry; no weights are made.

    Keys: name, parameters, macs, embedding_width, score_width, size_mb, input_size, licence, source, weights.
    """
    found = entries_by_name(checkpoints)
    if name in found:
        card = read_card(found[name])
        info = info_from_card(card, name, checkpoints)
        shown = {key: getattr(info, key) for key in ("parameters", "macs", "embedding_width", "score_width", "size_mb")}
        return {
            "name": name,
            **shown,
            "input_size": info.spec.input_size,
            "licence": info.spec.licence,
            "source": info.spec.source,
            "weights": info.weights,
            "architecture": info.spec.name,
            "card": card,
        }
    key = f"describe {name} {_environment_key()}"
    known = read_facts(cache) if cache else {}
    if key not in known:
        known[key] = _describe_architecture(name)
        _write_cache(cache, "description", key, known[key])
    return known[key]


def _describe_architecture(name: str) -> dict[str, Any]:
    import torch

    from backbones.backbone import Backbone
    from backbones.loading import construct

    spec = catalogue.spec(name)
    with torch.device("meta"):
        backbone = Backbone(construct(spec, spec.classes), spec, "", name, name, spec.score_labels)
        from backbones.cost import cost

        spent = cost(backbone.network, spec.input_size)
    return {
        "name": name,
        "parameters": spent.parameters,
        "macs": spent.macs,
        "size_mb": spent.size_mb,
        "embedding_width": backbone.embedding_width,
        "score_width": backbone.score_width,
        "input_size": spec.input_size,
        "licence": spec.licence,
        "source": spec.source,
        "weights": f"timm {spec.tag}" if spec.tag else "random",
    }


@once
def _environment_key() -> str:
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    versions = " ".join(f"{name}-{importlib.metadata.version(name)}" for name in ("torch", "timm"))
    return f"{versions} {total.hexdigest()[:12]}"


def _write_cache(cache: Path | None, kind: str, key: str, value: dict[str, Any]) -> None:
    """Two processes may each lose the other's answer: it is found again, never wrong. No cache is no error."""
    if cache is None or kind not in ("random", "tag", "description"):
        return
    known = {k: v for k, v in read_facts(cache).items() if k.endswith(_environment_key())} | {key: value}
    try:
        atomic_write(cache, json.dumps(known, indent=1, sort_keys=True) + "\n")
    except BackboneError:
        return
