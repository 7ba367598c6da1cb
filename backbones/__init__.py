"""Backbones: networks that map a face crop to an embedding and class scores.

Importing this package does not import torch; the first use of a name in `LAZY_IMPORTS` does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from backbones.card import read_card
from backbones.catalogue import names, spec
from backbones.checkpoint import save_checkpoint
from backbones.checkpoint_folders import entries
from backbones.errors import BackboneError
from backbones.importing.options import ImportOptions
from backbones.metadata import describe, get_info
from backbones.spec import AFFECTNET, BackboneInfo, BackboneSpec, Preprocessing
from backbones.telemetry import disable_telemetry

if TYPE_CHECKING:
    from backbones.backbone import Backbone, hash_weights
    from backbones.cost import cost
    from backbones.importing.entry import remove_entry
    from backbones.importing.import_weights import import_file
    from backbones.loading import build, load
    from backbones.preprocessing import normalize, prepare, resize
    from backbones.trainable import make_trainable

disable_telemetry()

LAZY_IMPORTS = {
    "Backbone": "backbone",
    "hash_weights": "backbone",
    "build": "loading",
    "load": "loading",
    "make_trainable": "trainable",
    "prepare": "preprocessing",
    "resize": "preprocessing",
    "normalize": "preprocessing",
    "cost": "cost",
    "import_file": "importing.import_weights",
    "remove_entry": "importing.entry",
}

__all__ = [
    "AFFECTNET",
    "Backbone",
    "BackboneError",
    "BackboneInfo",
    "BackboneSpec",
    "ImportOptions",
    "Preprocessing",
    "build",
    "cost",
    "describe",
    "entries",
    "get_info",
    "hash_weights",
    "import_file",
    "load",
    "make_trainable",
    "names",
    "normalize",
    "prepare",
    "read_card",
    "remove_entry",
    "resize",
    "save_checkpoint",
    "spec",
]


def __getattr__(name: str) -> Any:
    if name not in LAZY_IMPORTS:
        raise AttributeError(f"module 'backbones' has no attribute '{name}'")
    return getattr(importlib.import_module(f"backbones.{LAZY_IMPORTS[name]}"), name)
