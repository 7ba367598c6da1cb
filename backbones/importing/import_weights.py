"""From a file of weights to an entry: what it is, is told by its content, not by its name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones import catalogue
from backbones.backbone import Backbone
from backbones.errors import BackboneError
from backbones.importing import architectures, vggface_files
from backbones.importing.class_names import PUBLISHED_ORDERS, resolve_score_labels
from backbones.importing.entry import save_entry, validate_entry_name
from backbones.importing.matching import Match, match_architecture, strip_prefixes
from backbones.importing.torch_files import WeightsFile, read_torch_file
from backbones.loading import construct
from backbones.onnx_graph import is_onnx
from backbones.spec import BackboneSpec, Preprocessing

logger = logging.getLogger(__name__)

PICKLE_FIRST_BYTES = tuple(b"\x80c(]}")
MAX_NAME_LENGTH = 300
FACE_SIZES = {"timm:mobilevitv2_150": 224}
"""Input sizes of published emotion weights where they are not those timm's own weights have (EmotiEffLib)."""


def import_file(
    path: Path, name: str, checkpoints: Path, architecture: str | None = None, classes: Sequence[str] | None = None
) -> Path:
    """Make a file of weights the entry `name` of `checkpoints`; returns its folder.

    Files: safetensors, torch.save's (networks, state dicts, Lightning checkpoints; nothing in them is run), VGG-16
    faces, ONNX. architecture: a catalogue name or timm's; without it, it is found by the tensors. classes: names of
    the score columns; without them the published orders for 7 to 10 columns, else none.
    A file without a classifier becomes a backbone that gives embeddings alone: its scores are [N, 0].
    An entry that is the same already is left as it is. BackboneError says what is wrong and what to do.
    """
    path = Path(path)
    validate_entry_name(name)
    if is_onnx(path):
        return _import_onnx_file(path, name, Path(checkpoints), architecture, classes)
    found, what = _read_weights_file(path)
    _require_tensors(found.state, path)
    state, _ = strip_prefixes(found.state)
    _require_finite(state, path)
    if vggface_files.is_vggface(state) and architecture in (None, catalogue.VGGFACE.name):
        backbone = vggface_files.build_vggface(state, path, classes)
        if architecture is None:
            vggface_files.log_assumed_pixels(state)
    else:
        named = architecture or _get_metadata(found, "architecture", str)
        match = match_architecture(found, named, path)
        if named is None and found.tree is None:
            _warn_tf_padding(match)
        backbone = _build_backbone(found, match, classes, path, name)
    _require_forward(backbone, path)
    folder = save_entry(backbone, path, name, Path(checkpoints), {"file_format": what})
    _log_summary(backbone, what)
    return folder


def _import_onnx_file(
    path: Path, name: str, checkpoints: Path, architecture: str | None, classes: Sequence[str] | None
) -> Path:
    from backbones.importing.onnx_files import import_onnx

    if architecture is not None:
        raise BackboneError(f"{path} is an ONNX model, which is its own architecture", "leave --architecture out")
    return import_onnx(path, name, checkpoints, classes)


def _read_weights_file(path: Path) -> tuple[WeightsFile, str]:
    """The tensors of a file, and what it is in words."""
    try:
        with open(path, "rb") as file:
            head = file.read(9)
        size = path.stat().st_size
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}") from error
    if head[:2] == b"PK" or (head[:1] and head[0] in PICKLE_FIRST_BYTES):
        found = read_torch_file(path)
        kind = {
            "module": f"torch module {found.tree.kind if found.tree else ''}",
            "state": "torch state dict",
            "lightning": "Lightning checkpoint",
        }[found.kind]
        return found, kind
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return WeightsFile("state", _read_safetensors(path)), "safetensors"
    shown = "a Keras (HDF5) file" if head[:4] == b"\x89HDF" else "empty" if not size else "nothing that is read here"
    raise BackboneError(f"{path} is {shown}", "what is read: files of torch.save, safetensors and ONNX models")


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BackboneError(f"{path} cannot be read as safetensors: {error}", "get the file again") from error


def _get_metadata(found: WeightsFile, key: str, kind: type | tuple[type, ...]) -> Any:
    """What a checkpoint of this project says of its backbone; None where it does not."""
    said = (found.about or {}).get(key)
    return said if isinstance(said, kind) else None


def _build_backbone(found: WeightsFile, match: Match, classes: Sequence[str] | None, path: Path, name: str) -> Backbone:
    said = _get_metadata(found, "classes", (list, tuple))
    if classes is None and said and len(said) == match.columns and all(isinstance(label, str) for label in said):
        classes = tuple(said)
    spec = catalogue.spec(match.spec.name)
    with torch.random.fork_rng(devices=[]):
        network = construct(spec, match.columns)
    network.load_state_dict(match.state)
    if match.left_out:
        more = f" and {len(match.left_out) - 3} more" if len(match.left_out) > 3 else ""
        logger.info(f"left out, beside the backbone: {', '.join(match.left_out[:3])}{more}")
    spec = replace(
        spec, preprocessing=_infer_preprocessing(found, spec, match.columns), score_width=match.columns, tag=None
    )
    return Backbone(
        network, spec, f"checkpoint {name}", name, name, resolve_score_labels(match.columns, classes, path)
    ).eval()


def _infer_preprocessing(found: WeightsFile, spec: BackboneSpec, columns: int) -> Preprocessing:
    """What the file says; else the catalogue's; else as published face weights are used (square bilinear, ImageNet's
    mean and std) where the columns are theirs or there is no classifier; else timm's.
    """
    said = _get_metadata(found, "preprocessing", dict)
    if said is not None:
        return Preprocessing.from_dict(said)
    faces = columns in PUBLISHED_ORDERS or not columns
    if spec.name.startswith(catalogue.TIMM_PREFIX) and faces:
        return Preprocessing(FACE_SIZES.get(spec.name, spec.input_size))
    return spec.preprocessing


def _require_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    if not state:
        raise BackboneError(f"{path} holds no tensors", "get the file again")
    if not all(name.isprintable() and len(name) < MAX_NAME_LENGTH for name in state):
        raise BackboneError(f"{path} has tensors whose names are no names", "get the file again")


def _require_finite(state: Mapping[str, Tensor], path: Path) -> None:
    wrong = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if wrong:
        raise BackboneError(
            f"{path} has values that are not finite in {len(wrong)} tensors: {', '.join(wrong[:3])}",
            "get the file again, or train without them",
        )


@torch.inference_mode()
def _require_forward(backbone: Backbone, path: Path) -> None:
    size = backbone.spec.input_size
    pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    embeddings, scores = backbone(torch.cat([pixels, pixels.flip(3)]))
    if not embeddings.isfinite().all() or not scores.isfinite().all():
        raise BackboneError(f"{path} gives outputs that are not finite", "get the file again")


def _log_summary(backbone: Backbone, what: str) -> None:
    shown, size = backbone.spec.preprocessing, backbone.spec.input_size
    logger.info(f"{what}: {backbone.spec.name}, {sum(p.numel() for p in backbone.network.parameters()):,} parameters")
    logger.info(
        f"pixels: {size} x {size} {shown.interpolation}, no crop, 0..{shown.value_range:g}, mean {shown.mean}, "
        f"std {shown.std}"
    )
    names = ", ".join(backbone.score_labels) or "no names"
    logger.info(
        f"embedding: {backbone.embedding_width}; scores: "
        + (f"{backbone.score_width} ({names})" if backbone.score_width else "none, it has no classifier")
    )


def _warn_tf_padding(match: Match) -> None:
    """TensorFlow's padding leaves no trace in the tensors; published face weights have it."""
    module, _, model = catalogue.spec(match.spec.name).constructor.partition(":")
    twin = model.removeprefix("tf_") if model.startswith("tf_") else f"tf_{model}"
    if module == "timm" and architectures.is_timm_model(twin):
        logger.info(
            f"taken for timm's {model}, not {twin}, which has the same tensors and pads otherwise; name it by "
            f"--architecture {catalogue.TIMM_PREFIX}{twin} if it is that one"
        )
