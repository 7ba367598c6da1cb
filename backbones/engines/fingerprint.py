"""What a kept export or measurement belongs to: one network with its weights, one machine with its libraries."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbones.backbone import Backbone

LIBRARIES = ("torch", "onnxruntime", "openvino")


def backbone_fingerprint(backbone: Backbone) -> str:
    """16 hex digits of its architecture, weights, input size and widths."""
    spec = backbone.spec
    parts = (spec.constructor, backbone.weights_hash, spec.input_size, backbone.embedding_width, backbone.score_width)
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]


@cache
def machine_fingerprint() -> str:
    """The processor, its cores, the GPU and the versions of what runs networks, in words."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    libraries = ", ".join(f"{name} {_library_version(name)}" for name in LIBRARIES)
    return f"{_processor_name()}, {os.cpu_count()} cores, {gpu}, {libraries}"


@cache
def _processor_name() -> str:
    """The processor's model as the system names it, and a hash of what it can do: virtual ones share their names."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform._processor() or platform.machine()
    can = " ".join(told.get(key, "") for key in ("cpu family", "model", "stepping", "flags", "Features"))
    return f"{name} {hashlib.sha256(can.encode()).hexdigest()[:8]}"


def _library_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
