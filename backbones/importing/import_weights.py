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
from backbones.importing.class_names import resolve_score_labels
from backbones.importing.entry import card_fields, save_entry, validate_entry_name
from backbones.importing.matching import Match, match_architecture, strip_prefixes
from backbones.importing.options import ImportOptions
from backbones.importing.summary import log_preprocessing
from backbones.importing.tfjs_weights import is_tfjs
from backbones.importing.torch_files import WeightsFile
from backbones.importing.torch_pixels import convert_to_rgb, require_no_pixel_options, resolve_preprocessing
from backbones.importing.weights_file import read_weights_file, require_finite, require_tensors
from backbones.loading import construct
from backbones.onnx_graph import is_onnx
from backbones.spec import Preprocessing
from backbones.state_dict import require_readable_dtypes

logger = logging.getLogger(__name__)


def import_file(
    path: Path,
    name: str,
    checkpoints: Path,
    architecture: str | None = None,
    classes: Sequence[str] | None = None,
    options: ImportOptions | None = None,
) -> Path:
    """Import a weights file as an entry; an identical entry is left unchanged.

    Supported files are safetensors, files written by torch.save (networks, state dicts and Lightning checkpoints; no
    code in them is executed), VGG-16 face networks, ONNX models and graph models of TensorFlow.js. A file without a
    classifier becomes a backbone without score columns. Only Lightning checkpoints of this project contain their
    preprocessing and class names; for other files the options must give them.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the entry.
    checkpoints : Path
        Folder of the trained and imported backbones (entries).
    architecture : str, optional
        The same as `options.architecture`: a catalogue name or a timm model; by default it is read from the file or
        inferred from the tensors. Not allowed for graphs (ONNX, TensorFlow.js), which contain their architecture.
    classes : sequence of str, optional
        The same as `options.classes`: names of the score columns.
    options : ImportOptions, optional
        Settings that the file does not contain, such as the preprocessing.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If the file cannot be read or imported, options are missing or contradict the file, a name is invalid, or
        another entry has this name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import backbones
    >>> folder = Path(tempfile.mkdtemp())
    >>> weights = backbones.build("tiny_resnet", classes=("calm", "tense")).network.state_dict()
    >>> torch.save(weights, folder / "weights.pt")
    >>> options = backbones.ImportOptions(classes=("calm", "tense"), like="imagenet")
    >>> entry = backbones.import_file(folder / "weights.pt", "mine", folder, options=options)
    >>> backbones.read_card(entry)["architecture"]
    'tiny_resnet'
    """
    path, checkpoints = Path(path), Path(checkpoints)
    options = options or ImportOptions()
    options = replace(
        options,
        architecture=architecture if options.architecture is None else options.architecture,
        classes=classes if options.classes is None else options.classes,
    )
    validate_entry_name(name)
    if is_onnx(path):
        from backbones.importing.onnx_files import import_onnx

        return import_onnx(path, name, checkpoints, options)
    if is_tfjs(path):
        from backbones.importing.tfjs_files import import_tfjs

        return import_tfjs(path, name, checkpoints, options)
    return _import_tensors(path, name, checkpoints, options)


def _import_tensors(path: Path, name: str, checkpoints: Path, options: ImportOptions) -> Path:
    weights, file_format = read_weights_file(path)
    require_tensors(weights.state, path)
    require_readable_dtypes(weights.state, path)
    state, _ = strip_prefixes(weights.state)
    require_finite(state, path)
    options.require_unused(("layout", "embedding", "scores"), path, "which contains tensors and no graph")
    if vggface_files.is_vggface(state) and options.architecture in (None, catalogue.VGGFACE.name):
        backbone = _build_vggface(state, options, path)
    else:
        given_architecture = options.architecture or _get_metadata(weights, "architecture", str)
        match = match_architecture(weights, given_architecture, path)
        if given_architecture is None and weights.tree is None:
            _warn_tf_padding(match)
        backbone = _build_backbone(weights, match, options, path, name)
    _require_forward(backbone, path)
    folder = save_entry(backbone, path, name, checkpoints, card_fields(file_format, options))
    _log_summary(backbone, file_format, options)
    return folder


def _build_vggface(state: Mapping[str, Tensor], options: ImportOptions, path: Path) -> Backbone:
    if options.without_scores:
        raise BackboneError(f"--scores none does not apply to {path}, a VGG-16 face network", "omit it")
    if options.architecture is None and options.like is None and options.mean is None:
        raise BackboneError(
            f"{path} has the tensors of a VGG-16 network, but does not contain its preprocessing",
            "for the weights of VGGFace give --architecture vggface; for others give --mean, --std, --range and "
            "--channels; torchvision's ImageNet weights need no import: use the backbone timm:vgg16@tv_in1k",
        )
    backbone = vggface_files.build_vggface(state, path, options)
    preprocessing, channels = resolve_preprocessing(backbone.spec, backbone.score_width, options, path)
    spec = replace(backbone.spec, preprocessing=preprocessing)
    backbone = Backbone(
        backbone.network, spec, backbone.weights, backbone.reference, backbone.label, backbone.score_labels
    ).eval()
    convert_to_rgb(backbone.network, channels, preprocessing.input_size, path)
    return backbone


def _get_metadata(weights: WeightsFile, key: str, kind: type | tuple[type, ...]) -> Any:
    """Return a metadata value of a checkpoint of this project; None if it is missing or of another type."""
    value = (weights.about or {}).get(key)
    return value if isinstance(value, kind) else None


def _build_backbone(weights: WeightsFile, match: Match, options: ImportOptions, path: Path, name: str) -> Backbone:
    if options.without_scores:
        head = f"{match.spec.classifier}."
        match = replace(match, state={key: tensor for key, tensor in match.state.items() if not key.startswith(head)})
    stated_labels = _get_metadata(weights, "classes", (list, tuple))
    if stated_labels is not None and not _are_labels(stated_labels, match.columns):
        stated_labels = None
    spec = catalogue.spec(match.spec.name)
    with torch.random.fork_rng(devices=[]):
        network = construct(spec, match.columns).eval()
    network.load_state_dict(match.state)
    if match.left_out:
        logger.info(f"ignored tensors outside the backbone: {join_first(match.left_out, 3)}")
    stated_fields = _get_metadata(weights, "preprocessing", dict)
    if stated_fields is not None:
        require_no_pixel_options(options, path)
        preprocessing = Preprocessing.from_dict(stated_fields)
        channels = "rgb"
    else:
        preprocessing, channels = resolve_preprocessing(spec, match.columns, options, path)
    spec = replace(spec, preprocessing=preprocessing, score_width=match.columns, tag=None)
    labels = resolve_score_labels(match.columns, options, path, stated_labels)
    backbone = Backbone(network, spec, f"checkpoint {name}", name, name, labels).eval()
    convert_to_rgb(network, channels, preprocessing.input_size, path)
    return backbone


def _are_labels(labels: Sequence[Any], columns: int) -> bool:
    return len(labels) in (0, columns) and all(isinstance(label, str) for label in labels)


@torch.inference_mode()
def _require_forward(backbone: Backbone, path: Path) -> None:
    size = backbone.spec.input_size
    pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    embeddings, scores = backbone(torch.cat([pixels, pixels.flip(3)]))
    if not embeddings.isfinite().all() or not scores.isfinite().all():
        raise BackboneError(f"{path} produces non-finite outputs", "download the file again")


def _log_summary(backbone: Backbone, file_format: str, options: ImportOptions) -> None:
    parameters = sum(p.numel() for p in backbone.network.parameters())
    logger.info(f"{file_format}: {backbone.spec.name}, {parameters:,} parameters")
    log_preprocessing(backbone.spec.preprocessing, options, bool(backbone.score_labels))
    names = ", ".join(backbone.score_labels) or "unnamed"
    logger.info(
        f"embedding: {backbone.embedding_width}; scores: "
        + (f"{backbone.score_width} ({names})" if backbone.score_width else "none (no classifier)")
    )


def _warn_tf_padding(match: Match) -> None:
    """Log which padding is assumed, because the tensors do not show whether a network uses TensorFlow's padding."""
    module, _, model = catalogue.spec(match.spec.name).constructor.partition(":")
    twin = model.removeprefix("tf_") if model.startswith("tf_") else f"tf_{model}"
    if module == "timm" and architectures.is_timm_model(twin):
        logger.info(
            f"assumed to be timm's {model}, not {twin}, which has the same tensors but another padding; if it is that "
            f"model, use --architecture {catalogue.TIMM_PREFIX}{twin}"
        )
