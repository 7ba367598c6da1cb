"""Import ONNX models as entries that run through ONNX Runtime."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.backbone import Backbone
from backbones.checkpoint import ONNX_MODEL
from backbones.errors import BackboneError, printable, unknown_name_error
from backbones.importing import onnx_rewrite
from backbones.importing.class_names import resolve_score_labels
from backbones.importing.entry import card_fields, save_entry, validate_entry_name
from backbones.importing.onnx_outputs import VectorOutput, select_outputs
from backbones.importing.onnx_rewrite import ImageInput
from backbones.importing.onnx_trial import TrialRun, run_on_noise
from backbones.importing.options import ImportOptions, resolve_format
from backbones.importing.probe_images import probe_pixels, require_varying
from backbones.importing.summary import log_preprocessing
from backbones.onnx_graph import graph_of_model, prune_to_outputs, read_model
from backbones.onnx_macs import count_macs
from backbones.onnx_network import OnnxNetwork, Ports
from backbones.regular_files import hash_file
from backbones.spec import ONNX_CONSTRUCTOR, BackboneSpec

if TYPE_CHECKING:
    from onnx import ModelProto

logger = logging.getLogger(__name__)

PORTS_KEY = "framelight_ports"
"""Metadata key under which a stored model records the outputs that the user chose. Different choices therefore give
files with different hashes."""


@dataclass
class GraphFile:
    """ONNX model that was read from a file and is then adapted to this project in place.

    Attributes
    ----------
    path : Path
        The file.
    model : ModelProto
        The model in the file.
    file_format : str
        Description of the format.
    is_changed : bool
        Whether the model differs from the content of the file, so that it cannot be stored by copying the file.
    sha256 : str or None
        SHA-256 hex digest of all files of the model, for the card; None if `path` is the only file.
    """

    path: Path
    model: ModelProto
    file_format: str = "ONNX"
    is_changed: bool = False
    sha256: str | None = None

    @property
    def content(self) -> bytes | None:
        """Serialized model; None if it is the content of the file."""
        return onnx_rewrite.serialize(self.model) if self.is_changed else None


def import_onnx(path: Path, name: str, checkpoints: Path, options: ImportOptions | None = None) -> Path:
    """Import an ONNX model as an entry; an identical entry is left unchanged.

    The model must have one float32 input for N square images of S x S pixels, with shape [N, 3, S, S] or [N, S, S, 3],
    or the same with one channel; N may be fixed. The model is stored unchanged if it takes RGB crops of shape
    [N, 3, S, S] and has an output for the embedding. Otherwise, nodes are added before its input, or a tensor inside
    the graph becomes an additional output.

    Parameters
    ----------
    path : Path
        The ONNX file.
    name : str
        Name of the entry.
    checkpoints : Path
        Folder of the trained and imported backbones (entries).
    options : ImportOptions, optional
        Settings that the file does not contain: preprocessing, and class names if there are 7 to 10 scores.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If the file is damaged, incomplete or not an ONNX model, if it contains control flow, if its input or outputs
        are not as described above, if options are missing, if a name is invalid, or if another entry has this name.
    """
    path = Path(path)
    validate_entry_name(name)
    model, graph = read_model(path)
    graph.require_single_file(path)
    graph.require_no_control_flow(path)
    return import_graph(GraphFile(path, model), name, checkpoints, options or ImportOptions())


def import_graph(file: GraphFile, name: str, checkpoints: Path, options: ImportOptions) -> Path:
    """Adapt a model and save it as an entry, see `import_onnx`."""
    path, graph = file.path, file.model.graph
    options.require_unused(["architecture"], path, f"a {file.file_format} model, which contains its architecture")
    file.is_changed |= onnx_rewrite.simplify_graph(graph)
    image = onnx_rewrite.read_image_input(graph, options, path)
    expected = resolve_format(options, path, image.channels == 1)
    preprocessing = expected.preprocessing(image.size, options.interpolation or "bilinear", options.align or "none")
    input_name = onnx_rewrite.wrap_input(graph, image, expected.channels)
    file.is_changed |= input_name is not None or options.size is not None
    trial, embedding, scores = _select_outputs(file, image, options)
    if file.is_changed or options.embedding or options.scores:
        _prune(file, (embedding, scores), trial, options)
    parameters = graph_of_model(file.model).parameters
    labels = resolve_score_labels(scores.width, options, path) if scores else ()
    _require_finite(trial, (embedding, scores), path)
    ports = Ports(input_name or image.name, embedding.name, scores.name if scores else None, trial.batch)
    widths = embedding.width, scores.width if scores else 0
    spec = BackboneSpec(
        "onnx", ONNX_CONSTRUCTOR, preprocessing, labels, "unknown", f"imported from {path.name}", None, widths[1]
    )
    with tempfile.TemporaryDirectory() as temp_dir:
        stored = _write_model(file, Path(temp_dir))
        macs = count_macs(file.model, ports.input)
        network = OnnxNetwork(stored, ports, widths, parameters, hash_file(stored), macs)
        backbone = Backbone(network, spec, f"checkpoint {name}", name, name, labels, False, checkpoints).eval()
        _require_varying(backbone, embedding, path)
        folder = save_entry(backbone, path, name, checkpoints, card_fields(file.file_format, options), file.sha256)
    log_preprocessing(preprocessing, options, bool(labels))
    _log_graph(image, expected.channels, trial)
    _log_outputs(embedding, scores, labels, trial)
    return folder


def _select_outputs(
    file: GraphFile, image: ImageInput, options: ImportOptions
) -> tuple[TrialRun, VectorOutput, VectorOutput | None]:
    """Select the outputs after a trial run; a tensor that the options name becomes an output if it is not one."""
    for name in (options.embedding, None if options.without_scores else options.scores):
        if name is not None:
            _require_output(file, name)
    trial = _run_trial(file, image)
    if options.embedding is not None and options.embedding in trial.maps:
        options = _pool(file, options, trial.maps[options.embedding])
        trial = run_on_noise(image, file.path, file.content)
    embedding, scores = select_outputs(trial.vectors, options, file.path)
    if embedding is not None:
        return trial, embedding, scores
    assert scores is not None
    tensor = graph_of_model(file.model).find_classifier_input(scores.name)
    if tensor is None or tensor not in _tensors(file):
        raise BackboneError(
            f"{file.path} has an output for scores only ({scores}), and the layer that computes them was not found",
            "name the tensor of the graph that is the embedding: --embedding NAME",
        )
    logger.info(
        f"the file outputs scores only, so the input of the layer that computes them, '{printable(tensor)}', is the "
        "embedding; --embedding NAME takes another tensor"
    )
    return _select_outputs(file, image, replace(options, embedding=tensor, scores=scores.name))


def _run_trial(file: GraphFile, image: ImageInput) -> TrialRun:
    try:
        return run_on_noise(image, file.path, file.content)
    except BackboneError as error:
        if image.declared in (None, image.size):
            raise
        raise BackboneError(
            f"{file.path} is a network for images of {image.declared} pixels and does not run at --size {image.size} "
            f"({error.message})",
            "omit --size",
        ) from error


def _tensors(file: GraphFile) -> set[str]:
    return {name for node in file.model.graph.node for name in node.output if name}


def _require_output(file: GraphFile, name: str) -> None:
    """Add a tensor to the outputs unless it is one already; raise BackboneError if the graph does not compute it."""
    if name in {port.name for port in file.model.graph.output}:
        return
    if name not in _tensors(file):
        raise unknown_name_error(f"tensor of {file.path}", name, map(printable, sorted(_tensors(file))))
    onnx_rewrite.add_output(file.model.graph, name)
    file.is_changed = True


def _pool(file: GraphFile, options: ImportOptions, channels: int) -> ImportOptions:
    """Replace an embedding that is a feature map by its global average."""
    assert options.embedding is not None
    logger.info(f"'{printable(options.embedding)}' is a feature map; its global average is the embedding")
    file.is_changed = True
    return replace(options, embedding=onnx_rewrite.add_pooled_output(file.model.graph, options.embedding, channels))


def _prune(file: GraphFile, outputs: Sequence[VectorOutput | None], trial: TrialRun, options: ImportOptions) -> None:
    """Remove the outputs that are not used, and the nodes and weights that only these outputs need."""
    names = [output.name for output in outputs if output is not None]
    prune_to_outputs(file.model, names)
    for name in names:
        onnx_rewrite.declare_shape(file.model.graph, name, trial.batch, trial.shapes[name])
    if options.embedding or options.scores:
        file.model.metadata_props.add(key=PORTS_KEY, value=json.dumps(names))
    file.is_changed = True


def _write_model(file: GraphFile, folder: Path) -> Path:
    """Return the path of the model to store: the file itself, or a new file in `folder` if the model has changed."""
    content = file.content
    if content is None:
        return file.path
    path = folder / ONNX_MODEL
    path.write_bytes(content)
    return path


def _require_finite(trial: TrialRun, vectors: Sequence[VectorOutput | None], path: Path) -> None:
    for vector in vectors:
        if vector is not None and not np.isfinite(trial.samples[vector.name]).all():
            raise BackboneError(f"{path} produces non-finite values in {vector}", "export it again")


def _require_varying(backbone: Backbone, embedding: VectorOutput, path: Path) -> None:
    embeddings, _ = backbone(probe_pixels(backbone.spec.preprocessing))
    another = f"name another tensor than '{printable(embedding.name)}' with --embedding NAME"
    require_varying(embeddings, path, f"{another}, or export the network again with trained weights")


def _log_graph(image: ImageInput, channels: str, trial: TrialRun) -> None:
    count = "any batch size" if trial.batch is None else f"batch size {trial.batch}"
    order = "one grey channel" if image.channels == 1 else channels.upper() if channels != "grey" else "grey"
    logger.info(f"input {printable(image.name)}: {image.size} x {image.size} {order}, {image.layout}, {count}")


def _log_outputs(embedding: VectorOutput, scores: VectorOutput | None, labels: Sequence[str], trial: TrialRun) -> None:
    unused = "".join(f"; not used: {vector}" for vector in trial.vectors if vector not in (embedding, scores))
    named = f"{scores}: {', '.join(labels) or 'unnamed'}" if scores else "none"
    logger.info(f"embedding: {embedding}; scores: {named}{unused}")
    if scores is None:
        return
    rows = trial.samples[scores.name]
    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        logger.info("the scores are probabilities, not logits; they are used unchanged")
