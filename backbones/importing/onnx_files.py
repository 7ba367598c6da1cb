"""ONNX emotion models become entries that ONNX Runtime runs."""

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
from backbones.checkpoint import hash_file
from backbones.errors import BackboneError, printable
from backbones.importing.class_names import PUBLISHED_ORDERS, resolve_score_labels
from backbones.importing.entry import save_entry, validate_entry_name
from backbones.onnx_graph import OnnxGraph, read_graph
from backbones.onnx_network import OnnxNetwork, Ports
from backbones.onnx_session import open_session, run_session
from backbones.spec import ONNX_CONSTRUCTOR, BackboneSpec, Preprocessing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

logger = logging.getLogger(__name__)

SCORE_WORDS = ("score", "logit", "prob", "class", "express", "emotion")
EMBEDDING_WORDS = ("embed", "feature", "pool", "flatten", "penult", "pre_logits")
MAX_SCORE_WIDTH = 64
"""A single wider output is taken for an embedding in what an error says."""
MAX_PIXELS = 2**26


@dataclass(frozen=True)
class VectorOutput:
    """An output that is one row of numbers for each picture."""

    name: str
    width: int

    def name_contains(self, words: Sequence[str]) -> bool:
        return any(word in self.name.lower() for word in words)

    def __str__(self) -> str:
        return f"{printable(self.name)} [{self.width}]"


def import_onnx(path: Path, name: str, checkpoints: Path, classes: Sequence[str] | None) -> Path:
    """Make `path` the entry `name` of `checkpoints` and return its folder.

    The model takes one float32 input [N, 3, S, S] and gives an embedding and scores for each picture; N may be fixed.
    classes: names of the score columns; without them the published orders for 7 to 10 columns, else none.
    BackboneError when the file is broken, not whole, of another kind, lacks one of the two outputs, or when another
    entry has that name.
    """
    path = Path(path)
    validate_entry_name(name)
    graph = read_graph(path)
    graph.require_single_file(path)
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
    """Which outputs are the embedding and the scores: by their widths, and by their names where widths leave a choice.

    BackboneError that says what is missing, or between which outputs the names do not decide.
    """
    shown = ", ".join(map(str, vectors)) or "none"
    widths = {len(classes)} if classes else set(PUBLISHED_ORDERS)
    scores = [v for v in vectors if v.width in widths] or [v for v in vectors if v.name_contains(SCORE_WORDS)]
    if not scores and len(vectors) == 1 and vectors[0].width <= MAX_SCORE_WIDTH:
        scores = list(vectors)
    if not scores:
        wanted = " or ".join(map(str, sorted(widths)))
        raise BackboneError(
            f"{path} gives no scores: its outputs are {shown}, and none is {wanted} wide",
            "export it with both outputs, or name the classes of its scores",
        )
    taken = _select_one(scores, SCORE_WORDS, "scores", shown, path)
    embeddings = [v for v in vectors if v is not taken and (v.width > taken.width or v.name_contains(EMBEDDING_WORDS))]
    if not embeddings:
        raise BackboneError(
            f"{path} gives scores only ({taken}), and a backbone needs the embedding before them too",
            _export_hint(path, graph.find_classifier_input(taken.name)),
        )
    return _select_one(embeddings, EMBEDDING_WORDS, "the embedding", shown, path), taken


def _select_one(
    candidates: Sequence[VectorOutput], words: Sequence[str], what: str, shown: str, path: Path
) -> VectorOutput:
    named = [vector for vector in candidates if vector.name_contains(words)]
    for found in (candidates, named):
        if len(found) == 1:
            return found[0]
    raise BackboneError(
        f"{path} does not say which output is {what}: its outputs are {shown}",
        "export it with two outputs, named embedding and scores",
    )


def _export_hint(path: Path, tensor: str | None) -> str:
    """How to get both outputs, from the network or, where the last layer is a linear one, from the file itself."""
    export = "export it so that forward() returns both, with output_names=['embedding', 'scores']"
    if tensor is None:
        return export
    code = (
        f"import onnx; m = onnx.load({json.dumps(str(path))}); "
        f'm.graph.output.append(onnx.ValueInfoProto(name={json.dumps(tensor)})); onnx.save(m, "both.onnx")'
    )
    return (
        f"{export}; or make '{printable(tensor)}', which its last linear layer works on, an output: "
        f"python -c {shlex.quote(code)}"
    )


def _read_input_shape(session: InferenceSession, path: Path) -> tuple[int, int | None]:
    """Width of the square input, and pictures of one run where the graph fixes them."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        named = printable(", ".join(given.name for given in inputs))
        raise BackboneError(
            f"{path} takes {len(inputs)} inputs ({named}), not one picture",
            "export the network that takes face crops alone",
        )
    given, shape = inputs[0], inputs[0].shape
    shown = printable(f"{given.name}: {given.type} [{', '.join('?' if n is None else str(n) for n in shape)}]")
    if given.type != "tensor(float)" or len(shape) != 4 or shape[1] != 3:
        raise BackboneError(f"{path} takes {shown}, not float32 [N, 3, S, S]", "export it for planes of RGB")
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise BackboneError(
            f"{path} does not say how large its pictures are: it takes {shown}",
            "fix their size, 224 for example: python -m onnxruntime.tools.make_dynamic_shape_fixed "
            f"--input_name {shlex.quote(printable(given.name))} --input_shape 1,3,224,224 {shlex.quote(str(path))} "
            "fixed.onnx",
        )
    if height != width or height < 1:
        raise BackboneError(f"{path} takes {shown}, and only square pictures are read", "export it for square pictures")
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    if width**2 * (batch or 1) > MAX_PIXELS:
        raise BackboneError(f"{path} takes {shown} at once, more than {MAX_PIXELS:,} pixels", "export it for fewer")
    return width, batch


def _run_on_noise(
    session: InferenceSession, size: int, batch: int | None, path: Path
) -> tuple[int | None, dict[str, np.ndarray]]:
    """What the graph gives for noise: rows of every output that has one per picture; batch as it works, None any.

    A graph may claim to take any batch and not do it; then it is run picture by picture.
    """
    names = tuple(output.name for output in session.get_outputs() if output.type == "tensor(float)")
    for count, works in ((batch, batch),) if batch else ((2, None), (1, 1)):
        pixels = np.random.default_rng(0).normal(size=(count, 3, size, size)).astype(np.float32)
        try:
            arrays = run_session(session, (session.get_inputs()[0].name, *names), pixels, path) if names else []
        except BackboneError:
            if works:
                raise
            continue
        rows = {output: array.reshape(count, -1) for output, array in zip(names, arrays) if _is_vector(array, count)}
        if rows or works:
            return works, rows
    raise AssertionError("a batch of one either works or raises")


def _is_vector(array: np.ndarray, count: int) -> bool:
    """[N, D], or [N, D, 1, 1] as a pooled map has it."""
    return array.ndim >= 2 and len(array) == count and array.size == count * array.shape[1]


def _guess_preprocessing(path: Path, size: int) -> Preprocessing:
    """As HSEmotion's own reader chooses it: by the file's name; ImageNet's but for its MobileFaceNet."""
    if path.name.startswith("mbf_"):
        return Preprocessing(size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return Preprocessing(size)


def _require_finite(samples: dict[str, np.ndarray], vectors: Sequence[VectorOutput], path: Path) -> None:
    for vector in vectors:
        if not np.isfinite(samples[vector.name]).all():
            raise BackboneError(f"{path} gives values that are not finite in {vector}", "export it again")


def _summary_lines(  # noqa: PLR0913 - each is a line of the summary
    network: OnnxNetwork,
    preprocessing: Preprocessing,
    names: Sequence[str],
    vectors: Sequence[VectorOutput],
    embedding: VectorOutput,
    scores: VectorOutput,
    rows: np.ndarray,
) -> list[str]:
    size, batch = preprocessing.input_size, network.ports.batch
    left = "".join(f"; left out: {vector}" for vector in vectors if vector not in (embedding, scores))
    count = "any number" if batch is None else batch
    lines = [
        f"input {printable(network.ports.input)}: {size} x {size} RGB, {count} a run",
        f"embedding: {embedding}; scores: {scores}: {', '.join(names) or 'no names'}{left}",
        f"pixels: 0..{preprocessing.value_range:g}, mean {preprocessing.mean}, std {preprocessing.std}; an ONNX "
        "file does not say them: change `preprocessing` in card.json if it was trained on others",
    ]
    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        lines.append("its scores are probabilities, not logits; they are kept as they are")
    return lines
