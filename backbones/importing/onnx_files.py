"""Import ONNX models as entries that run through ONNX Runtime."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.backbone import Backbone
from backbones.errors import BackboneError, printable
from backbones.importing.class_names import PUBLISHED_ORDERS, resolve_score_labels
from backbones.importing.entry import save_entry, validate_entry_name
from backbones.onnx_graph import OnnxGraph, read_graph
from backbones.onnx_network import OnnxNetwork, Ports
from backbones.onnx_session import open_session, run_session
from backbones.regular_files import hash_file
from backbones.spec import ONNX_CONSTRUCTOR, BackboneSpec, Preprocessing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

logger = logging.getLogger(__name__)

SCORE_WORDS = ("score", "logit", "prob", "class", "express", "emotion")
EMBEDDING_WORDS = ("embed", "feature", "pool", "flatten", "penult", "pre_logits")
MAX_SCORE_WIDTH = 64
"""A graph's only output is assumed to be scores if it has at most this number of columns, otherwise an embedding."""
MAX_PIXELS = 2**26
TRIAL_SECONDS = 120.0
"""Time limit of the trial run of a graph on noise: at most two images, or one batch if the batch size is fixed."""


@dataclass(frozen=True)
class VectorOutput:
    """Output of a graph that is one vector per image.

    Attributes
    ----------
    name : str
        Name of the output.
    width : int
        Number of columns.
    """

    name: str
    width: int

    def name_contains(self, words: Sequence[str]) -> bool:
        """Return whether the name contains one of the words, ignoring case."""
        return any(word in self.name.lower() for word in words)

    def __str__(self) -> str:
        return f"{printable(self.name)} [{self.width}]"


def import_onnx(path: Path, name: str, checkpoints: Path, classes: Sequence[str] | None) -> Path:
    """Import an ONNX model as an entry; an identical entry is left unchanged.

    The model must have one input, float32 [N, 3, S, S] where N may be fixed, and output an embedding and scores for
    each image.

    Parameters
    ----------
    path : Path
        The ONNX file.
    name : str
        Name of the entry.
    checkpoints : Path
        The folder of entries.
    classes : sequence of str or None
        Names of the score columns. If None, 7 to 10 columns get the published names, and any other number of columns
        gets none.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If the file is damaged, incomplete or not an ONNX model, if its input or outputs are not as described above,
        if a name is invalid, or if another entry has this name.
    """
    path = Path(path)
    validate_entry_name(name)
    graph = read_graph(path)
    graph.require_single_file(path)
    graph.require_no_loops(path)
    session = open_session(path, threads=1)
    size, batch = _read_input_shape(session, path)
    batch, samples = _run_on_noise(session, size, batch, path)
    vectors = [VectorOutput(output, array.shape[1]) for output, array in samples.items()]
    embedding, scores = select_outputs(vectors, classes, path, graph)
    names = resolve_score_labels(scores.width, classes, path)
    _require_finite(samples, (embedding, scores), path)
    preprocessing = _guess_preprocessing(path, size)
    ports = Ports(session.get_inputs()[0].name, embedding.name, scores.name, batch)
    network = OnnxNetwork(path, ports, (embedding.width, scores.width), graph.parameters, hash_file(path))
    spec = BackboneSpec(
        "onnx", ONNX_CONSTRUCTOR, preprocessing, names, "unknown", f"imported from {path.name}", None, scores.width
    )
    backbone = Backbone(network, spec, f"checkpoint {name}", name, name, names, False, checkpoints).eval()
    folder = save_entry(backbone, path, name, checkpoints, {"file_format": "ONNX"})
    for line in _summary_lines(network, preprocessing, names, vectors, embedding, scores, samples[scores.name]):
        logger.info(line)
    return folder


def select_outputs(
    vectors: Sequence[VectorOutput], classes: Sequence[str] | None, path: Path, graph: OnnxGraph
) -> tuple[VectorOutput, VectorOutput]:
    """Select the embedding and the scores by the widths of the outputs and, if these are ambiguous, by their names.

    Parameters
    ----------
    vectors : sequence of VectorOutput
        The outputs that are one vector per image.
    classes : sequence of str or None
        Names of the score columns, if the user gave them.
    path : Path
        The ONNX file, for the message of an error.
    graph : OnnxGraph
        The graph in that file.

    Returns
    -------
    embedding : VectorOutput
        The embedding.
    scores : VectorOutput
        The scores.

    Raises
    ------
    BackboneError
        If the output for the embedding or the output for the scores is missing or ambiguous.
    """
    shown = ", ".join(map(str, vectors)) or "none"
    widths = {len(classes)} if classes else set(PUBLISHED_ORDERS)
    scores = [v for v in vectors if v.width in widths] or [v for v in vectors if v.name_contains(SCORE_WORDS)]
    if not scores and len(vectors) == 1 and vectors[0].width <= MAX_SCORE_WIDTH:
        scores = list(vectors)
    if not scores:
        expected = " or ".join(map(str, sorted(widths)))
        raise BackboneError(
            f"{path} has no output for scores: its outputs are {shown}, and none has {expected} columns",
            "export it with both outputs, or give the class names of its scores",
        )
    score = _select_one(scores, SCORE_WORDS, "the scores", shown, path)
    embeddings = [v for v in vectors if v is not score and (v.width > score.width or v.name_contains(EMBEDDING_WORDS))]
    if not embeddings:
        raise BackboneError(
            f"{path} has an output for scores only ({score}), but a backbone also needs the embedding before them",
            _export_hint(path, graph.find_classifier_input(score.name)),
        )
    return _select_one(embeddings, EMBEDDING_WORDS, "the embedding", shown, path), score


def _select_one(
    candidates: Sequence[VectorOutput], words: Sequence[str], what: str, shown: str, path: Path
) -> VectorOutput:
    named = [vector for vector in candidates if vector.name_contains(words)]
    for selected in (candidates, named):
        if len(selected) == 1:
            return selected[0]
    raise BackboneError(
        f"{path}: cannot determine which output is {what} among {shown}",
        "export it with two outputs, named embedding and scores",
    )


def _export_hint(path: Path, tensor: str | None) -> str:
    """Explain how to export both outputs, or to add `tensor`, the input of the last linear layer, as an output."""
    export = "export it so that forward() returns both, with output_names=['embedding', 'scores']"
    if tensor is None:
        return export
    code = (
        f"import onnx; m = onnx.load({json.dumps(str(path))}); "
        f'm.graph.output.append(onnx.ValueInfoProto(name={json.dumps(tensor)})); onnx.save(m, "both.onnx")'
    )
    return (
        f"{export}; or make '{printable(tensor)}', the input of its last linear layer, an output: "
        f"python -c {shlex.quote(code)}"
    )


def _read_input_shape(session: InferenceSession, path: Path) -> tuple[int, int | None]:
    """Return the size of the square input, and the number of images per run if the graph fixes it."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = printable(", ".join(node.name for node in inputs))
        raise BackboneError(
            f"{path} takes {len(inputs)} inputs ({names}), not one image",
            "export a network whose only input is a face crop",
        )
    node, shape = inputs[0], inputs[0].shape
    shown = printable(f"{node.name}: {node.type} [{', '.join('?' if n is None else str(n) for n in shape)}]")
    if node.type != "tensor(float)" or len(shape) != 4 or shape[1] != 3:
        raise BackboneError(
            f"{path} takes {shown}, not float32 [N, 3, S, S]", "export it for RGB images in channels-first order"
        )
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise BackboneError(
            f"{path} does not fix the size of its input: it takes {shown}",
            "fix the size, for example to 224: python -m onnxruntime.tools.make_dynamic_shape_fixed "
            f"--input_name {shlex.quote(printable(node.name))} --input_shape 1,3,224,224 {shlex.quote(str(path))} "
            "fixed.onnx",
        )
    if height != width or height < 1:
        raise BackboneError(
            f"{path} takes {shown}, but only square images are supported", "export it for square images"
        )
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    if width**2 * (batch or 1) > MAX_PIXELS:
        raise BackboneError(
            f"{path} takes {shown} at once, more than {MAX_PIXELS:,} pixels", "export it for fewer or smaller images"
        )
    return width, batch


def _run_on_noise(
    session: InferenceSession, size: int, batch: int | None, path: Path
) -> tuple[int | None, dict[str, np.ndarray]]:
    """Run the graph on noise; return the batch size that works and all outputs that have one vector per image.

    The batch size is None if any size works. Some graphs declare a dynamic batch size but fail on two images; these
    are run one image at a time.
    """
    names = tuple(output.name for output in session.get_outputs() if output.type == "tensor(float)")
    attempts: tuple[tuple[int, int | None], ...] = ((batch, batch),) if batch else ((2, None), (1, 1))
    for count, works in attempts:
        pixels = np.random.default_rng(0).normal(size=(count, 3, size, size)).astype(np.float32)
        try:
            arrays = (
                run_session(session, (session.get_inputs()[0].name, *names), pixels, path, TRIAL_SECONDS)
                if names
                else []
            )
        except BackboneError:
            if works:
                raise
            continue
        rows = {output: array.reshape(count, -1) for output, array in zip(names, arrays) if _is_vector(array, count)}
        if rows or works:
            return works, rows
    raise AssertionError("a batch of one either works or raises")


def _is_vector(array: np.ndarray, count: int) -> bool:
    """Whether an output has the shape [N, D], or [N, D, 1, 1] as after pooling."""
    return array.ndim >= 2 and len(array) == count and array.size == count * array.shape[1]


def _guess_preprocessing(path: Path, size: int) -> Preprocessing:
    """Guess mean and std from the file name as HSEmotion does: ImageNet's, except for HSEmotion's MobileFaceNet."""
    if path.name.startswith("mbf_"):
        return Preprocessing(size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return Preprocessing(size)


def _require_finite(samples: dict[str, np.ndarray], vectors: Sequence[VectorOutput], path: Path) -> None:
    for vector in vectors:
        if not np.isfinite(samples[vector.name]).all():
            raise BackboneError(f"{path} produces non-finite values in {vector}", "export it again")


def _summary_lines(  # noqa: PLR0913 - all are shown in the summary
    network: OnnxNetwork,
    preprocessing: Preprocessing,
    names: Sequence[str],
    vectors: Sequence[VectorOutput],
    embedding: VectorOutput,
    scores: VectorOutput,
    rows: np.ndarray,
) -> list[str]:
    size, batch = preprocessing.input_size, network.ports.batch
    unused = "".join(f"; not used: {vector}" for vector in vectors if vector not in (embedding, scores))
    count = "any batch size" if batch is None else f"batch size {batch}"
    lines = [
        f"input {printable(network.ports.input)}: {size} x {size} RGB, {count}",
        f"embedding: {embedding}; scores: {scores}: {', '.join(names) or 'unnamed'}{unused}",
        f"assumed preprocessing: values 0 to {preprocessing.value_range:g}, mean {preprocessing.mean}, std "
        f"{preprocessing.std}; ONNX files do not contain it, so correct `preprocessing` in card.json if it is wrong",
    ]
    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        lines.append("the scores are probabilities, not logits; they are used unchanged")
    return lines
