"""Import weights files as backbone entries; the format is detected from the content of a file, not from its name."""

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
from backbones.errors import BackboneError, join_first
from backbones.importing import architectures, vggface_files
from backbones.importing.class_names import PUBLISHED_ORDERS, resolve_score_labels
from backbones.importing.entry import save_entry, validate_entry_name
from backbones.importing.matching import Match, match_architecture, strip_prefixes
from backbones.importing.torch_files import WeightsFile, read_torch_file
from backbones.loading import construct
from backbones.onnx_graph import is_onnx
from backbones.regular_files import open_regular
from backbones.spec import BackboneSpec, Preprocessing
from backbones.state_dict import require_readable_dtypes

logger = logging.getLogger(__name__)

PICKLE_FIRST_BYTES = tuple(b"\x80c(]}")
MAX_NAME_LENGTH = 300
FACE_SIZES = {"timm:mobilevitv2_150": 224}
"""Input sizes of published emotion weights (EmotiEffLib) where they differ from the sizes of timm's weights."""


def import_file(
    path: Path, name: str, checkpoints: Path, architecture: str | None = None, classes: Sequence[str] | None = None
) -> Path:
    """Import a weights file as an entry; an identical entry is left unchanged.

    Supported files are safetensors, files written by torch.save (networks, state dicts and Lightning checkpoints; no
    code in them is executed), VGG-16 face networks and ONNX models. A file without a classifier becomes a backbone
    with scores of shape [N, 0], but VGG-16 face networks and ONNX models must have scores.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the entry.
    checkpoints : Path
        The folder of entries.
    architecture : str, optional
        A catalogue name or a timm model; by default it is read from the file or inferred from the tensors. Not for
        ONNX models.
    classes : sequence of str, optional
        Names of the score columns. By default: the names in a checkpoint of this project; else the published names
        for 7 to 10 columns; else none.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If the file cannot be read or imported, a name is invalid, or another entry has this name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import backbones
    >>> folder = Path(tempfile.mkdtemp())
    >>> weights = backbones.build("tiny_resnet", classes=("calm", "tense")).network.state_dict()
    >>> torch.save(weights, folder / "weights.pt")
    >>> entry = backbones.import_file(folder / "weights.pt", "mine", folder, classes=("calm", "tense"))
    >>> backbones.read_card(entry)["architecture"]
    'tiny_resnet'
    """
    path = Path(path)
    validate_entry_name(name)
    if is_onnx(path):
        return _import_onnx_file(path, name, Path(checkpoints), architecture, classes)
    weights, file_format = _read_weights_file(path)
    _require_tensors(weights.state, path)
    require_readable_dtypes(weights.state, path)
    state, _ = strip_prefixes(weights.state)
    _require_finite(state, path)
    if vggface_files.is_vggface(state) and architecture in (None, catalogue.VGGFACE.name):
        backbone = vggface_files.build_vggface(state, path, classes)
        if architecture is None:
            vggface_files.log_assumed_pixels(state)
    else:
        given_architecture = architecture or _get_metadata(weights, "architecture", str)
        match = match_architecture(weights, given_architecture, path)
        if given_architecture is None and weights.tree is None:
            _warn_tf_padding(match)
        backbone = _build_backbone(weights, match, classes, path, name)
    _require_forward(backbone, path)
    folder = save_entry(backbone, path, name, Path(checkpoints), {"file_format": file_format})
    _log_summary(backbone, file_format)
    return folder


def _import_onnx_file(
    path: Path, name: str, checkpoints: Path, architecture: str | None, classes: Sequence[str] | None
) -> Path:
    from backbones.importing.onnx_files import import_onnx

    if architecture is not None:
        raise BackboneError(f"{path} is an ONNX model, which contains its architecture", "omit --architecture")
    return import_onnx(path, name, checkpoints, classes)


def _read_weights_file(path: Path) -> tuple[WeightsFile, str]:
    """Return the content of a file and a description of its format."""
    try:
        with open_regular(path) as file:
            head = file.read(9)
        size = path.stat().st_size
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}") from error
    if head[:2] == b"PK" or (head[:1] and head[0] in PICKLE_FIRST_BYTES):
        weights = read_torch_file(path)
        file_format = {
            "module": f"torch module {weights.tree.kind if weights.tree else ''}",
            "state": "torch state dict",
            "lightning": "Lightning checkpoint",
        }[weights.kind]
        return weights, file_format
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return WeightsFile("state", _read_safetensors(path)), "safetensors"
    shown = "a Keras (HDF5) file" if head[:4] == b"\x89HDF" else "empty" if not size else "in an unknown format"
    raise BackboneError(f"{path} is {shown}", "supported are files written by torch.save, safetensors and ONNX models")


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BackboneError(f"{path} cannot be read as safetensors: {error}", "download the file again") from error


def _get_metadata(weights: WeightsFile, key: str, kind: type | tuple[type, ...]) -> Any:
    """Return a metadata value of a checkpoint of this project; None if it is missing or of another type."""
    value = (weights.about or {}).get(key)
    return value if isinstance(value, kind) else None


def _build_backbone(
    weights: WeightsFile, match: Match, classes: Sequence[str] | None, path: Path, name: str
) -> Backbone:
    labels = _get_metadata(weights, "classes", (list, tuple))
    if classes is None and labels and len(labels) == match.columns and all(isinstance(x, str) for x in labels):
        classes = tuple(labels)
    spec = catalogue.spec(match.spec.name)
    with torch.random.fork_rng(devices=[]):
        network = construct(spec, match.columns)
    network.load_state_dict(match.state)
    if match.left_out:
        logger.info(f"ignored tensors outside the backbone: {join_first(match.left_out, 3)}")
    spec = replace(
        spec, preprocessing=_infer_preprocessing(weights, spec, match.columns), score_width=match.columns, tag=None
    )
    return Backbone(
        network, spec, f"checkpoint {name}", name, name, resolve_score_labels(match.columns, classes, path)
    ).eval()


def _infer_preprocessing(weights: WeightsFile, spec: BackboneSpec, columns: int) -> Preprocessing:
    """Return the preprocessing given in the file, or else the preprocessing of the spec.

    Exception, if the file gives none: a timm model without a classifier, or with as many columns as published face
    weights, gets the preprocessing of those weights (bilinear, ImageNet mean and std).
    """
    fields = _get_metadata(weights, "preprocessing", dict)
    if fields is not None:
        return Preprocessing.from_dict(fields)
    may_be_face_weights = columns in PUBLISHED_ORDERS or not columns
    if spec.name.startswith(catalogue.TIMM_PREFIX) and may_be_face_weights:
        return Preprocessing(FACE_SIZES.get(spec.name, spec.input_size))
    return spec.preprocessing


def _require_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    if not state:
        raise BackboneError(f"{path} contains no tensors", "download the file again")
    if not all(name.isprintable() and len(name) < MAX_NAME_LENGTH for name in state):
        raise BackboneError(f"{path} has tensors with invalid names", "download the file again")


def _require_finite(state: Mapping[str, Tensor], path: Path) -> None:
    names = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if names:
        count = "1 tensor" if len(names) == 1 else f"{len(names)} tensors"
        raise BackboneError(
            f"{path} has non-finite values in {count}: {', '.join(names[:3])}",
            "download the file again, or train the network again",
        )


@torch.inference_mode()
def _require_forward(backbone: Backbone, path: Path) -> None:
    size = backbone.spec.input_size
    pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    embeddings, scores = backbone(torch.cat([pixels, pixels.flip(3)]))
    if not embeddings.isfinite().all() or not scores.isfinite().all():
        raise BackboneError(f"{path} produces non-finite outputs", "download the file again")


def _log_summary(backbone: Backbone, file_format: str) -> None:
    preprocessing, size = backbone.spec.preprocessing, backbone.spec.input_size
    parameters = sum(p.numel() for p in backbone.network.parameters())
    logger.info(f"{file_format}: {backbone.spec.name}, {parameters:,} parameters")
    logger.info(
        f"input: {size} x {size} pixels ({preprocessing.interpolation}, no crop), values 0 to "
        f"{preprocessing.value_range:g}, mean {preprocessing.mean}, std {preprocessing.std}"
    )
    names = ", ".join(backbone.score_labels) or "unnamed"
    logger.info(
        f"embedding: {backbone.embedding_width}; scores: "
        + (f"{backbone.score_width} ({names})" if backbone.score_width else "none (no classifier)")
    )


def _warn_tf_padding(match: Match) -> None:
    """Log which padding was assumed: the tensors do not show whether a network uses TensorFlow's padding."""
    module, _, model = catalogue.spec(match.spec.name).constructor.partition(":")
    twin = model.removeprefix("tf_") if model.startswith("tf_") else f"tf_{model}"
    if module == "timm" and architectures.is_timm_model(twin):
        logger.info(
            f"assumed to be timm's {model}, not {twin}, which has the same tensors but another padding; if it is that "
            f"model, use --architecture {catalogue.TIMM_PREFIX}{twin}"
        )
