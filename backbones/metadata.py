"""Metadata of backbones, read from checkpoint cards or from a cache instead of constructing the network.

The cache is a JSON file chosen by the caller. Its keys include everything that a result depends on: the reference, the
source code of this package, and the versions of torch and timm, whose initialization determines random weights.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache as once
from pathlib import Path
from typing import Any

from backbones import catalogue
from backbones.atomic_files import atomic_write
from backbones.card import info_from_card, read_card
from backbones.checkpoint_folders import entries_by_name
from backbones.engines.cache import read_facts
from backbones.errors import BackboneError
from backbones.references import resolve
from backbones.spec import BackboneInfo


def get_info(reference: str, checkpoints: Path | None = None, cache: Path | None = None) -> BackboneInfo:
    """Return `load(reference, checkpoints).info()`, if possible without importing torch.

    Parameters
    ----------
    reference : str
        NAME[@WEIGHTS], see `backbones.loading`.
    checkpoints : Path, optional
        Folder of the trained and imported backbones (entries).
    cache : Path, optional
        JSON file in which results are cached.

    Returns
    -------
    BackboneInfo
        The metadata of the backbone.

    Raises
    ------
    BackboneError
        If the reference is unknown or its weights cannot be loaded.

    Examples
    --------
    >>> import backbones
    >>> info = backbones.get_info("tiny_resnet@random")
    >>> info.label, info.weights, info.is_random
    ('tiny_resnet (random)', 'random (seed 0)', True)
    """
    source = resolve(reference, checkpoints)
    if source.kind == "checkpoint" and not source.name:
        return info_from_card(read_card(source.folder), reference, checkpoints)
    key = f"{reference} {_environment_key()}"
    cached = read_facts(cache) if cache and source.kind in ("random", "tag") else {}
    if key in cached:
        return BackboneInfo.from_dict(cached[key], checkpoints)
    from backbones.loading import load

    info = load(reference, checkpoints).info()
    _write_cache(cache, source.kind, key, info.as_dict())
    return info


def describe(name: str, checkpoints: Path | None = None, cache: Path | None = None) -> dict[str, Any]:
    """Describe an architecture, or a trained or imported backbone, without initializing or reading weights.

    Parameters
    ----------
    name : str
        A catalogue name, `timm:<model>`, or the name of a trained or imported backbone (an entry).
    checkpoints : Path, optional
        Folder of the trained and imported backbones (entries).
    cache : Path, optional
        JSON file in which results are cached.

    Returns
    -------
    dict
        The keys `name`, `parameters`, `macs`, `embedding_width`, `score_width`, `size_mb`, `input_size`, `licence`,
        `source` and `weights`; for an entry also `architecture` and `card`.

    Raises
    ------
    BackboneError
        If the name is unknown or the card of the entry cannot be read.

    Examples
    --------
    >>> import backbones
    >>> description = backbones.describe("tiny_resnet")
    >>> description["embedding_width"], description["input_size"], description["weights"]
    (128, 64, 'random')
    """
    entry_folders = entries_by_name(checkpoints)
    if name in entry_folders:
        card = read_card(entry_folders[name])
        info = info_from_card(card, name, checkpoints)
        costs = {key: getattr(info, key) for key in ("parameters", "macs", "embedding_width", "score_width", "size_mb")}
        return {
            "name": name,
            **costs,
            "input_size": info.spec.input_size,
            "licence": info.spec.licence,
            "source": info.spec.source,
            "weights": info.weights,
            "architecture": info.spec.name,
            "card": card,
        }
    key = f"describe {name} {_environment_key()}"
    cached = read_facts(cache) if cache else {}
    if key not in cached:
        cached[key] = _describe_architecture(name)
        _write_cache(cache, "description", key, cached[key])
    return cached[key]


def _describe_architecture(name: str) -> dict[str, Any]:
    import torch

    from backbones.backbone import Backbone
    from backbones.loading import construct

    spec = catalogue.spec(name)
    with torch.device("meta"):
        backbone = Backbone(construct(spec, spec.classes), spec, "", name, name, spec.score_labels)
        from backbones.cost import cost

        network_cost = cost(backbone.network, spec.input_size)
    return {
        "name": name,
        "parameters": network_cost.parameters,
        "macs": network_cost.macs,
        "size_mb": network_cost.size_mb,
        "embedding_width": backbone.embedding_width,
        "score_width": backbone.score_width,
        "input_size": spec.input_size,
        "licence": spec.licence,
        "source": spec.source,
        "weights": f"timm {spec.tag}" if spec.tag else "random",
    }


@once
def _environment_key() -> str:
    """Return the versions of torch and timm and a hash of the source of this package without its subpackages."""
    from importlib.metadata import version

    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    versions = " ".join(f"{name}-{version(name)}" for name in ("torch", "timm"))
    return f"{versions} {digest.hexdigest()[:12]}"


def _write_cache(cache: Path | None, kind: str, key: str, value: dict[str, Any]) -> None:
    """Add a value to the cache; a value lost to a write error or a concurrent process only costs time later."""
    if cache is None or kind not in ("random", "tag", "description"):
        return
    values = {k: v for k, v in read_facts(cache).items() if k.endswith(_environment_key())} | {key: value}
    try:
        atomic_write(cache, json.dumps(values, indent=1, sort_keys=True) + "\n")
    except BackboneError:
        return
