"""Select the embedding and the scores among the outputs of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backbones.errors import BackboneError, printable
from backbones.importing.class_names import PUBLISHED_ORDERS
from backbones.importing.options import NONE, ImportOptions

SCORE_WORDS = ("score", "logit", "prob", "class", "express", "emotion")
EMBEDDING_WORDS = ("embed", "feature", "pool", "flatten", "penult", "pre_logits")
MAX_SCORE_WIDTH = 64
"""A graph's only output is assumed to be scores if it has at most this number of columns, otherwise an embedding."""


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


def select_outputs(
    vectors: Sequence[VectorOutput], options: ImportOptions, path: Path
) -> tuple[VectorOutput | None, VectorOutput | None]:
    """Select the embedding and the scores by the options, else by the widths and names of the outputs.

    Parameters
    ----------
    vectors : sequence of VectorOutput
        The outputs that are one vector per image.
    options : ImportOptions
        `embedding` and `scores` name the outputs; the number of `classes` is the expected number of score columns.
    path : Path
        The file, for the message of an error.

    Returns
    -------
    embedding : VectorOutput or None
        The embedding; None if there are scores only.
    scores : VectorOutput or None
        The scores; None if there are none or they are not used.

    Raises
    ------
    BackboneError
        If a name is unknown, or outputs are missing or ambiguous.
    """
    shown = ", ".join(map(str, vectors)) or "none"
    scores: VectorOutput | None = None
    if options.scores is None:
        scores = _find_scores(vectors, options, shown, path)
    elif not options.without_scores:
        scores = _find_named(vectors, options.scores, "scores", path)
    if options.embedding is not None:
        return _find_named(vectors, options.embedding, "embedding", path), scores
    embeddings = [
        v
        for v in vectors
        if v is not scores and (scores is None or v.width > scores.width or v.name_contains(EMBEDDING_WORDS))
    ]
    if embeddings:
        return _select_one(embeddings, EMBEDDING_WORDS, "embedding", shown, path), scores
    if scores is None:
        raise BackboneError(
            f"{path} has no output that is one vector per image",
            "export it with an output for the embedding, or name a tensor of its graph: --embedding NAME",
        )
    return None, scores


def _find_scores(
    vectors: Sequence[VectorOutput], options: ImportOptions, shown: str, path: Path
) -> VectorOutput | None:
    candidates = [vector for vector in vectors if vector.name != options.embedding]
    is_named = options.classes is not None and tuple(options.classes) != (NONE,)
    widths = {len(options.classes or ())} if is_named else set(PUBLISHED_ORDERS)
    scores = [v for v in candidates if v.width in widths] or [v for v in candidates if v.name_contains(SCORE_WORDS)]
    is_single = len(candidates) == 1 and options.embedding is None
    if not scores and is_single and candidates[0].width <= MAX_SCORE_WIDTH:
        scores = [v for v in candidates if not v.name_contains(EMBEDDING_WORDS)]
    if not scores:
        if is_named:
            raise BackboneError(
                f"{path} has no output for scores with {len(options.classes or ())} columns: its outputs are {shown}",
                "name the output with --scores NAME, or omit --classes",
            )
        return None
    return _select_one(scores, SCORE_WORDS, "scores", shown, path)


def _find_named(vectors: Sequence[VectorOutput], name: str, option: str, path: Path) -> VectorOutput:
    found = next((vector for vector in vectors if vector.name == name), None)
    if found is None:
        raise BackboneError(
            f"'{printable(name)}' in {path} is not one float32 vector per image",
            f"give another tensor with --{option}; its outputs are {', '.join(map(str, vectors)) or 'none'}",
        )
    return found


def _select_one(
    candidates: Sequence[VectorOutput], words: Sequence[str], option: str, shown: str, path: Path
) -> VectorOutput:
    named = [vector for vector in candidates if vector.name_contains(words)]
    for selected in (candidates, named):
        if len(selected) == 1:
            return selected[0]
    raise BackboneError(
        f"{path}: cannot determine which output is the {option} among {shown}",
        f"name it with --{option} NAME" + (", or give --scores none" if option == "scores" else ""),
    )
