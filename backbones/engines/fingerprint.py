"""Fingerprints of backbones and machines, the keys of cached exports and measurements."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.processors import available_processors

if TYPE_CHECKING:
    from backbones.backbone import Backbone

LIBRARIES = ("torch", "onnxruntime", "openvino")


def backbone_fingerprint(backbone: Backbone) -> str:
    """Hash architecture, weights, input size and widths of a backbone to 16 hex digits."""
    spec = backbone.spec
    parts = (spec.constructor, backbone.weights_hash, spec.input_size, backbone.embedding_width, backbone.score_width)
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]


@cache
def machine_fingerprint() -> str:
    """Describe the processor, the number of available cores, the GPU and the versions of the inference libraries."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    libraries = ", ".join(f"{name} {_library_version(name)}" for name in LIBRARIES)
    return f"{_processor_name()}, {available_processors()} cores, {gpu}, {libraries}"


@cache
def _processor_name() -> str:
    """Return the processor's name with a hash of its features, since different virtual processors share a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name") or platform._processor() or platform.machine()  # type: ignore[attr-defined]
    features = " ".join(fields.get(key, "") for key in ("cpu family", "model", "stepping", "flags", "Features"))
    return f"{name} {hashlib.sha256(features.encode()).hexdigest()[:8]}"


def _library_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
